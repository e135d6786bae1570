"""Connections: what cannot be is refused with its reason, and a start takes its baseline before it answers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db.tables import accounts as account_tables
from forwarder_core.db.tables import flow
from forwarder_core.domain.accounts import AccountStatus, Rights
from forwarder_core.domain.connections import Connection, ConnectionStatus
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.domain.requests import RequestState
from forwarder_core.errors import Conflict, Invalid, NetworkFailed, NotFound
from forwarder_core.services import connections, detection
from forwarder_core.services.connections import NewConnection
from forwarder_core.services.context import Core
from tests.factories import add_account, add_connection, add_job, change_row, claimed, job_of, later, rows, seen_post
from tests.integration.services.far_ends import Feed

pytestmark = pytest.mark.slow


def made(core: Core, **values: Any) -> Connection:
    ends = {
        "source_account_id": add_account(core).id,
        "destination_account_id": add_account(core, "youtube", auth_method="oauth").id,
    }
    return connections.create(core, NewConnection(**({"name": "Harbour to channel"} | ends | values)))


def verdicts(core: Core, connection: Connection) -> Counter[str]:
    return Counter(decision.verdict.value for _, decision in connections.seen_posts(core, connection.id))


def test_a_new_connection_is_stopped_and_knows_its_type(core: Core) -> None:
    connection = made(core, filters={"mode": "caption_keywords", "caption_keywords": ["sunset"]}, priority=3)
    assert (connection.status, connection.type) == (ConnectionStatus.STOPPED, "instagram_to_youtube")
    assert connection.filters.caption_keywords == ("sunset",) and connection.priority == 3
    assert connection.started_at is None


def test_every_end_that_does_not_fit_is_named(core: Core) -> None:
    source = add_account(core)

    def bad_fields(**values: Any) -> set[str]:
        with pytest.raises(Invalid) as e:
            made(core, **values)
        return {field.field for field in e.value.fields}

    assert bad_fields(name=" ") == {"name"}
    assert bad_fields(source_account_id=10**9, destination_account_id=10**9) == {
        "source_account_id",
        "destination_account_id",
    }
    assert bad_fields(source_account_id=source.id, destination_account_id=source.id) == {"destination_account_id"}
    assert bad_fields(type="youtube_to_instagram") == {"type"}
    assert bad_fields(filters={"mode": "by_mood"}, transform_options={"fit": "bend"}) == {
        "filters",
        "transform_options",
    }
    assert rows(core, flow.connections) == []


def test_a_name_is_taken_once(core: Core) -> None:
    made(core)
    with pytest.raises(Conflict):
        made(core)


def test_what_the_source_shows_at_the_start_is_old_and_what_comes_after_is_forwarded(
    core: Core, clock: ManualClock, feed: Feed
) -> None:
    connection = made(core)
    feed.posts = [seen_post(later(core, -n)) for n in (5, 86_400)]
    connections.start(core, connection.id)
    assert verdicts(core, connection) == {"before_start": 2}
    clock.move(30)
    feed.posts.append(seen_post(clock.now()))
    ran = connections.run_now(core, connection.id)
    assert [job.status for job in ran.jobs] == [JobStatus.QUEUED]
    assert verdicts(core, connection) == {"before_start": 2, "forward": 1}
    assert ran.connection.last_run_at == clock.now()


def test_a_post_from_before_the_start_that_appears_later_is_still_old_and_one_after_it_is_new(
    core: Core, clock: ManualClock, feed: Feed
) -> None:
    connection = made(core)
    connections.start(core, connection.id)
    feed.posts = [seen_post(later(core, -60)), seen_post(later(core, 1))]
    clock.move(3_600)
    connections.run_now(core, connection.id)
    assert verdicts(core, connection) == {"before_start": 1, "forward": 1}


def test_a_source_that_cannot_be_read_refuses_the_start_and_leaves_it_stopped(core: Core, feed: Feed) -> None:
    connection = made(core)
    feed.error = NetworkFailed("The connection to Instagram failed.")
    with pytest.raises(Conflict) as refused:
        connections.start(core, connection.id)
    assert "The connection to Instagram failed." in str(refused.value)
    after = connections.get(core, connection.id)
    assert (after.status, after.started_at) == (ConnectionStatus.STOPPED, None)
    assert rows(core, flow.source_posts) == [] == rows(core, flow.decisions)


def test_rights_nobody_declared_refuse_the_start(core: Core, feed: Feed) -> None:
    source = add_account(core, rights=Rights.UNDECLARED)
    connection = made(core, source_account_id=source.id)
    with pytest.raises(Conflict, match="rights"):
        connections.start(core, connection.id)
    assert feed.asked == [], "the source is not even asked"


def test_an_account_that_needs_a_person_refuses_the_start_at_either_end(core: Core, feed: Feed) -> None:
    for end, platform in (("source_account_id", "instagram"), ("destination_account_id", "youtube")):
        account = add_account(core, platform, status=AccountStatus.REQUIRES_REAUTH)
        connection = made(core, name=end, **{end: account.id})
        with pytest.raises(Conflict, match=account.alias):
            connections.start(core, connection.id)


def test_a_start_of_what_is_started_changes_nothing(core: Core, clock: ManualClock, feed: Feed) -> None:
    connection = made(core)
    started = connections.start(core, connection.id)
    clock.move(60)
    assert connections.start(core, connection.id) == started


def test_posts_from_during_a_pause_are_forwarded_after_it(core: Core, clock: ManualClock, feed: Feed) -> None:
    connection = made(core)
    connections.start(core, connection.id)
    paused = connections.pause(core, connection.id)
    assert (paused.status, paused.status_reason) == (ConnectionStatus.PAUSED, "Paused by the administrator")
    clock.move(60)
    feed.posts.append(seen_post(clock.now()))
    with pytest.raises(Conflict):
        connections.run_now(core, connection.id)
    clock.move(60)
    assert connections.resume(core, connection.id).status_reason is None
    connections.run_now(core, connection.id)
    assert verdicts(core, connection) == {"forward": 1}


def test_posts_from_between_a_stop_and_the_next_start_are_old(core: Core, clock: ManualClock, feed: Feed) -> None:
    connection = made(core)
    connections.start(core, connection.id)
    connections.stop(core, connection.id)
    clock.move(60)
    feed.posts.append(seen_post(clock.now()))
    clock.move(60)
    connections.start(core, connection.id)
    assert verdicts(core, connection) == {"before_start": 1}
    with pytest.raises(Conflict):
        connections.resume(core, connection.id)


def test_a_stop_cancels_what_waits_and_lets_what_runs_end(core: Core) -> None:
    connection = add_connection(core)
    running = add_job(core, connection)
    lease = claimed(core, running)
    waiting = {
        status: add_job(core, connection, status=status)
        for status in (JobStatus.QUEUED, JobStatus.RETRY_WAIT, JobStatus.PAUSED, JobStatus.CAPTCHA)
    }
    kept = {status: add_job(core, connection, status=status) for status in (JobStatus.SUCCESS, JobStatus.UNCONFIRMED)}
    connections.stop(core, connection.id)
    assert {job_of(core, job).status for job in waiting.values()} == {JobStatus.CANCELLED}
    assert [job_of(core, job).status for job in kept.values()] == list(kept)
    assert job_of(core, running).status is JobStatus.RUNNING and lease
    assert job_of(core, waiting[JobStatus.QUEUED]).failure is not None, "it says why"


def test_a_pause_keeps_what_waits(core: Core) -> None:
    connection = add_connection(core)
    job = add_job(core, connection)
    connections.pause(core, connection.id)
    assert job_of(core, job).status is JobStatus.QUEUED


def test_a_run_now_while_somebody_looks_waits_its_turn_and_says_so_when_that_takes_too_long(
    core: Core, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = made(core)
    connections.start(core, connection.id)
    with core.begin() as tx:
        watch = account_tables.watches
        tx.execute(watch.update().values(polling_until=later(core, 100)))
    monkeypatch.setattr(connections, "RUN_NOW_S", 0.3)
    ran = connections.run_now(core, connection.id)
    assert ran.look.state is RequestState.QUEUED and ran.jobs == ()


def test_a_connection_that_is_not_there_or_deleted_is_not_found(core: Core) -> None:
    connection = add_connection(core)
    with core.begin() as tx:
        change_row(tx, flow.connections, connection.id, deleted_at=core.clock.now())
    for id_ in (connection.id, 10**9):
        with pytest.raises(NotFound):
            connections.get(core, id_)
    assert detection.poll_due(core, shard=0, shards=1, budget_s=1) == []
