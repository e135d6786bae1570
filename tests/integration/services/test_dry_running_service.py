"""Dry runs with the real client libraries and ffmpeg: the whole way to the destination's door, and never through it.

The judge is the simulator's own journal of requests and its list of what was uploaded.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.requests import Request, RequestState
from forwarder_core.errors import Conflict, NotFound
from forwarder_core.services import dry_running, retention, trying
from forwarder_core.services.context import Core
from forwarder_core.simulator.testing import Simulator
from tests.factories import add_connection, add_job, add_post, add_publication, simulated_account
from tests.integration.services.far_ends import NoRuns

pytestmark = pytest.mark.slow


@dataclass
class Stage:
    core: Core
    simulator: Simulator
    source: Account
    channel: Account
    person: str
    channel_id: str
    connection: Connection

    def post(self, caption: str = "Sunset #travel", **clip: Any) -> str:
        values = {"seconds": 2, "width": 144, "height": 256} | clip
        return str(self.simulator.add_post("instagram", self.person, caption, **values)["id"])

    def ask(self) -> Request:
        return dry_running.ask(self.core, self.connection.id, who="admin", patience_s=0)

    def carried(self) -> dict[str, Any]:
        """The report of a dry run that was asked for, launched and carried."""
        asked = self.ask()
        (launch,) = dry_running.launches(self.core)
        ended = dry_running.carry(self.core, launch.id, launch.dispatch_no, "run-1")
        assert (launch.id, ended) == (asked.id, RequestState.DONE)
        return dict(dry_running.get(self.core, asked.id).report)


@pytest.fixture
def stage(real_core: Core, simulator: Simulator) -> Iterator[Stage]:
    source, person = simulated_account(real_core, simulator, "instagram")
    channel, channel_id = simulated_account(real_core, simulator, "youtube")
    connection = add_connection(real_core, source, channel, publish_options={"privacy": "unlisted"})
    yield Stage(real_core, simulator, source, channel, person, channel_id, connection)
    simulator.disarm()


def writes(simulator: Simulator, since: int) -> list[dict[str, Any]]:
    """What was asked of YouTube that could have written something: signing in is not that."""
    asked = [r for r in simulator.requests()[since:] if "youtube" in r["host"] or "googleapis" in r["host"]]
    return [r for r in asked if r["method"] not in ("GET", "HEAD") and not r["path"].startswith("/token")]


def test_five_of_six_posts_go_all_the_way_and_nothing_is_written_there(stage: Stage) -> None:
    posted = [stage.post(f"Number {n} #travel", width=144 + 2 * n) for n in range(6)]
    before = len(stage.simulator.requests())
    report = stage.carried()
    assert stage.simulator.publications("youtube", stage.channel_id) == []
    asked = stage.simulator.requests()[before:]
    assert writes(stage.simulator, before) == [] and any(r["path"].endswith("/channels") for r in asked)
    assert (report["posts_found"], report["posts_tested"], report["videos_downloaded"]) == (6, 5, 5)
    assert report["destination_validation"] == "passed" and report["issues"] == []
    assert report["total_size_mb"] > 0 and "-" in report["estimated_upload_time_minutes"]
    assert report["quota_cost"]["posts"] == 5
    (first, *_) = report["sample_posts"]
    assert first["source_id"] in posted and first["duration_sec"] == pytest.approx(2, abs=0.2)
    assert first["payload"]["title"].startswith("Number ") and first["payload"]["privacy"] == "unlisted"
    assert first["payload"]["tags"] == ["travel"] and first["transformation_result"]
    assert set(first["seconds"]) == {"fetch_post", "transform_video"}
    request = dry_running.page(stage.core, connection_id=stage.connection.id)[0]
    for which in ("before", "after"):
        assert dry_running.frame(stage.core, request.id, 1, which).read_bytes().startswith(b"\xff\xd8\xff")
    folders = [trying.folder_of(stage.core, request.id, n).path for n in range(1, 6)]
    assert {file.suffix for folder in folders for file in folder.iterdir()} == {".jpg"}, "the videos are gone"


def test_what_is_wrong_with_one_post_spoils_no_other(stage: Stage) -> None:
    stage.post("Fine")
    known = add_post(stage.core, stage.source.id, stage.post("There already"))
    job = add_job(stage.core, stage.connection, known)
    add_publication(stage.core, job, state="published")
    short = stage.post("Too short", seconds=0.5)
    report = stage.carried()
    issues = {issue["source_id"]: issue["code"] for issue in report["issues"]}
    assert issues[short] == "media_rejected" and "duplicate" in issues.values()
    by_id = {post["source_id"]: post for post in report["sample_posts"]}
    assert by_id[short]["transformation_result"] == "not reached" and len(by_id) == 3
    assert report["videos_downloaded"] == 3


def test_a_destination_that_refuses_us_is_an_issue_and_the_posts_are_tried_all_the_same(stage: Stage) -> None:
    stage.post()
    stage.simulator.arm("invalid_grant", count=None, match={"platform": "youtube"})
    stage.simulator.arm("http_401", count=None, match={"platform": "youtube"})
    report = stage.carried()
    assert report["destination_validation"] == "failed" and report["videos_downloaded"] == 1
    assert "destination_identity" in {issue["code"] for issue in report["issues"]}


def test_a_source_without_a_post_that_would_go_says_so(stage: Stage) -> None:
    report = stage.carried()
    assert report["posts_tested"] == 0
    assert [issue["code"] for issue in report["issues"]] == ["no_posts"]


def test_who_asks_while_one_is_under_way_joins_it(stage: Stage) -> None:
    first, again = stage.ask(), stage.ask()
    assert first.id == again.id and first.state is RequestState.QUEUED
    assert len(dry_running.launches(stage.core)) == 1 and dry_running.launches(stage.core) == []


def test_a_cancelled_one_stops_where_it_is_and_keeps_what_it_found(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(2):
        stage.post(f"Number {n}")
    reached, go_on = threading.Event(), threading.Event()
    fetched = trying._Attempt.transform

    def slowly(attempt: Any) -> None:
        reached.set()
        assert go_on.wait(20)
        fetched(attempt)

    monkeypatch.setattr(trying._Attempt, "transform", slowly)
    asked = stage.ask()
    (launch,) = dry_running.launches(stage.core)
    worker = threading.Thread(target=dry_running.carry, args=(stage.core, launch.id, launch.dispatch_no, "run-1"))
    worker.start()
    assert reached.wait(30)
    assert dry_running.cancel(stage.core, asked.id, who="admin").state is RequestState.CANCELLED
    go_on.set()
    worker.join(20)
    assert not worker.is_alive()
    ended = dry_running.get(stage.core, asked.id)
    assert ended.state is RequestState.CANCELLED and ended.report["posts_tested"] <= 1
    with pytest.raises(Conflict):
        dry_running.cancel(stage.core, asked.id, who="admin")
    assert stage.ask().id != asked.id, "the next one is a new one"


def test_a_dead_workers_dry_run_fails_after_its_lease(stage: Stage) -> None:
    asked = stage.ask()
    (launch,) = dry_running.launches(stage.core)
    with stage.core.begin() as tx:
        hold = dry_running.requests.claim(
            tx, launch.id, now=stage.core.clock.now(), until=stage.core.clock.now(), worker={}, run_id="run-1"
        )
    assert hold and dry_running.reap(stage.core, NoRuns()) == []
    assert isinstance(stage.core.clock, ManualClock)
    stage.core.clock.move(61)
    assert dry_running.reap(stage.core, NoRuns()) == [asked.id]
    ended = dry_running.get(stage.core, asked.id)
    assert ended.state is RequestState.FAILED and ended.failure and ended.failure.code == "worker_died"
    assert dry_running.carry(stage.core, asked.id, launch.dispatch_no, "run-2") is None


def test_one_no_run_takes_up_is_launched_again_and_given_up_in_the_end(stage: Stage) -> None:
    asked = stage.ask()
    assert isinstance(stage.core.clock, ManualClock)
    numbers = []
    for _ in range(4):
        numbers += [launch.dispatch_no for launch in dry_running.launches(stage.core)]
        stage.core.clock.move(121)
    assert numbers == [1, 2, 3]
    assert dry_running.get(stage.core, asked.id).state is RequestState.FAILED


def test_a_run_that_ended_without_a_word_ends_its_dry_run(stage: Stage) -> None:
    asked = stage.ask()
    (launch,) = dry_running.launches(stage.core)
    now = stage.core.clock.now()
    with stage.core.begin() as tx:
        dry_running.requests.claim(tx, launch.id, now=now, until=now, worker={}, run_id="run-9")
    assert not dry_running.run_ended(stage.core, "another-run")
    assert dry_running.run_ended(stage.core, "run-9", is_cancelled=True)
    assert dry_running.get(stage.core, asked.id).state is RequestState.CANCELLED


def test_pictures_are_deleted_with_the_media_and_the_report_stays(stage: Stage) -> None:
    stage.post()
    report = stage.carried()
    request = dry_running.page(stage.core)[0]
    assert isinstance(stage.core.clock, ManualClock)
    retention.sweep(stage.core)
    assert dry_running.frame(stage.core, request.id, 1, "after").exists()
    stage.core.clock.move(8 * 86_400)
    retention.sweep(stage.core)
    for which in ("after", "../../secret"):
        with pytest.raises(NotFound):
            dry_running.frame(stage.core, request.id, 1, which)
    assert dry_running.get(stage.core, request.id).report == report
