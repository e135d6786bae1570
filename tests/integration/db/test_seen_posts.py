"""Seen posts and decisions: kept once, decided once per connection, and what we made ourselves is known by its id."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, insert

from forwarder_core.clock import ManualClock
from forwarder_core.db import posts
from forwarder_core.db.tables import flow
from forwarder_core.domain.posts import Decision, Verdict
from forwarder_core.services.context import Core
from tests.factories import (
    add_account,
    add_connection,
    add_job,
    add_post,
    add_publication,
    later,
    rows,
    seen_post,
)

pytestmark = pytest.mark.slow


def test_a_post_seen_twice_is_kept_once_as_it_was_seen_first(core: Core, clock: ManualClock) -> None:
    account = add_account(core)
    post = seen_post(clock.now(), "1", caption="First words")
    with core.begin() as tx:
        assert posts.record(tx, account.id, [post], clock.now()) == 1
        first_seen = clock.now()
        clock.move(60)
        edited = seen_post(clock.now(), "1", caption="Edited words")
        assert posts.record(tx, account.id, [edited, seen_post(clock.now(), "2")], clock.now()) == 1
        found = posts.find(tx, account.id, "1")
    assert found is not None and (found.post, found.seen_at) == (post, first_seen)


def test_nothing_seen_is_nothing_kept(core: Core) -> None:
    with core.begin() as tx:
        assert posts.record(tx, add_account(core).id, [], core.clock.now()) == 0
        assert posts.roots_of(tx, "youtube", []) == {}


def test_what_a_platform_said_of_a_post_comes_back_as_it_was_said(core: Core) -> None:
    account = add_account(core)
    full = seen_post(core.clock.now(), "1", views=0, likes=7, comments=None, has_audio=False, has_licensed_music=True)
    with core.begin() as tx:
        posts.record(tx, account.id, [full, seen_post(core.clock.now(), "2", is_video=False)], core.clock.now())
        first, second = (posts.find(tx, account.id, id_) for id_ in ("1", "2"))
    assert first is not None and first.post == full
    assert second is not None and not second.post.is_video


def test_a_caption_no_database_takes_is_kept_without_what_it_does_not_take(core: Core) -> None:
    account = add_account(core)
    add_post(core, account.id, "1", caption="Sun\x00set \ud83d over the bay 🌅")
    (kept,) = rows(core, flow.source_posts)
    assert kept["caption"].startswith("Sunset ") and kept["caption"].endswith(" over the bay 🌅")


def test_two_accounts_may_show_the_same_id(core: Core) -> None:
    first, second = add_account(core), add_account(core, "youtube")
    assert add_post(core, first.id, "1") != add_post(core, second.id, "1")
    with core.begin() as tx:
        assert posts.known_among(tx, first.id, ["1", "2"]) == {"1"}


def test_undecided_posts_are_those_of_the_source_this_connection_said_nothing_about_oldest_first(core: Core) -> None:
    source = add_account(core)
    connection, other = add_connection(core, source), add_connection(core, source)
    with core.begin() as tx:
        listed = [seen_post(later(core, -n), str(n)) for n in range(3)]
        posts.record(tx, source.id, listed, core.clock.now())
        open_ = posts.undecided(tx, connection.id, source.id)
        assert [p.post.platform_post_id for p in open_] == ["2", "1", "0"]
        posts.decide(tx, connection.id, {open_[0].id: Decision(Verdict.FORWARD, "matches")}, core.clock.now())
        assert [p.post.platform_post_id for p in posts.undecided(tx, connection.id, source.id)] == ["1", "0"]
        assert len(posts.undecided(tx, other.id, source.id)) == 3


def test_the_first_decision_stays(core: Core) -> None:
    connection = add_connection(core)
    post = add_post(core, connection.source_account_id)
    first = Decision(Verdict.FILTERED, "caption_keywords", "sunset")
    with core.begin() as tx:
        posts.decide(tx, connection.id, {post: first}, core.clock.now())
        posts.decide(tx, connection.id, {post: Decision(Verdict.FORWARD, "matches")}, core.clock.now())
        posts.decide(tx, connection.id, {}, core.clock.now())
        assert posts.decision_of(tx, connection.id, post) == first
        assert [d for _, d in posts.with_decisions(tx, connection.id, before=10**9, limit=9)] == [first]
    assert len(rows(core, flow.decisions)) == 1


def test_a_post_that_is_held_stays_open_until_it_is_decided(core: Core) -> None:
    connection = add_connection(core)
    post = add_post(core, connection.source_account_id)
    held = Decision(Verdict.HELD, "unconfirmed_publication", until=later(core, 60))
    with core.begin() as tx:
        posts.decide(tx, connection.id, {post: held}, core.clock.now())
        assert [p.id for p in posts.undecided(tx, connection.id, connection.source_account_id)] == [post]
        posts.decide(tx, connection.id, {post: Decision(Verdict.FORWARD, "matches")}, core.clock.now())
        posts.decide(tx, connection.id, {post: Decision(Verdict.DUPLICATE, "echo")}, core.clock.now())
        decided = posts.decision_of(tx, connection.id, post)
    assert decided == Decision(Verdict.FORWARD, "matches")


def test_what_lies_before_the_mark_is_not_asked_about_again_but_for_what_is_held(
    core: Core, clock: ManualClock
) -> None:
    connection = add_connection(core)
    source = connection.source_account_id
    held, decided = add_post(core, source), add_post(core, source)
    clock.move(3600)
    fresh = add_post(core, source)
    forward = Decision(Verdict.FORWARD, "matches")
    with core.begin() as tx:
        posts.decide(tx, connection.id, {held: Decision(Verdict.HELD, "echo_guard"), decided: forward}, clock.now())
        posts.set_mark(tx, connection.id, source, clock.now())
        assert {p.id for p in posts.undecided(tx, connection.id, source)} == {held, fresh}
        posts.decide(tx, connection.id, {held: forward, fresh: forward}, clock.now())
        assert not posts.undecided(tx, connection.id, source)
    assert [row["post_id"] for row in rows(core, flow.decision_marks)] == [decided]


def test_a_post_that_comes_late_out_of_another_transaction_is_not_behind_the_mark(
    core: Core, clock: ManualClock
) -> None:
    connection = add_connection(core)
    source = connection.source_account_id
    forward = Decision(Verdict.FORWARD, "matches")
    with core.engine.connect() as slow, core.begin() as tx:
        posts.record(slow, source, [seen_post(clock.now(), "slow")], clock.now())  # a lower id, not yet to be seen
        posts.record(tx, source, [seen_post(clock.now(), "quick")], clock.now())
        (quick,) = posts.undecided(tx, connection.id, source)
        posts.decide(tx, connection.id, {quick.id: forward}, clock.now())
        posts.set_mark(tx, connection.id, source, clock.now() - timedelta(hours=1))
        slow.commit()
        assert [p.post.platform_post_id for p in posts.undecided(tx, connection.id, source)] == ["slow"]


def test_a_mark_goes_only_forward_and_each_connection_has_its_own(core: Core, clock: ManualClock) -> None:
    source = add_account(core)
    connection, other = add_connection(core, source), add_connection(core, source)
    first, second = add_post(core, source.id), add_post(core, source.id)
    clock.move(1)
    with core.begin() as tx:
        for connection_id, settled in ((connection.id, 0), (connection.id, 0), (connection.id, 3600)):
            posts.set_mark(tx, connection_id, source.id, clock.now() - timedelta(seconds=settled))
        assert [p.id for p in posts.undecided(tx, other.id, source.id)] == [first, second]
    assert [(row["connection_id"], row["post_id"]) for row in rows(core, flow.decision_marks)] == [
        (connection.id, second)
    ]


def test_the_census_counts_what_active_connections_have_not_decided(core: Core) -> None:
    source = add_account(core)
    connection = add_connection(core, source)
    add_connection(core, source, status="stopped")
    first, _ = add_post(core, source.id), add_post(core, source.id)
    add_post(core, add_account(core).id)
    with core.begin() as tx:
        assert posts.count_undecided(tx) == 2
        posts.decide(tx, connection.id, {first: Decision(Verdict.FORWARD, "matches")}, core.clock.now())
        assert posts.count_undecided(tx) == 1


def test_a_census_that_is_not_whole_begins_well_before_the_mark(core: Core) -> None:
    source = add_account(core)
    connection = add_connection(core, source)
    with core.begin() as tx:
        assert posts.count_undecided(tx, is_whole=False) == 0
    post = add_post(core, source.id)
    for mark, found in ((None, 1), (post + 9_999, 1), (post + 10_000, 0)):
        with core.begin() as tx:
            if mark is not None:
                tx.execute(delete(flow.decision_marks))
                tx.execute(insert(flow.decision_marks).values(connection_id=connection.id, post_id=mark))
            assert posts.count_undecided(tx, is_whole=False) == found
            assert posts.count_undecided(tx) == 1


def test_what_we_made_is_known_on_its_platform_and_leads_back_to_its_root(core: Core) -> None:
    job = add_job(core, add_connection(core))
    publication = add_publication(core, job)
    (row,) = rows(core, flow.publications)
    made = {"remote_id": "v1", "root_post_id": row["root_post_id"], "publication_id": publication}
    with core.begin() as tx:
        posts.add_origin(tx, platform="youtube", now=core.clock.now(), **made)
        assert posts.roots_of(tx, "youtube", ["v0", "v1"]) == {"v1": row["root_post_id"]}
        assert posts.roots_of(tx, "instagram", ["v1"]) == {}
    with core.begin() as tx:  # said twice it is known once
        posts.add_origin(tx, platform="youtube", now=core.clock.now(), **made)
    assert [row["remote_id"] for row in rows(core, flow.origins)] == ["v1"]
