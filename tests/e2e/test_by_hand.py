"""Dagit's own levers are safe: re-execution opens the next attempt of the same job, termination cancels it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from forwarder_core.simulator.demo import Road, post_reel
from tests.e2e import stack as stacks
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

ROAD = Road("instagram", "youtube")
RE_EXECUTE = """mutation($run: String!) { launchRunReexecution(
  reexecutionParams: {parentRunId: $run, strategy: FROM_FAILURE}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
TERMINATE = "mutation($run: String!) { terminateRun(runId: $run) { __typename } }"
STATUS = "query($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"


class Admin:
    """The admin's browser, as far as these tests need one."""

    def __init__(self, stack: Stack) -> None:
        self.http = httpx.Client(base_url=stack.url, trust_env=False, timeout=60, headers={"Origin": stack.url})
        said = self.http.post("/api/login", json={"username": stack.user, "password": stack.password})
        assert said.status_code == 200, said.text
        self.http.headers["Authorization"] = f"Bearer {said.json()['token']}"

    def graphql(self, query: str, **variables: str) -> dict[str, Any]:
        answer = self.http.post("/dagster/graphql", json={"query": query, "variables": variables})
        assert answer.status_code == 200 and "errors" not in answer.json(), answer.text
        return dict(answer.json()["data"])

    def run_status(self, run_id: str) -> str:
        return str(self.graphql(STATUS, run=run_id)["runOrError"]["status"])

    def job(self, job_id: int) -> dict[str, Any]:
        return dict(self.http.get(f"/api/jobs/{job_id}").json())

    def jobs(self) -> list[dict[str, Any]]:
        return list(self.http.get("/api/jobs").json()["items"])


def until(look: Callable[[], Any], *, within_s: float = 60.0) -> Any:
    """What `look` gives as soon as it is something."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with stacks.new_home() as home:
        running = stacks.start(home, "--no-seed")
        running.once()
        yield running
        stacks.stop(running)


@pytest.fixture(scope="module")
def admin(stack: Stack) -> Admin:
    return Admin(stack)


def newest_job_after(admin: Admin, known: int) -> dict[str, Any] | None:
    return next((job for job in admin.jobs() if job["id"] > known), None)


def test_a_job_that_waits_is_re_executed_as_its_next_attempt(stack: Stack, admin: Admin) -> None:
    known = admin.jobs()[0]["id"]
    match = {"platform": "youtube", "route": "/upload/*"}
    stack.control.call("POST", "/faults", json={"match": match, "fault": "http_5xx", "count": None})
    reel = post_reel(stack.control, ROAD, number=1)
    first = until(lambda: newest_job_after(admin, known))
    waiting = until(lambda: (j := admin.job(first["id"]))["status"] not in ("queued", "running") and j)
    stack.control.call("DELETE", "/faults")
    until(lambda: admin.run_status(waiting["run_id"]) == "FAILURE")
    assert waiting["status"] == "retry_wait"
    made = admin.graphql(RE_EXECUTE, run=waiting["run_id"])["launchRunReexecution"]
    assert made["__typename"] == "LaunchRunSuccess", made
    done = until(lambda: (j := admin.job(first["id"]))["status"] == "success" and j)
    assert done["attempts"] >= 2 and done["source_post_id"] == reel["id"]
    assert [p["title"] for p in stack.control.publications("youtube")].count(done["caption"].split(" #")[0]) >= 1


def test_a_published_one_ends_green_and_publishes_nothing(stack: Stack, admin: Admin) -> None:
    before = stack.control.publications("youtube")
    done = next(job for job in admin.jobs() if job["status"] == "success")
    made = admin.graphql(RE_EXECUTE.replace("FROM_FAILURE", "ALL_STEPS"), run=done["run_id"])["launchRunReexecution"]
    assert made["__typename"] == "LaunchRunSuccess", made
    again = made["run"]["runId"]
    until(lambda: admin.run_status(again) == "SUCCESS")
    assert stack.control.publications("youtube") == before
    assert admin.job(done["id"])["status"] == "success"


def test_terminating_a_run_cancels_its_job(stack: Stack, admin: Admin) -> None:
    before = len(stack.control.publications("youtube"))
    known = admin.jobs()[0]["id"]
    match = {"platform": "youtube", "route": "/upload/*"}
    stack.control.call("POST", "/faults", json={"match": match, "fault": "stall", "count": 1, "seconds": 60})
    post_reel(stack.control, ROAD, number=2)
    job = until(lambda: newest_job_after(admin, known))
    until(lambda: admin.job(job["id"])["step"] == "publish_video")
    admin.graphql(TERMINATE, run=admin.job(job["id"])["run_id"])
    ended = until(lambda: (j := admin.job(job["id"]))["status"] == "cancelled" and j)
    assert ended["error"]["action"]
    assert len(stack.control.publications("youtube")) == before
