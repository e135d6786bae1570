"""The daemon asks before it acts: which sensors are spared a tick, and when they tick all the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
)
from dagster._daemon import cli as daemon_cli
from dagster._daemon import sensor as sensors
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from sqlalchemy.exc import OperationalError

from forwarder_core.domain.waiting import ForSensors
from forwarder_core.services import waiting
from forwarder_pipelines import calm_daemon
from forwarder_pipelines.calm_daemon import Starts
from forwarder_pipelines.calm_storage import CalmRunStorage
from forwarder_pipelines.launcher import BEGUN_IN_A_SECOND, LocalRunLauncher
from forwarder_pipelines.sensors import all_sensors

NOTHING = ForSensors(shards=frozenset(), jobs=False, dry_runs=False, carried=False)
BOTH_LOOK = ForSensors(shards={0, 1}, jobs=True, dry_runs=False, carried=True)
HERE = RemoteRepositoryOrigin(GrpcServerCodeLocationOrigin("127.0.0.1", port=1), "__repository__")


@pytest.fixture
def dagsters(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Dagster as it comes, and put back as it was."""
    for module, name in (
        (sensors, "is_under_min_interval"),
        (QueuedRunCoordinatorDaemon, "_get_runs_to_dequeue"),
        (QueuedRunCoordinatorDaemon, "core_loop"),
        (QueuedRunCoordinator, "submit_run"),
    ):
        own = getattr(module, name)
        own = own._is_early if isinstance(own, calm_daemon.Sparing) else getattr(own, "__wrapped__", own)
        monkeypatch.setattr(module, name, own)
    assert daemon_cli.__name__ == calm_daemon._DAEMON
    calm_daemon.ask_first()
    calm_daemon.ask_first()
    yield


def is_spared(name: str, *, ticked_s_ago: float | None, interval_s: int = 5) -> bool:
    """As the daemon asks it before each tick, and again in the thread that ticks."""
    at = None if ticked_s_ago is None else time.time() - ticked_s_ago
    origin = RemoteInstigatorOrigin(HERE, name)
    told = SensorInstigatorData(last_tick_timestamp=at, last_tick_start_timestamp=at)
    state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING, told)
    sensor: Any = SimpleNamespace(name=name, min_interval_seconds=interval_s)
    return sensors.is_under_min_interval(state, sensor)


def tells(monkeypatch: pytest.MonkeyPatch, found: ForSensors | Exception) -> list[int]:
    """Have that wait; the answer grows with each time it is asked."""
    asked: list[int] = []

    def look(core: object, *, shards: int) -> ForSensors:
        asked.append(shards)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(waiting, "for_sensors", look)
    monkeypatch.setattr(calm_daemon, "_core", lambda: None)
    return asked


