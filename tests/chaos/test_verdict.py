"""The checker of the drills: what counts as lost, duplicated, stuck; a checker that sees nothing proves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db import posts
from forwarder_core.db.verdicts import PostStory
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.domain.posts import Decision, Verdict
from forwarder_core.services.context import Core
from forwarder_core.simulator.client import ControlClient
from forwarder_core.simulator.drill import Lane, Place
from forwarder_core.simulator.verdict import End, end_of, judge
from tests.factories import add_connection, add_job, add_post, make_core


def story(verdict: Verdict | None = Verdict.FORWARD, status: JobStatus | None = None, **more: Any) -> PostStory:
    known = {"rule": "matches", "wait_reason": None, "error_code": None, "attempts": 1, "rescues": 0, "remote_id": None}
    job = {"job_id": 5 if status else None}
    ids = {"connection_id": 1, "platform_post_id": "9"}
    return PostStory(verdict=verdict, status=status, **(ids | job | known | more))


@pytest.mark.parametrize(
    ("told", "found", "end"),
    [
        (None, 0, End.LOST),
        (None, 1, End.LOST),
        (story(None), 0, End.LOST),
        (story(Verdict.BEFORE_START), 0, End.LOST),
        (story(Verdict.FORWARD), 0, End.LOST),
        (story(Verdict.HELD), 0, End.STUCK),
        (story(Verdict.FILTERED), 0, End.FILTERED),
        (story(status=JobStatus.SUCCESS), 1, End.PUBLISHED),
        (story(status=JobStatus.SUCCESS), 0, End.LOST),
        (story(status=JobStatus.QUEUED), 0, End.STUCK),
        (story(status=JobStatus.RUNNING), 1, End.STUCK),
        (story(status=JobStatus.RETRY_WAIT), 0, End.STUCK),
        (story(status=JobStatus.CAPTCHA), 0, End.STUCK),
        (story(status=JobStatus.PAUSED), 0, End.STUCK),
        (story(status=JobStatus.UNCONFIRMED), 1, End.UNCONFIRMED),
        (story(status=JobStatus.DEAD, error_code="bug"), 0, End.DEAD),
        (story(status=JobStatus.CANCELLED, error_code="terminated"), 0, End.DEAD),
        (story(status=JobStatus.CANCELLED, error_code="duplicate"), 0, End.FILTERED),
    ],
)
def test_every_story_has_one_end(told: PostStory | None, found: int, end: End) -> None:
    assert end_of(told, found)[0] is end


def test_what_the_rows_do_not_know_is_told() -> None:
    assert "2 publications" in end_of(story(status=JobStatus.SUCCESS), 2)[1]
    assert "has it, but" in end_of(story(status=JobStatus.DEAD), 1)[1]
    assert end_of(story(status=JobStatus.SUCCESS), 1)[1] == ""


@dataclass(frozen=True, slots=True)
class ToldWorld(ControlClient):
    """A world that is what the test says."""

    posted: list[dict[str, Any]] = field(default_factory=list)
    published: list[dict[str, Any]] = field(default_factory=list)

    def call(self, method: str, path: str, **options: Any) -> Any:
        is_source = options["params"]["account"] == "from"
        if path == "/posts":
            return self.posted if is_source else self.published
        return [] if is_source else self.published


@pytest.fixture
def core(database_url: str, clock: ManualClock, tmp_path: Path) -> Iterator[Core]:
    with make_core(database_url, clock, tmp_path) as core:
        yield core


def post(id_: str, token: str) -> dict[str, Any]:
    return {"id": id_, "caption": f"Sunset {token} #slow", "title": ""}


@pytest.mark.slow
def test_both_truths_are_held_against_each_other(core: Core) -> None:
    connection = add_connection(core)
    ends = {"source": ("instagram", "from"), "destination": ("youtube", "to")}
    places = {name: Place(platform=p, id=i, username=i, account_id=1) for name, (p, i) in ends.items()}
    lane = Lane(name="lane", connection_id=connection.id, **places)
    for id_, status in (("1", "success"), ("2", "success"), ("3", "running")):
        post_id = add_post(core, connection.source_account_id, id_)
        with core.begin() as tx:
            posts.decide(tx, connection.id, {post_id: Decision(Verdict.FORWARD, "matches")}, core.clock.now())
        add_job(core, connection, post_id, status=status)
    posted = [post(id_, f"drill7n0000{id_}") for id_ in "1234"]
    published = [
        post("a", "drill7n00001"),
        post("b", "drill7n00002"),
        post("c", "drill7n00002"),
        {"id": "d", "caption": "", "title": ""},
    ]
    found = judge(core, ToldWorld("http://nowhere", posted, published), [lane])
    assert (found.posts, found.duplicated) == (4, 2)
    assert found.ends == {End.PUBLISHED: 2, End.STUCK: 1, End.LOST: 1}
    assert not found.is_clean and len(found.problems) == 4
