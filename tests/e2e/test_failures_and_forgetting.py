"""What a run's failure leaves behind is told once; and Dagster may forget everything: nothing is posted again or lost.

One stack for all of it. The tests build on each other: what the first ones published is what must not come again.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from forwarder_core.embedded.databases import DAGSTERS
from forwarder_core.embedded.lock import running
from forwarder_core.embedded.postgres import Cluster
from forwarder_core.simulator.demo import Road, post_reel
from tests.e2e import stack as stacks
from tests.e2e.stack import Stack
from tests.e2e.test_by_hand import Admin, newest_job_after, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
ROAD = Road("instagram", "youtube")
CRASHES = "crash-at"
SENSORS = ("watch_0_sensor", "watch_1_sensor", "dispatch_sensor", "run_failure_sensor")
RUNS = "query { runsOrError { ... on Runs { results { runId } } } }"
DELETE = "mutation($run: String!) { deletePipelineRun(runId: $run) { __typename } }"
WHERE = "query { repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }"
FORGET = """mutation($sensor: SensorSelector!) { setSensorCursor(sensorSelector: $sensor, cursor: null) {
  __typename ... on PythonError { message } } }"""


class Installation:
    """A stack that can be stopped and started again, and what its rows say."""

    def __init__(self, stack: Stack) -> None:
        self.home = stack.home
        self.reels = 0
        self.take(stack)

    def take(self, stack: Stack) -> None:
        self.stack, self.admin = stack, Admin(stack)

    def post(self) -> dict[str, Any]:
        """A new reel; its job as soon as there is one."""
        known = max((job["id"] for job in self.admin.jobs()), default=0)
        self.show_reel()
        return dict(until(lambda: newest_job_after(self.admin, known), within_s=120))

    def show_reel(self) -> None:
        """One that stands upright, each third of the demo's does not and would be encoded anew."""
        self.reels += 1
        post_reel(self.stack.control, ROAD, number=3 * self.reels + 1)

    def ended(self, job: int, *status: str) -> dict[str, Any]:
        return dict(until(lambda: (j := self.admin.job(job))["status"] in status and j, within_s=180))

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        state = running(self.home / "demo")
        assert state is not None
        url = state.forwarder_database.replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(url) as connection:
            return connection.execute(query, values).fetchall()

    def attempts(self, job: int) -> list[str]:
        return [state for (state,) in self.rows("SELECT state FROM attempts WHERE job_id = %s ORDER BY n", job)]

    def alerts(self, job: int) -> list[tuple[str, str | None]]:
        found = self.rows(
            "SELECT kind, payload->>'code' FROM outbox WHERE (payload->>'job_id')::int = %s ORDER BY id", job
        )
        return [(kind, code) for kind, code in found]

    def crash_at(self, *crashes: str) -> None:
        file = self.home / CRASHES
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_text("".join(f"{crash}\n" for crash in crashes), "ascii")
        unfinished.replace(file)

    @property
    def published(self) -> list[str]:
        return sorted(p["id"] for p in self.stack.control.publications("youtube"))

    @property
    def told(self) -> list[str]:
        """What our rows say is there."""
        return sorted(id_ for (id_,) in self.rows("SELECT remote_id FROM publications WHERE state = 'verified'"))


@pytest.fixture(scope="module")
def place() -> Iterator[Installation]:
    with stacks.new_home() as home:
        place = Installation(stacks.start(home, "--no-seed", FORWARDER_CRASH_AT=f"@{home / CRASHES}"))
        # A dead worker is noticed, and a retry comes, in seconds; how long both usually wait is not what is told here.
        quick = {"lease.seconds": 20, "retry.delays_s": [0.5, 1, 1]}
        assert place.admin.http.put("/api/settings", json=quick).status_code == 200
        place.stack.once()
        place.reels += 1
        yield place
        stacks.stop(place.stack)


def test_an_op_that_ends_in_an_unknown_error_closes_its_attempt_and_tells_it_once(place: Installation) -> None:
    """Outside of a step only the failure hook sees it; the run-failure sensor then finds it done."""
    place.crash_at("claim.after:1:raise")
    job = place.post()["id"]
    place.ended(job, "success")
    assert place.attempts(job) == ["lost", "success"]
    assert place.alerts(job) == [("job_retrying", "worker_died"), ("job_recovered", None)]


