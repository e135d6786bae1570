"""What waits: the one question of all sensors and the one of the keeper's loops, beside what those find who act."""

from __future__ import annotations

import threading
from collections.abc import Callable
from weakref import WeakKeyDictionary

import pytest
from sqlalchemy import event

from forwarder_core.clock import ManualClock
from forwarder_core.db import accounts, requests
from forwarder_core.db.tables import flow
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.requests import Kind
from forwarder_core.domain.waiting import ForKeeper, ForSensors
from forwarder_core.services import detection, dry_running, forwarding, interactive_login, telegram_settings, waiting
from forwarder_core.services.context import Core
from forwarder_pipelines import keeper
from tests.factories import add_account, add_connection, add_job, change_row, claimed, later

SHARDS = 2
NOTHING = ForSensors(shards=frozenset(), jobs=False, dry_runs=False, carried=False)
IDLE = ForKeeper(messages=False, deliveries=False, sign_ins=False, silent_dry_runs=False, backfills=False)


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a test before, which had the same engine."""
    monkeypatch.setattr(waiting, "_known", WeakKeyDictionary())


class Rounds(threading.Event):
    """Lets a loop of the keeper go round so often, and keeps how long it would have waited before each."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number, self.waited = number, list[float | None]()

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout)
        return len(self.waited) > self._number


def watched(core: Core, source: Account | None = None, *, due_in_s: float = 0) -> int:
    """A source that is looked at by itself; its id."""
    id_ = add_connection(core, source).source_account_id
    with core.begin() as tx:
        accounts.watch(tx, id_, later(core, due_in_s))
    return id_


def a_due_source_that_rests(core: Core) -> None:
    source = watched(core)
    with core.begin() as tx:
        accounts.cool_down(tx, source, later(core, 60))


def a_source_that_is_looked_at(core: Core) -> None:
    source = watched(core)
    with core.begin() as tx:
        accounts.hold(tx, [source], later(core, 60))


def a_job_that_is_done(core: Core) -> None:
    job = add_job(core, add_connection(core))
    with core.begin() as tx:
        change_row(tx, flow.jobs, job, status="success")


@pytest.mark.parametrize(
    "rest",
    [
        lambda core: None,
        lambda core: watched(core, due_in_s=1),
        a_due_source_that_rests,
        a_source_that_is_looked_at,
        a_job_that_is_done,
    ],
    ids=["nothing", "due in a second", "resting", "looked at", "done"],
)
def test_where_nothing_waits_none_of_those_who_would_act_finds_anything(
    core: Core, rest: Callable[[Core], object]
) -> None:
    rest(core)
    assert waiting.for_sensors(core, shards=SHARDS) == NOTHING
    for shard in range(SHARDS):
        assert detection.poll_due(core, shard=shard, shards=SHARDS, budget_s=5) == []
    assert forwarding.dispatchable(core) == [] and dry_running.launches(core) == []


def test_a_source_that_is_due_waits_for_the_sensor_of_its_shard(core: Core, clock: ManualClock) -> None:
    first, second = add_account(core), add_account(core)
    watched(core, first, due_in_s=5)
    watched(core, second, due_in_s=10)
    found = []
    for _ in range(3):
        found.append(waiting.for_sensors(core, shards=SHARDS).shards)
        clock.move(5)
    assert found == [set(), {first.id % SHARDS}, {0, 1}] and (first.id - second.id) % SHARDS


def test_a_job_waits_for_dispatch_until_it_is_carried_and_its_run_is_heeded_until_it_is_done(core: Core) -> None:
    job = add_job(core, add_connection(core))
    found = waiting.for_sensors(core, shards=SHARDS)
    assert (found.jobs, found.carried) == (True, True)
    claimed(core, job)
    found = waiting.for_sensors(core, shards=SHARDS)
    assert (found.jobs, found.carried) == (False, True)
    with core.begin() as tx:
        change_row(tx, flow.jobs, job, status="success")
    assert waiting.for_sensors(core, shards=SHARDS) == NOTHING


def test_a_dry_run_waits_until_it_is_launched_and_again_when_nobody_took_it_up(core: Core, clock: ManualClock) -> None:
    with core.begin() as tx:
        requests.ask(tx, Kind.DRY_RUN, add_connection(core).id, asked={}, who="admin", now=core.clock.now())
    seen = []
    for _ in range(2):
        seen.append(waiting.for_sensors(core, shards=SHARDS))
        assert len(dry_running.launches(core)) == 1
        seen.append(waiting.for_sensors(core, shards=SHARDS))
        clock.move(200)
    assert [found.dry_runs for found in seen] == [True, False] * 2
    assert all(found.carried and not found.jobs for found in seen)


def test_the_loops_of_the_keeper_ask_once_a_second_together(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    event.listen(core.engine, "before_cursor_execute", lambda *given: asked.append(given[2].split()[0]))

    def look() -> ForKeeper:
        return waiting.for_keeper(core, signing_in=interactive_login.UNDER_WAY)

    assert [look() for _ in range(5)] == [IDLE] * 5
    assert asked == ["SELECT"]
    with core.begin() as tx:
        requests.ask(tx, Kind.BACKFILL, add_connection(core).id, asked={}, who="admin", now=core.clock.now())
    monkeypatch.setattr(waiting, "GOOD_FOR_S", -1.0)
    assert look().backfills and not look().messages


def test_what_a_keeper_at_rest_asks_in_a_round_is_one_thing_for_several_loops(core: Core) -> None:
    asked: list[str] = []
    event.listen(core.engine, "before_cursor_execute", lambda *given: asked.append(given[2].split()[0]))
    for loop in (keeper.send_by_other_roads, keeper.sign_people_in, keeper.finish_backfills):
        loop(core, Rounds(1))
    assert asked == ["SELECT"]


def test_a_keeper_to_whom_nobody_may_speak_listens_every_ten_seconds(core: Core) -> None:
    rounds = Rounds(2)
    keeper.listen(core, rounds)
    assert rounds.waited == [2.0, 10.0, 10.0]
    telegram_settings.change(core, {"bot_token": f"1234567890:{'K' * 35}", "channel_id": "4711"}, who="admin")
    telegram_settings.change(core, {"commands": "webhook", "users": [1]}, who="admin")
    heard = Rounds(1)
    keeper.listen(core, heard)
    assert heard.waited == [2.0, 2.0]
