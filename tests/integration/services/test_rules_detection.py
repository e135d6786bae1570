"""The rules of a connection at work: what waits for its likes, the drip of old posts, one post dropped for ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db import accounts, posts
from forwarder_core.db.tables import flow
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.jobs import JobStatus, WaitReason
from forwarder_core.errors import Conflict, Invalid, NotFound
from forwarder_core.services import connections, detection, dropping, editing, forwarding
from forwarder_core.services.connections import NewConnection
from forwarder_core.services.context import Core
from tests.factories import add_account, add_connection, change_row, errand_of, job_of, rows, seen_post
from tests.integration.services.far_ends import Feed

pytestmark = pytest.mark.slow


def watched(core: Core, **values: Any) -> Connection:
    connection = add_connection(core, **values)
    with core.begin() as tx:
        accounts.watch(tx, connection.source_account_id, core.clock.now())
    return connection


def poll(core: Core) -> None:
    detection.poll_due(core, shard=0, shards=1, budget_s=20)


def decision(core: Core, connection: Connection, platform_post_id: str) -> tuple[str, str, str]:
    with core.begin() as tx:
        post = posts.find(tx, connection.source_account_id, platform_post_id)
        assert post is not None
        found = posts.decision_of(tx, connection.id, post.id)
    assert found is not None
    return found.verdict.value, found.rule, found.value


def test_a_post_waits_for_its_views_and_is_decided_by_what_the_source_says_then(
    core: Core, clock: ManualClock, feed: Feed
) -> None:
    connection = watched(core, filters={"popularity": {"after_h": 24, "min_views": 1_000}})
    feed.posts += [seen_post(clock.now(), "liked", views=3), seen_post(clock.now(), "ignored", views=5)]
    poll(core)
    assert decision(core, connection, "liked")[:2] == ("held", "popularity")
    clock.move(12 * 3_600)
    feed.posts[:] = [replace(post, views=2_000 if post.platform_post_id == "liked" else 7) for post in feed.posts]
    poll(core)
    assert decision(core, connection, "liked")[0] == "held", "popular early is not decided early"
    clock.move(12 * 3_600)
    poll(core)
    assert decision(core, connection, "liked") == ("forward", "matches", "")
    assert decision(core, connection, "ignored") == ("filtered", "min_views", "7, wanted 1000 after 24 h")
    assert len(rows(core, flow.jobs)) == 1


def test_a_look_reaches_back_to_a_post_whose_decision_is_due(core: Core, clock: ManualClock, feed: Feed) -> None:
    """Five days later the post is far behind the overlap of two days, on the third page."""
    connection = watched(core, filters={"popularity": {"after_h": 120, "min_likes": 10}})
    feed.page_size = 10
    feed.posts.append(seen_post(clock.now(), "late", likes=1))
    poll(core)
    clock.move(119 * 3_600)
    feed.posts += [seen_post(clock.now() - timedelta(minutes=n)) for n in range(25)]
    poll(core)
    clock.move(3_600)
    feed.posts[0] = replace(feed.posts[0], likes=50)
    poll(core)
    assert decision(core, connection, "late")[0] == "forward"


def test_what_the_source_does_not_tell_is_never_taken_for_good(core: Core, clock: ManualClock, feed: Feed) -> None:
    connection = watched(core, filters={"popularity": {"after_h": 1, "min_views": 10}, "duration": {"max_s": 60}})
    feed.posts += [seen_post(clock.now(), "mute", views=None), seen_post(clock.now(), "long", duration_s=None)]
    poll(core)
    assert decision(core, connection, "long") == ("filtered", "duration", "the source does not say")
    clock.move(3_601)
    poll(core)
    assert decision(core, connection, "mute")[1:] == ("min_views", "the source does not say, wanted 10 after 1 h")


def test_old_posts_flow_so_many_a_day_and_new_ones_pass_them(core: Core, clock: ManualClock, feed: Feed) -> None:
    filters = {"include_old_posts": True, "old_posts": {"per_day": 2, "order": "newest_first"}}
    connection = watched(core, filters=filters)
    feed.posts += [seen_post(clock.now() - timedelta(days=n), f"old-{n}") for n in range(1, 5)]
    poll(core)
    made = rows(core, flow.jobs, connection_id=connection.id)
    assert [row["is_old"] for row in made] == [True] * 4
    times = [row["next_attempt_at"] for row in made]
    assert times[0] is None and [at - clock.now() for at in times[1:]] == [timedelta(hours=h) for h in (12, 24, 36)]
    assert {row["wait_reason"] for row in made[1:]} == {WaitReason.DRIP}
    feed.posts.append(seen_post(clock.now(), "new"))
    clock.move(400)
    poll(core)
    (new,) = rows(core, flow.jobs, is_old=False)
    assert [d.job_id for d in forwarding.dispatchable(core)] == [new["id"]]
    waiting = dropping.next_posts(core, connection.id)
    assert [post.source_post_id for post in waiting][-3:] == ["old-2", "old-3", "old-4"]


def test_only_the_newest_old_posts_come_and_the_others_say_why(core: Core, clock: ManualClock, feed: Feed) -> None:
    filters = {"include_old_posts": True, "old_posts": {"newest_n": 2}, "max_age_h": 1}
    connection = watched(core, filters=filters)
    feed.posts += [seen_post(clock.now() - timedelta(days=n), f"old-{n}") for n in range(1, 5)]
    poll(core)
    assert [decision(core, connection, f"old-{n}")[0] for n in range(1, 5)] == ["forward"] * 2 + ["filtered"] * 2
    assert decision(core, connection, "old-3")[1] == "old_newest_n"


def test_a_post_with_licensed_music_goes_without_its_sound_where_that_is_wanted(
    core: Core, clock: ManualClock, feed: Feed
) -> None:
    watched(core, filters={"licensed_music": "mute"})
    feed.posts += [seen_post(clock.now(), "song", has_licensed_music=True), seen_post(clock.now(), "talk")]
    poll(core)
    errands = [errand_of(core, row["id"]) for row in rows(core, flow.jobs)]
    assert {errand.platform_post_id: errand.is_muted for errand in errands} == {"song": True, "talk": False}


def test_a_dropped_post_never_comes_back(core: Core, clock: ManualClock, feed: Feed) -> None:
    connection = watched(core, filters={"include_old_posts": True, "old_posts": {"per_day": 1}})
    feed.posts += [seen_post(clock.now() - timedelta(days=n), f"old-{n}") for n in range(1, 3)]
    poll(core)
    waiting = rows(core, flow.jobs, wait_reason="drip")[0]
    _, said = dropping.drop(core, connection.id, waiting["source_post_id"], who="admin")
    assert (said.verdict.value, said.rule, said.value) == ("filtered", "dropped", "by admin")
    assert job_of(core, waiting["id"]).status is JobStatus.CANCELLED
    editing.change_connection(core, connection.id, {"filters": {"include_old_posts": True}}, who="admin")
    clock.move(86_400)
    poll(core)
    assert decision(core, connection, "old-1")[1] == "dropped"
    assert dropping.drop(core, connection.id, waiting["source_post_id"], who="admin")[1].rule == "dropped"


def test_a_post_that_is_running_is_not_dropped_and_one_of_another_source_is_not_found(
    core: Core, clock: ManualClock, feed: Feed
) -> None:
    connection, other = watched(core), watched(core)
    feed.posts.append(seen_post(clock.now(), "now"))
    poll(core)
    (job,) = rows(core, flow.jobs, connection_id=connection.id)
    with core.begin() as tx:
        change_row(tx, flow.jobs, job["id"], status="running")
    with pytest.raises(Conflict):
        dropping.drop(core, connection.id, job["source_post_id"], who="admin")
    with pytest.raises(NotFound):
        dropping.drop(core, other.id, job["source_post_id"], who="admin")


@pytest.mark.parametrize(
    ("rule", "value", "why"),
    [
        ("filters", {"date_range": {"from": "2026-05-02", "to": "2026-05-01"}}, "must not be later"),
        ("filters", {"caption_pattern": "(a+)+\\1"}, "refers back"),
        ("filters", {"duration": {"min_s": 60, "max_s": 6}}, "min_s must not be more"),
        ("filters", {"hashtags": {"all": ["a"], "none": ["A"]}}, "both wanted and refused"),
        ("schedule", {"type": "windows"}, "name at least one"),
        ("schedule", {"type": "windows", "windows": [{"start": "9", "end": "10:00"}]}, "no time of day"),
        ("schedule", {"timezone": "Mars/Base"}, "no time zone"),
        ("publish_options", {"caption_template": "{nobody}"}, "no variable"),
    ],
)
def test_rules_that_make_no_sense_are_refused_when_they_are_written(
    core: Core, rule: str, value: dict[str, Any], why: str
) -> None:
    source, destination = add_account(core), add_account(core, "youtube")
    new = NewConnection(name="x", source_account_id=source.id, destination_account_id=destination.id, **{rule: value})
    with pytest.raises(Invalid) as refused:
        connections.create(core, new)
    assert refused.value.fields[0].field == rule and why in refused.value.fields[0].message
    assert rows(core, flow.connections) == []