def test_an_error_nobody_foresaw_within_a_step_is_a_dead_letter_and_told_once(place: Installation) -> None:
    place.crash_at("publish.planned:1:raise")
    job = place.post()["id"]
    dead = place.ended(job, "dead")
    until(lambda: place.admin.run_status(dead["run_id"]) == "FAILURE")
    assert (place.attempts(job), place.alerts(job)) == (["failed"], [("job_dead", "bug")])
    assert place.admin.http.post(f"/api/jobs/{job}/retry").status_code == 200
    place.ended(job, "success")
    assert [kind for kind, _ in place.alerts(job)].count("job_dead") == 1


def test_a_killed_run_worker_closes_its_attempt_and_tells_it_once(place: Installation) -> None:
    match = {"platform": "youtube", "route": "/upload/*"}
    place.stack.control.call("POST", "/faults", json={"match": match, "fault": "stall", "count": 1, "seconds": 120})
    job = place.post()["id"]
    until(lambda: place.stack.control.call("GET", "/faults")[-1]["hits"], within_s=120)
    ((pid,),) = place.rows("SELECT (worker->>'pid')::int FROM jobs WHERE id = %s", job)
    killed = place.admin.job(job)["run_id"]
    os.kill(pid, signal.SIGKILL)
    place.stack.control.call("DELETE", "/faults")
    place.ended(job, "success")
    until(lambda: place.admin.run_status(killed) == "FAILURE")
    assert place.attempts(job) == ["lost", "success"]
    assert place.alerts(job) == [("job_retrying", "worker_died"), ("job_recovered", None)]


def test_with_every_cursor_reset_and_every_run_deleted_nothing_comes_again_and_nothing_is_lost(
    place: Installation,
) -> None:
    before = place.published
    assert len(before) == place.reels == len(place.told)
    (node,) = place.admin.graphql(WHERE)["repositoriesOrError"]["nodes"]
    for sensor in SENSORS:
        asked = {"repositoryName": node["name"], "repositoryLocationName": node["location"]["name"]}
        made = place.admin.graphql(FORGET, sensor=asked | {"sensorName": sensor})["setSensorCursor"]  # type: ignore[arg-type]
        assert made["__typename"] == "Sensor", made
    runs = [run["runId"] for run in place.admin.graphql(RUNS)["runsOrError"]["results"]]
    assert len(runs) >= place.reels
    for run in runs:
        assert place.admin.graphql(DELETE, run=run)["deletePipelineRun"]["__typename"] == "DeletePipelineRunSuccess"
    place.ended(place.post()["id"], "success")
    assert set(before) < set(place.published) and len(place.published) == place.reels
    assert place.told == place.published


def test_with_dagsters_database_dropped_nothing_comes_again_and_nothing_is_lost(place: Installation) -> None:
    before, jobs = place.published, len(place.admin.jobs())
    # Posted, and the stack goes down at once: seen or not, queued or not, it must come through.
    place.show_reel()
    stacks.stop(place.stack)
    server = Cluster(place.home / "demo").start()
    server.address.drop(DAGSTERS)
    server.stop()
    place.take(stacks.start(place.home, "--no-seed", FORWARDER_CRASH_AT=f"@{place.home / CRASHES}"))
    place.ended(place.post()["id"], "success")
    until(lambda: all(job["status"] == "success" for job in place.admin.jobs()), within_s=120)
    assert len(place.published) == place.reels == len(place.admin.jobs()) == jobs + 2
    assert set(before) < set(place.published) and place.told == place.published
    assert place.rows("SELECT count(*) FROM jobs GROUP BY source_post_id HAVING count(*) > 1") == []
    undecided = """SELECT p.id FROM source_posts p JOIN connections c ON c.source_account_id = p.account_id
        LEFT JOIN decisions d ON d.connection_id = c.id AND d.source_post_id = p.id WHERE d.id IS NULL"""
    assert place.rows(undecided) == []
