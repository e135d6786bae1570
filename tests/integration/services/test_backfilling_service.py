"""Old posts on request: as many as asked for, each with its own earliest time, and never one twice."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.connectors.base import Page
from forwarder_core.db import requests
from forwarder_core.db.tables import flow
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.requests import Kind, Request, RequestState
from forwarder_core.errors import AuthInvalid, Conflict, Invalid, NetworkFailed
from forwarder_core.services import backfilling, connections
from forwarder_core.services.context import Core
from tests.factories import add_connection, later, rows, seen_post
from tests.integration.services.far_ends import Feed

pytestmark = pytest.mark.slow
DAY = 86_400.0


@pytest.fixture
def connection(core: Core, feed: Feed, clock: ManualClock) -> Connection:
    """Started, its source showing a post for each of the last thirty days; a page holds five."""
    feed.posts = [seen_post(later(core, -DAY * n), caption=f"Day {n} #old", views=n) for n in range(1, 31)]
    feed.page_size = 5
    made = connections.start(core, add_connection(core, status="stopped", started_at=None).id)
    clock.move(60)
    feed.asked.clear()
    return made


def ask(core: Core, connection: Connection, **asked: Any) -> Request:
    return backfilling.ask(core, connection.id, asked, who="admin")


def jobs_of(core: Core) -> list[Any]:
    return rows(core, flow.jobs)


def decisions(core: Core) -> Counter[str]:
    return Counter(row["rule"] for row in rows(core, flow.decisions) if row["verdict"] == "forward")


def test_the_newest_so_many_are_queued_and_pass_new_posts_first(core: Core, feed: Feed, connection: Connection) -> None:
    done = ask(core, connection, newest_n=7)
    assert done.state is RequestState.DONE and done.report["jobs"] == 7
    made = jobs_of(core)
    assert {(job["status"], job["is_old"]) for job in made} == {("queued", True)}
    assert decisions(core) == {"backfill": 7}
    assert len(feed.asked) == 3, "no further than was asked for"


def test_at_most_so_many_a_day_go_from_today_on(core: Core, clock: ManualClock, connection: Connection) -> None:
    done = ask(core, connection, newest_n=6, per_day=2, order="newest_first")
    waits = [job["next_attempt_at"] for job in jobs_of(core)]
    assert [job["wait_reason"] for job in jobs_of(core)][1:] == ["drip"] * 5
    per_day = Counter(((at or clock.now()) - clock.now()).days for at in waits)
    assert per_day == {0: 2, 1: 2, 2: 2}
    assert done.report["last_at"] == max(at for at in waits if at).isoformat()


def test_a_second_one_goes_behind_the_first(core: Core, connection: Connection) -> None:
    ask(core, connection, newest_n=4, per_day=2)
    first_last = max(job["next_attempt_at"] for job in jobs_of(core) if job["next_attempt_at"])
    ask(core, connection, newest_n=8, per_day=2)
    second = sorted(jobs_of(core), key=lambda job: job["id"])[4:]
    assert len(second) == 4 and all(job["next_attempt_at"] >= first_last for job in second)


def test_days_are_both_included_and_the_listing_is_read_no_further(
    core: Core, feed: Feed, clock: ManualClock, connection: Connection
) -> None:
    def day(n: int) -> str:
        return (clock.now() - timedelta(days=n)).date().isoformat()

    done = ask(core, connection, **{"from": day(12), "to": day(10)})
    assert done.report["jobs"] == 3 and len(feed.asked) == 4
    assert ask(core, connection, **{"from": day(12), "to": day(10)}).report["jobs"] == 0, "once is once"


def test_filters_hold_for_old_posts_too_and_our_own_are_never_new(core: Core, clock: ManualClock, feed: Feed) -> None:
    feed.posts = [seen_post(later(core, -DAY * n), caption="#yes" if n % 2 else "#no") for n in range(1, 5)]
    rules = {"mode": "caption_keywords", "caption_keywords": ["yes"]}
    connection = connections.start(core, add_connection(core, status="stopped", started_at=None, filters=rules).id)
    clock.move(60)
    done = ask(core, connection, newest_n=10)
    assert done.report["jobs"] == 2 and done.report["skipped"] == {"caption_keywords": 2}


def test_what_is_no_question_is_refused(core: Core, connection: Connection) -> None:
    for asked in ({}, {"per_day": 3}, {"from": "2026-01-03", "to": "2026-01-01"}):
        with pytest.raises(Invalid):
            backfilling.ask(core, connection.id, asked, who="admin")
    connections.stop(core, connection.id)
    with pytest.raises(Conflict):
        ask(core, connection, newest_n=3)


def test_after_a_death_it_reads_on_from_its_cursor(
    core: Core, feed: Feed, clock: ManualClock, connection: Connection
) -> None:
    listed = feed.list_posts

    def dying(page: str | None = None) -> Page:
        if len(feed.asked) == 3:
            raise SystemExit
        return listed(page)

    feed.list_posts = dying  # type: ignore[method-assign]
    asked = _asked(core, connection, clock.now(), newest_n=30)
    with pytest.raises(SystemExit):
        backfilling.carry(core, asked)
    assert backfilling.get(core, asked).report["cursor"] == "15" and jobs_of(core) == []
    feed.list_posts = listed  # type: ignore[method-assign]
    feed.asked.clear()
    assert backfilling.carry_on(core) == []
    clock.move(91)
    assert backfilling.carry_on(core) == [asked]
    assert feed.asked == ["15", "20", "25"]
    assert backfilling.get(core, asked).report["jobs"] == 30 == len(jobs_of(core))


def test_a_source_in_trouble_is_waited_for_and_one_that_refuses_us_is_not(
    core: Core, feed: Feed, clock: ManualClock, connection: Connection
) -> None:
    asked = _asked(core, connection, clock.now(), newest_n=10)
    feed.error = NetworkFailed("The connection failed.")
    backfilling.carry(core, asked)
    assert backfilling.get(core, asked).state is RequestState.RUNNING
    feed.error = AuthInvalid("The session was ended.")
    clock.move(31)
    assert backfilling.carry_on(core) == [asked]
    ended = backfilling.get(core, asked)
    assert ended.state is RequestState.FAILED and ended.failure and ended.failure.code == "invalid_credentials"
    assert jobs_of(core) == []


def test_a_cancelled_one_makes_no_job(core: Core, feed: Feed, clock: ManualClock, connection: Connection) -> None:
    asked = _asked(core, connection, clock.now(), newest_n=30)
    listed = feed.list_posts

    def cancelled(page: str | None = None) -> Page:
        if len(feed.asked) == 2:
            backfilling.cancel(core, asked, who="admin")
        return listed(page)

    feed.list_posts = cancelled  # type: ignore[method-assign]
    backfilling.carry(core, asked)
    assert backfilling.get(core, asked).state is RequestState.CANCELLED and jobs_of(core) == []
    with pytest.raises(Conflict):
        backfilling.cancel(core, asked, who="admin")


def _asked(core: Core, connection: Connection, now: datetime, **asked: Any) -> int:
    with core.begin() as tx:
        return requests.ask(tx, Kind.BACKFILL, connection.id, asked=asked, who="admin", now=now)[0].id
