"""Detection: every post is seen once and decided once, however it turns up; trouble is never “nothing new”."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from forwarder_core.clock import ManualClock
from forwarder_core.connectors import registry
from forwarder_core.connectors.base import CredentialBox, Page, Secrets
from forwarder_core.db import accounts, posts
from forwarder_core.db.engine import connect
from forwarder_core.db.tables import accounts as account_tables
from forwarder_core.db.tables import flow, system
from forwarder_core.domain.accounts import AccountStatus
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.posts import Verdict
from forwarder_core.errors import ChallengeRequired, Conflict, NetworkFailed, RateLimited, StepFailed
from forwarder_core.services import detection, forwarding, heartbeats, tunables
from forwarder_core.services.context import Core
from forwarder_core.simulator.testing import eventually
from tests.factories import (
    add_account,
    add_connection,
    add_job,
    add_publication,
    change_row,
    core_on,
    emptied,
    later,
    rows,
    seen_post,
)
from tests.integration.services.far_ends import Feed

pytestmark = pytest.mark.slow
DAY_S = 86_400.0
POLL_LEASE_S = 90.0
SHARDS = 2  # sensors of one process


def watched(core: Core, **values: Any) -> Connection:
    """An active connection whose source is due now."""
    connection = add_connection(core, **values)
    with core.begin() as tx:
        accounts.watch(tx, connection.source_account_id, core.clock.now())
    return connection


def poll(core: Core) -> list[detection.Polled]:
    return detection.poll_due(core, shard=0, shards=1, budget_s=20)


def watch_of(core: Core, connection: Connection) -> dict[str, Any]:
    (row,) = rows(core, account_tables.watches, account_id=connection.source_account_id)
    return dict(row)


def verdicts(core: Core, connection: Connection) -> Counter[str]:
    return Counter(row["verdict"] for row in rows(core, flow.decisions, connection_id=connection.id))


def test_a_source_that_takes_long_holds_up_no_post_of_anothers(
    core: Core, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, quick = watched(core), watched(core)
    may_answer = threading.Event()

    class Slow(Feed):
        def list_posts(self, page: str | None = None) -> Page:
            assert may_answer.wait(30)
            return super().list_posts(page)

    found = [seen_post(clock.now())]
    feeds = {slow.source_account_id: Slow(found), quick.source_account_id: Feed(found)}
    monkeypatch.setattr(registry, "source", lambda account, box, exit_: feeds[account.id])
    looked = detection.poll_due(core, shard=0, shards=1, budget_s=600, moment_s=0.0)
    assert [(one.account_id, len(one.jobs)) for one in looked] == [(quick.source_account_id, 1)]
    may_answer.set()
    eventually(lambda: rows(core, flow.jobs, connection_id=slow.id))


def test_a_post_seen_twice_makes_one_job(core: Core, clock: ManualClock, feed: Feed) -> None:
    connection = watched(core)
    feed.posts.append(seen_post(clock.now()))
    assert [(p.new_posts, len(p.jobs)) for p in poll(core)] == [(1, 1)]
    clock.move(400)
    assert [(p.new_posts, len(p.jobs)) for p in poll(core)] == [(0, 0)]
    assert len(rows(core, flow.jobs)) == 1 and verdicts(core, connection) == {"forward": 1}


def test_a_source_is_asked_when_it_is_due_and_not_before(core: Core, clock: ManualClock, feed: Feed) -> None:
    connection = watched(core, schedule={"check_interval_minutes": 2})
    poll(core)
    assert watch_of(core, connection)["next_poll_at"] == later(core, 120)
    clock.move(119)
    assert poll(core) == []
    clock.move(1)
    assert len(poll(core)) == 1 and len(feed.asked) == 2


def test_two_connections_of_one_source_share_one_look_and_each_decides(
    core: Core, clock: ManualClock, feed: Feed
) -> None:
    source = add_account(core)
    everything = watched(core, source=source)
    words = {"mode": "caption_keywords", "caption_keywords": ["snow"]}
    picky = watched(core, source=source, filters=words, schedule={"check_interval_minutes": 60})
    feed.posts.append(seen_post(clock.now()))
    (polled,) = poll(core)
    assert (len(feed.asked), polled.new_posts, len(polled.jobs)) == (1, 1, 1)
    assert (verdicts(core, everything), verdicts(core, picky)) == ({"forward": 1}, {"filtered": 1})


def test_what_a_tick_and_a_look_ask_of_the_database_is_counted(core: Core, feed: Feed) -> None:
    """They are what the stack does at rest; a page that is known already is not written again."""
    watched(core)
    feed.posts.append(seen_post(core.clock.now()))
    (polled,) = poll(core)
    with core.begin() as tx:
        change_row(tx, flow.jobs, polled.jobs[0], status="success")
    asked: list[str] = []
    event.listen(core.engine, "before_cursor_execute", lambda *given: asked.append(given[2].split()[0]))
    for _ in range(2):
        heartbeats.beat(core, "watch_0_sensor", kind=heartbeats.SENSOR)
        assert poll(core) == [] and forwarding.dispatchable(core) == []
    assert asked == ["INSERT", *["SELECT"] * 4]
    with core.begin() as tx:
        accounts.ask_at_once(tx, polled.account_id, core.clock.now())
    asked.clear()
    assert [polled.new_posts for polled in poll(core)] == [0]
    assert [word for word in asked if word != "SELECT"] == ["UPDATE"] * 2 and len(asked) <= 13


def test_a_shard_polls_its_own_sources_and_all_shards_poll_all(core: Core, feed: Feed) -> None:
    made = {watched(core).source_account_id for _ in range(4)}
    by_shard = [{p.account_id for p in detection.poll_due(core, shard=n, shards=2, budget_s=20)} for n in range(2)]
    assert by_shard[0] | by_shard[1] == made
    assert all(account % 2 == n for n in range(2) for account in by_shard[n])


def test_a_stopped_connection_or_an_account_that_needs_a_person_is_not_polled(core: Core, feed: Feed) -> None:
    watched(core, status="stopped")
    ill = watched(core)
    with core.begin() as tx:
        change_row(tx, account_tables.accounts, ill.source_account_id, status=AccountStatus.CAPTCHA_DETECTED)
    assert poll(core) == [] and feed.asked == []


def test_a_failed_look_moves_nothing_is_counted_and_comes_back_later_each_time(
    core: Core, clock: ManualClock, feed: Feed
) -> None:
    connection = watched(core)
    poll(core)
    good = watch_of(core, connection)["succeeded_at"]
    feed.posts.append(seen_post(clock.now()))
    feed.error = NetworkFailed("The connection failed.")
    waits = []
    for failures in (1, 2, 3):
        clock.move(4_000)
        assert [p.error for p in poll(core)] == ["network_error"]
        row = watch_of(core, connection)
        waits.append((row["next_poll_at"] - clock.now()).total_seconds())
        assert (row["failures"], row["last_error_code"], row["succeeded_at"]) == (failures, "network_error", good)
    assert waits == [600, 1_200, 2_400]
    assert rows(core, flow.source_posts) == []
    feed.error = None
    clock.move(4_000)
    assert [p.new_posts for p in poll(core)] == [1]
    assert watch_of(core, connection)["failures"] == 0 and watch_of(core, connection)["last_error"] is None


def test_a_platform_that_names_a_wait_is_left_in_peace_for_that_long(
    core: Core, clock: ManualClock, feed: Feed
) -> None:
    connection = watched(core)
    feed.error = RateLimited("Slow down.", retry_after_s=5_000)
    poll(core)
    assert watch_of(core, connection)["next_poll_at"] >= later(core, 5_000)


def test_a_challenge_met_while_looking_holds_the_account_and_its_connections(core: Core, feed: Feed) -> None:
    connection = watched(core)
    feed.error = ChallengeRequired("Instagram wants a person.")
    poll(core)
    (account,) = rows(core, account_tables.accounts, id=connection.source_account_id)
    assert account["status"] == AccountStatus.CAPTCHA_DETECTED
    assert rows(core, flow.connections, id=connection.id)[0]["status"] == "paused"


def test_one_source_in_trouble_spoils_no_others_look(
    core: Core, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = watched(core), watched(core)
    feeds = {
        good.source_account_id: Feed([seen_post(clock.now())]),
        bad.source_account_id: Feed(error=StepFailed("It failed.")),
    }
    monkeypatch.setattr("forwarder_core.connectors.registry.source", lambda account, box, exit_: feeds[account.id])
    polled = {p.account_id: p for p in poll(core)}
    assert polled[good.source_account_id].new_posts == 1
    assert polled[bad.source_account_id].error == "step_failed"


def test_a_post_that_turns_up_late_is_still_found(core: Core, clock: ManualClock, feed: Feed) -> None:
    feed.page_size = 3
    connection = watched(core)
    feed.posts = [seen_post(later(core, n)) for n in range(1, 13)]
    clock.move(60)
    poll(core)
    feed.posts.append(seen_post(later(core, -30)))  # in the middle: older than half of the known ones
    clock.move(400)
    assert [p.new_posts for p in poll(core)] == [1]
    assert verdicts(core, connection) == {"forward": 13}


def test_posts_pinned_to_the_top_do_not_hide_the_new_ones_below(core: Core, clock: ManualClock, feed: Feed) -> None:
    connection = watched(core)
    feed.posts, feed.page_size = [seen_post(later(core, -DAY_S * n)) for n in range(30, 60)], 12
    pinned = feed.posts[20:23]
    poll(core)
    clock.move(400)
    feed.posts.append(seen_post(clock.now()))
    pages = feed.list_posts

    def pinned_first(page: str | None = None) -> Any:
        shown = pages(page)
        return shown if page else type(shown)((*pinned, *shown.posts), shown.next)

    feed.list_posts = pinned_first  # type: ignore[method-assign]
    assert [p.new_posts for p in poll(core)] == [1]
    assert verdicts(core, connection) == {"before_start": 24, "forward": 1}


def test_a_listing_is_read_past_the_overlap_but_not_to_its_end(core: Core, clock: ManualClock, feed: Feed) -> None:
    watched(core)
    feed.posts, feed.page_size = [seen_post(later(core, -DAY_S * n)) for n in range(100)], 5
    poll(core)
    clock.move(400)
    feed.asked.clear()
    poll(core)
    assert len(feed.asked) == 2, "two pages at least, and past 48 hours"


def test_a_listing_longer_than_may_be_read_is_said_and_not_passed_over(
    core: Core, clock: ManualClock, feed: Feed
) -> None:
    tunables.change(core, {"detection.max_pages": 2})
    watched(core)
    feed.posts, feed.page_size = [seen_post(later(core, -n)) for n in range(50)], 10
    assert [p.new_posts for p in poll(core)] == [20]
    assert [a["payload"]["code"] for a in rows(core, system.outbox)] == ["gap"]


def test_a_post_we_published_ourselves_is_never_forwarded(core: Core, clock: ManualClock, feed: Feed) -> None:
    both_ends = add_account(core)
    first = add_job(core, add_connection(core, destination=both_ends))
    publication = add_publication(core, first, state="published")
    echo = seen_post(later(core, 1))
    with core.begin() as tx:
        root = rows(core, flow.jobs, id=first)[0]["root_post_id"]
        said = {"root_post_id": root, "publication_id": publication, "now": clock.now()}
        posts.add_origin(tx, platform="instagram", remote_id=echo.platform_post_id, **said)
    onward = watched(core, source=both_ends)
    feed.posts = [echo, seen_post(later(core, 2))]
    poll(core)
    assert verdicts(core, onward) == {"duplicate": 1, "forward": 1}


def test_while_something_of_ours_is_on_its_way_to_the_account_its_new_posts_are_held(
    core: Core, clock: ManualClock, feed: Feed
) -> None:
    both_ends = add_account(core)
    publication = add_publication(core, add_job(core, add_connection(core, destination=both_ends)), state="committing")
    onward = watched(core, source=both_ends)
    feed.posts = [seen_post(clock.now())]
    poll(core)
    assert verdicts(core, onward) == {Verdict.HELD: 1} and len(rows(core, flow.jobs)) == 1
    with core.begin() as tx:
        change_row(tx, flow.publications, publication, state="abandoned")
    clock.move(400)
    poll(core)
    assert verdicts(core, onward) == {"forward": 1} and len(rows(core, flow.jobs)) == 2


def test_two_looks_at_one_source_at_once_are_one_too_many(core: Core, clock: ManualClock, feed: Feed) -> None:
    connection = watched(core)
    with core.begin() as tx:
        assert accounts.take(tx, connection.source_account_id, clock.now(), later(core, POLL_LEASE_S))
    with pytest.raises(Conflict):
        detection.poll_now(core, connection.source_account_id)
    assert poll(core) == []
    clock.move(POLL_LEASE_S + 1)
    assert len(poll(core)) == 1, "a look that died is made again"


def test_every_thread_of_both_shards_signs_in_at_once_and_none_waits_for_a_session(
    clock: ManualClock, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sign-in holds the account's row while the platform answers, and asks the database meanwhile."""
    engine = connect(url)
    core = core_on(emptied(engine), clock, tmp_path)
    count = SHARDS * detection.THREADS
    destination = add_account(core, "youtube", auth_method="oauth")
    for _ in range(count):
        watched(core, destination=destination)
    all_hold_two = threading.Barrier(count)

    class SignsIn(Feed):
        def __init__(self, box: CredentialBox) -> None:
            super().__init__()
            self.box = box

        def list_posts(self, page: str | None = None) -> Page:
            self.box.change(self._renew)
            return super().list_posts(page)

        def _renew(self, secrets: Secrets) -> Secrets:
            with core.begin():
                all_hold_two.wait(20)
            return secrets

    monkeypatch.setattr(registry, "source", lambda account, box, exit_: SignsIn(box))
    with ThreadPoolExecutor(SHARDS) as pool:
        ticks = [
            pool.submit(detection.poll_due, core, shard=shard, shards=SHARDS, budget_s=25) for shard in range(SHARDS)
        ]
        polled = [one for tick in ticks for one in tick.result()]
    assert [one.error for one in polled] == [None] * count
    engine.dispose()
