"""Dagster's daemon asks before it acts: a sensor that would find nothing is not asked, nor is an empty queue read.

A tick is a thread, a call to the code server and six statements, and a stack at rest was made of little else. Every
five seconds the daemon looks which sensors are past their minimum interval: to that question one of ours is added, for
all sensors at once; and to that of its queue, which comes every second, one that reads no runs. A run that a sensor of
this daemon asks for waits for no such second: it wakes the queue; but of many only some begin at once.
The fact to know: this spares ticks and delays none. What a sensor acts on lets it tick within the same five seconds;
each ticks every `REST_S` anyway, as its sign of life; and while our database cannot be asked, all tick as Dagster would
have them.
"""

from __future__ import annotations

import importlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache, wraps
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from forwarder_core import settings
from forwarder_core.domain.waiting import ForSensors
from forwarder_core.errors import ForwarderError
from forwarder_core.services import waiting
from forwarder_core.services.context import Core, open_core
from forwarder_pipelines.calm_storage import CalmRunStorage
from forwarder_pipelines.launcher import BEGUN_IN_A_SECOND, LocalRunLauncher

WATCH_SHARDS = 2
REST_S = 45.0  # health calls a sensor silent after two minutes
_GOOD_FOR_S = 2.0  # the daemon asks once more in the thread that ticks
_QUEUE_S = 1.0  # between two looks at a queue into which nobody of this process put anything
_GATHER_S = 0.1  # a tick asks for run after run
_DAEMON = "dagster._daemon.cli"  # loaded in a daemon, and in what is forked from the same stem

log = logging.getLogger("forwarder.daemon")


def ask_first() -> None:
    """Before the daemon's loops begin. Again does no harm, and neither does it in a process that is no daemon."""
    if _DAEMON not in sys.modules:
        return
    sensors: Any = importlib.import_module("dagster._daemon.sensor")
    if not isinstance(sensors.is_under_min_interval, Sparing):
        sensors.is_under_min_interval = Sparing(sensors.is_under_min_interval, sensors.get_elapsed, _look)
    queue: Any = importlib.import_module("dagster._daemon.run_coordinator.queued_run_coordinator_daemon")
    daemon, asked = queue.QueuedRunCoordinatorDaemon, queue.QueuedRunCoordinator
    if not hasattr(daemon._get_runs_to_dequeue, "__wrapped__"):
        queued, starts = threading.Event(), Starts()
        daemon._get_runs_to_dequeue = _some_at_once(starts, daemon._get_runs_to_dequeue)
        daemon.core_loop = _woken_by(queued, starts, daemon.core_loop)
        asked.submit_run = _waking(queued, asked.submit_run)


def watch_name(shard: int) -> str:
    return f"watch_{shard}_sensor"


def has_work(sensor: str, found: ForSensors) -> bool:
    """Whether a tick of this sensor could do anything. Of one that is not known here it is taken so."""
    work: Mapping[str, bool] = {
        **{watch_name(shard): shard in found.shards for shard in range(WATCH_SHARDS)},
        "dispatch_sensor": found.jobs or found.dry_runs,
        "run_failure_sensor": found.carried,
        "run_canceled_sensor": found.carried,
    }
    return work.get(sensor, True)


class Sparing:
    """In the place of Dagster's `is_under_min_interval`: is it too early for a tick, or nothing to tick for?"""

    def __init__(
        self,
        is_early: Callable[..., bool],
        elapsed_s: Callable[[Any], float | None],
        look: Callable[[], ForSensors | None],
    ) -> None:
        self._is_early, self._elapsed_s, self._look = is_early, elapsed_s, look
        self._asking = threading.Lock()
        self._found: tuple[float, ForSensors | None] | None = None

    def __call__(self, state: Any, sensor: Any, *more: Any) -> bool:
        if self._is_early(state, sensor, *more):
            return True
        elapsed_s = self._elapsed_s(state)
        if elapsed_s is None or elapsed_s >= REST_S:
            return False
        found = self._now()
        return found is not None and not has_work(sensor.name, found)

    def _now(self) -> ForSensors | None:
        with self._asking:
            if self._found is None or time.monotonic() - self._found[0] > _GOOD_FOR_S:
                found = self._look()
                self._found = time.monotonic(), found
            return self._found[1]


@cache
def _core() -> Core:
    return open_core(settings.load(), pool_size=1, name="forwarder-daemon")


def _look() -> ForSensors | None:
    """None while it cannot be asked."""
    try:
        return waiting.for_sensors(_core(), shards=WATCH_SHARDS)
    except (SQLAlchemyError, ForwarderError) as e:
        log.warning("What waits could not be asked, so every sensor ticks: %s", type(e).__name__)
        return None


class Starts:
    """The runs that the launcher of this machine began within the last second: so many, and no more."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._at: list[float] = []

    def room(self) -> int:
        now = self._monotonic()
        self._at = [at for at in self._at if now - at < 1.0]
        return BEGUN_IN_A_SECOND - len(self._at)

    def add(self, runs: int) -> None:
        self._at += [self._monotonic()] * runs

    def read_again_in_s(self) -> float:
        """A queue into which nobody of this process puts anything: sooner where runs may wait for room."""
        return _QUEUE_S if self.room() > 0 else max(0.0, self._at[0] + 1.0 - self._monotonic())


def _some_at_once(starts: Starts, read: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """The most urgent. With the launcher of this machine, what waits besides comes a second later, when the first may
    have a process to hand on; other launchers take what there is."""

    @wraps(read)
    def runs_to_dequeue(daemon: Any, instance: Any, *more: Any, **named: Any) -> list[Any]:
        storage, is_here = instance.run_storage, isinstance(instance.run_launcher, LocalRunLauncher)
        room = starts.room() if is_here else None
        if room == 0 or (isinstance(storage, CalmRunStorage) and not storage.has_queued()):
            return []
        runs = read(daemon, instance, *more, **named)[:room]
        starts.add(len(runs) if is_here else 0)
        return runs

    return runs_to_dequeue


def _woken_by(
    queued: threading.Event, starts: Starts, core_loop: Callable[..., Iterator[Any]]
) -> Callable[..., Iterator[Any]]:
    """Between two readings of the queue Dagster waits for its own end: here for a queued run as well, or for room."""

    @wraps(core_loop)
    def loop(daemon: Any, context: Any, shutdown: threading.Event) -> Iterator[Any]:
        daemon.interval_seconds = _GATHER_S
        yield from core_loop(daemon, context, _Pause(queued, starts))

    return loop


def _waking(queued: threading.Event, submit: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(submit)
    def submit_run(coordinator: Any, *more: Any) -> Any:
        run = submit(coordinator, *more)
        queued.set()
        return run

    return submit_run


class _Pause:
    """In the place of the event that ends the loop: the daemon that drives it looks at that one after each pause."""

    def __init__(self, queued: threading.Event, starts: Starts) -> None:
        self._queued, self._starts = queued, starts

    def wait(self, _timeout_s: float) -> None:
        if self._queued.wait(self._starts.read_again_in_s()):
            self._queued.clear()
            time.sleep(_GATHER_S)
