"""Posts an account has already, stored in an archive on request: as jobs, each once, and nothing else by itself."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db import overviews, requests
from forwarder_core.db.tables import flow
from forwarder_core.domain.accounts import Account, Rights
from forwarder_core.domain.connections import ConnectionStatus
from forwarder_core.domain.requests import Kind, Request, RequestState
from forwarder_core.errors import Invalid
from forwarder_core.services import accounts, connections, detection, downloading, overview
from forwarder_core.services.accounts import NewAccount
from forwarder_core.services.context import Core
from forwarder_core.services.rehearsing import NotReady
from tests.factories import add_account, add_connection, later, rows, seen_post
from tests.integration.services.far_ends import Feed

pytestmark = pytest.mark.slow
DAY = 86_400.0


@pytest.fixture
def source(core: Core, feed: Feed) -> Account:
    """Shows a post for each of the last twenty days; a page holds five."""
    feed.posts = [seen_post(later(core, -DAY * n), caption=f"Day {n}") for n in range(1, 21)]
    feed.page_size = 5
    return add_account(core, rights=Rights.OWN)


@pytest.fixture
def archive(core: Core) -> Account:
    return accounts.create(core, NewAccount(platform="archive", alias="Films", handle="films", auth_method="folder"))


def ask(core: Core, source: Account, archive: Account, **asked: Any) -> Request:
    return downloading.ask(core, source.id, archive.id, asked, who="admin")


def test_the_newest_so_many_become_jobs_and_new_posts_none(
    core: Core, feed: Feed, source: Account, archive: Account, clock: ManualClock
) -> None:
    done = ask(core, source, archive, newest_n=7)
    assert done.state is RequestState.DONE and done.report["jobs"] == 7
    (made,) = connections.page(core)
    assert (made.type, made.status) == ("instagram_to_archive", ConnectionStatus.ACTIVE)
    clock.move(60)
    feed.posts.append(seen_post(clock.now(), caption="Of today"))
    clock.move(600)
    assert not detection.poll_now(core, source.id).jobs
    decided = Counter(row["rule"] for row in rows(core, flow.decisions))
    assert decided["not_asked_for"] == 1 and decided["backfill"] == 7


def test_a_later_one_finds_what_came_since_and_stores_nothing_again(
    core: Core, feed: Feed, source: Account, archive: Account, clock: ManualClock
) -> None:
    ask(core, source, archive, newest_n=7)
    clock.move(DAY)
    feed.posts.append(seen_post(clock.now(), caption="Of today"))
    clock.move(600)
    detection.poll_now(core, source.id)
    assert ask(core, source, archive, newest_n=9).report["jobs"] == 2, "the new one, and one further back"
    assert len(connections.page(core)) == 1 and len(rows(core, flow.jobs)) == 9
    (shown,) = downloading.latest(core, source.id)
    assert shown.jobs == {"queued": 9} and shown.request.report["jobs"] == 2


def test_its_source_is_left_in_peace_until_somebody_asks(
    core: Core, feed: Feed, source: Account, archive: Account, clock: ManualClock
) -> None:
    ask(core, source, archive, newest_n=7)
    (known,) = connections.page(core)
    (shown,) = overview.connection_views(core, [known])
    assert not known.looks_by_itself and shown.next_look_at is None
    feed.asked.clear()
    clock.move(DAY)
    assert detection.poll_due(core, shard=0, shards=1, budget_s=20) == [] and feed.asked == []
    decided, read = (len(rows(core, table)) for table in (flow.decisions, flow.source_posts))
    assert decided == read > 7, "what was read and not asked for is decided about too"
    with core.begin() as tx:
        assert overviews.oldest_due_watch(tx) is None
        requests.ask(tx, Kind.POLL, known.id, asked={}, who="admin", now=clock.now())  # and the asker died
    assert len(detection.poll_due(core, shard=0, shards=1, budget_s=20)) == 1

    add_connection(core, source=source, schedule={"check_interval_minutes": 2})
    clock.move(600)
    detection.poll_due(core, shard=0, shards=1, budget_s=20)
    with core.begin() as tx:
        assert overviews.oldest_due_watch(tx) == later(core, 120), "as often as the other connection wants"


def test_cancelling_gives_up_what_waits(core: Core, source: Account, archive: Account) -> None:
    ask(core, source, archive, newest_n=5)
    downloading.cancel(core, downloading.latest(core, source.id)[0], who="admin")
    assert {row["status"] for row in rows(core, flow.jobs)} == {"cancelled"}
    assert connections.page(core)[0].status is ConnectionStatus.STOPPED


def test_what_cannot_be_is_refused_and_leaves_no_connection(core: Core, source: Account, archive: Account) -> None:
    with pytest.raises(Invalid):
        ask(core, source, add_account(core, "youtube", auth_method="oauth"), newest_n=5)
    with pytest.raises(Invalid):
        ask(core, source, archive, order="oldest_first")
    assert connections.page(core) == [] and downloading.stores(core) == [archive]
    with pytest.raises(NotReady):
        ask(core, add_account(core, rights=Rights.UNDECLARED), archive, newest_n=5)