def test_every_sensor_is_spared_when_nothing_waits_and_all_together_ask_once(
    dagsters: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tells(monkeypatch, NOTHING)
    names = [sensor.name for sensor in all_sensors()]
    assert len(names) == 5 and all(is_spared(name, ticked_s_ago=30) for name in names)
    assert asked == [calm_daemon.WATCH_SHARDS]


@pytest.mark.parametrize("ticked_s_ago", [None, calm_daemon.REST_S + 1], ids=["never", "long ago"])
def test_a_sensor_at_rest_ticks_now_and_then(
    dagsters: None, monkeypatch: pytest.MonkeyPatch, ticked_s_ago: float | None
) -> None:
    tells(monkeypatch, NOTHING)
    assert not is_spared("watch_0_sensor", ticked_s_ago=ticked_s_ago)


@pytest.mark.parametrize(
    ("found", "who"),
    [
        (ForSensors(shards={1}, jobs=False, dry_runs=False, carried=False), {"watch_1_sensor"}),
        (ForSensors(shards=frozenset(), jobs=False, dry_runs=True, carried=False), {"dispatch_sensor"}),
        (
            ForSensors(shards=frozenset(), jobs=False, dry_runs=False, carried=True),
            {"run_failure_sensor", "run_canceled_sensor"},
        ),
        (BOTH_LOOK, {sensor.name for sensor in all_sensors()}),
    ],
    ids=["a source", "a dry run", "a run", "a press while both watch sensors look"],
)
def test_whoever_has_work_ticks_as_soon_as_its_interval_is_over(
    dagsters: None, monkeypatch: pytest.MonkeyPatch, found: ForSensors, who: set[str]
) -> None:
    tells(monkeypatch, found)
    names = {sensor.name for sensor in all_sensors()}
    assert {name for name in names if not is_spared(name, ticked_s_ago=6)} == who
    assert all(is_spared(name, ticked_s_ago=4) for name in names), "Dagster's own interval holds"


@pytest.mark.parametrize("name", ["watch_0_sensor", "one_of_a_later_version"])
def test_where_it_cannot_be_asked_or_a_sensor_is_not_known_it_ticks(
    dagsters: None, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    is_known = name == "watch_0_sensor"
    tells(monkeypatch, OperationalError("SELECT", {}, Exception("away")) if is_known else NOTHING)
    assert not is_spared(name, ticked_s_ago=6)


@pytest.mark.parametrize("has_queued", [True, False])
def test_a_queue_is_read_where_there_is_something_in_it(monkeypatch: pytest.MonkeyPatch, has_queued: bool) -> None:
    monkeypatch.setattr(CalmRunStorage, "has_queued", lambda storage: has_queued)
    instance = SimpleNamespace(run_storage=object.__new__(CalmRunStorage), run_launcher=None)
    read = calm_daemon._some_at_once(Starts(), lambda daemon, instance, config: [config])
    assert read(None, instance, "a run") == (["a run"] if has_queued else [])


def test_of_many_runs_the_most_urgent_begin_first_and_some_in_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calm_daemon, "BEGUN_IN_A_SECOND", 2)
    at = [100.0]
    instance = SimpleNamespace(run_storage=None, run_launcher=LocalRunLauncher("unused"))
    queue = list(range(5))
    starts = Starts(lambda: at[0])
    read = calm_daemon._some_at_once(starts, lambda daemon, instance: list(queue))
    begun, rests = list[tuple[float, int]](), list[float]()
    for second in (100.0, 100.4, 101.0, 101.9, 102.0):
        at[0] = second
        found = read(None, instance)
        del queue[: len(found)]
        begun += [(second, run) for run in found]
        rests.append(starts.read_again_in_s())
    assert begun == [(100.0, 0), (100.0, 1), (101.0, 2), (101.0, 3), (102.0, 4)]
    assert rests == pytest.approx([1.0, 0.6, 1.0, 0.1, calm_daemon._QUEUE_S]), (
        "the queue is read again as soon as another may begin"
    )


def test_where_others_carry_the_runs_all_begin_at_once() -> None:
    queue = list(range(10 * BEGUN_IN_A_SECOND))
    read = calm_daemon._some_at_once(Starts(lambda: 100.0), lambda daemon, instance: list(queue))
    elsewhere = SimpleNamespace(run_storage=None, run_launcher=dg.DefaultRunLauncher())
    assert read(None, elsewhere) == queue == read(None, elsewhere)


def test_a_run_that_is_asked_for_here_wakes_the_queue(dagsters: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calm_daemon, "_QUEUE_S", 3600.0)
    read, over = threading.Semaphore(0), threading.Event()

    def read_queue(daemon: object, context: object) -> Iterator[None]:
        read.release()
        yield None

    monkeypatch.setattr(QueuedRunCoordinatorDaemon, "run_iteration", read_queue)

    def drive() -> None:
        core_loop: Any = QueuedRunCoordinatorDaemon(interval_seconds=3600).core_loop
        for _ in core_loop(None, over):
            if over.is_set():
                return

    thread = threading.Thread(target=drive, daemon=True)
    thread.start()
    try:
        assert read.acquire(timeout=30)
        for _ in range(2):  # the second one, too: the first left the bell silent
            _submit()
            assert read.acquire(timeout=30), "it waits for its hour to pass"
    finally:
        over.set()
        _submit()
        thread.join(timeout=30)
    assert not thread.is_alive()


class _Runs:
    """Of Dagster's instance, what its queue asks: it has every run."""

    def get_run_by_id(self, run_id: str) -> SimpleNamespace:
        return SimpleNamespace(run_id=run_id, status=dg.DagsterRunStatus.QUEUED)


def _submit() -> None:
    """A run that is queued already, which Dagster leaves as it is."""
    coordinator: Any = QueuedRunCoordinator()
    runs: Any = _Runs()
    coordinator.register_instance(runs)
    coordinator.submit_run(SimpleNamespace(dagster_run=runs.get_run_by_id("1")))
