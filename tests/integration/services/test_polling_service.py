"""Run now: one look however many ask, an answer in time, and nothing lost when a look takes long or its worker dies."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db import requests
from forwarder_core.db.tables.people import audit_log
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.requests import Kind, Request, RequestState
from forwarder_core.errors import NetworkFailed
from forwarder_core.services import connections, detection, polling
from forwarder_core.services.context import Core
from forwarder_core.simulator.testing import eventually
from tests.factories import add_account, add_connection, later, rows, seen_post
from tests.integration.services.far_ends import Feed

pytestmark = pytest.mark.slow


@pytest.fixture
def connection(core: Core, feed: Feed, clock: ManualClock) -> Connection:
    made = connections.start(core, add_connection(core, status="stopped", started_at=None).id)
    clock.move(60)
    feed.asked.clear()
    return made


def test_fifty_at_once_are_one_look_with_one_answer(
    core: Core, feed: Feed, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.posts = [seen_post(core.clock.now()) for _ in range(3)]
    may_answer = threading.Event()
    answered = feed.list_posts

    def slowly(page: str | None = None) -> object:
        may_answer.wait(30)
        return answered(page)

    feed.list_posts = slowly  # type: ignore[method-assign, assignment]
    ask, joined = requests.ask, list[bool]()

    def noted(*args: Any, **more: Any) -> tuple[Request, bool]:
        request, is_new = ask(*args, **more)
        joined.append(not is_new)
        return request, is_new

    monkeypatch.setattr(requests, "ask", noted)
    with ThreadPoolExecutor(50) as pool:
        asked = [pool.submit(connections.run_now, core, connection.id) for _ in range(50)]
        eventually(lambda: len(joined) == 50)
        may_answer.set()
        told = [each.result() for each in asked]
    assert len({ran.look.id for ran in told}) == 1
    assert {tuple(job.id for job in ran.jobs) for ran in told} == {tuple(job.id for job in told[0].jobs)}
    assert len(told[0].jobs) == 3 and len(feed.asked) == 1
    assert [row["what"] for row in rows(core, audit_log)].count("connection_run") == 1


def test_who_waited_for_its_turn_gets_the_answer_of_a_look_begun_meanwhile(
    core: Core, feed: Feed, clock: ManualClock, connection: Connection
) -> None:
    first = connections.run_now(core, connection.id)
    clock.move(2)
    again = connections.run_now(core, connection.id, waited_s=5)
    assert again.look.id == first.look.id and len(feed.asked) == 1
    assert connections.run_now(core, connection.id).look.id != first.look.id
    assert len(feed.asked) == 2


def test_a_look_that_fails_is_told_as_its_own_failure(core: Core, feed: Feed, connection: Connection) -> None:
    feed.error = NetworkFailed("The connection failed.", action="Look at the cable.")
    with pytest.raises(NetworkFailed) as failed:
        connections.run_now(core, connection.id)
    assert failed.value.action == "Look at the cable."
    (kept,) = _polls(core, connection)
    assert kept.state is RequestState.FAILED and kept.failure and kept.failure.code == "network_error"


def test_what_takes_too_long_is_finished_by_the_next_watch_tick(
    core: Core, feed: Feed, clock: ManualClock, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with core.begin() as tx:
        held = detection.accounts.take(tx, connection.source_account_id, clock.now(), later(core, 90))
    assert held, "somebody is looking"
    monkeypatch.setattr(connections, "RUN_NOW_S", 0.3)
    ran = connections.run_now(core, connection.id)
    assert ran.look.state is RequestState.QUEUED and ran.jobs == ()
    eventually(lambda: f"look-{ran.look.id}" not in {thread.name for thread in threading.enumerate()})
    feed.posts = [seen_post(clock.now())]
    clock.move(91)  # that look died
    (polled,) = detection.poll_due(core, shard=0, shards=1, budget_s=10)
    done = polling.get(core, ran.look.id)
    assert done.state is RequestState.DONE
    assert [job.id for job in polling.jobs_of(core, done)] == list(polled.jobs) and polled.jobs


def test_a_look_under_way_when_it_was_asked_for_is_not_its_answer(
    core: Core, feed: Feed, clock: ManualClock, connection: Connection
) -> None:
    began = clock.now()
    clock.move(1)
    with core.begin() as tx:
        asked, _ = requests.ask(tx, Kind.POLL, connection.id, asked={}, who="admin", now=clock.now())
        assert requests.answer_polls(tx, connection.source_account_id, began=began, now=clock.now()) == []
        assert requests.has_open_poll(tx, connection.source_account_id)
        answered = requests.answer_polls(tx, connection.source_account_id, began=clock.now(), now=clock.now())
    assert answered == [asked.id]


def test_another_source_is_not_answered(core: Core, feed: Feed, clock: ManualClock, connection: Connection) -> None:
    other = add_account(core)
    with core.begin() as tx:
        requests.ask(tx, Kind.POLL, connection.id, asked={}, who="admin", now=clock.now())
        assert requests.answer_polls(tx, other.id, began=clock.now(), now=clock.now()) == []


def test_one_nobody_looks_for_is_given_up(core: Core, feed: Feed, clock: ManualClock, connection: Connection) -> None:
    with core.begin() as tx:
        asked, _ = requests.ask(tx, Kind.POLL, connection.id, asked={}, who="admin", now=clock.now())
    polling.give_up_old(core)
    assert polling.get(core, asked.id).state is RequestState.QUEUED
    clock.move(16 * 60)
    polling.give_up_old(core)
    assert polling.get(core, asked.id).state is RequestState.FAILED


def _polls(core: Core, connection: Connection) -> list[polling.Request]:
    with core.begin() as tx:
        return requests.page(tx, Kind.POLL, connection_id=connection.id)
