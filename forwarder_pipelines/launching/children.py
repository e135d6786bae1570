"""The server's children: one per run, counted, stopped, reaped, and closed in Dagster when they died.

What lives here: the table of children. What does not: the fork (forking), Dagster (runs), the socket (server).
The fact to know: a run is closed by yet another child, because the server itself may open no database: whatever it
held at the next fork, the runs would share.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from dagster._core.instance import InstanceRef

from forwarder_pipelines.launching import runs
from forwarder_pipelines.launching.forking import Closable, Work, fork
from forwarder_pipelines.launching.records import Records

TERMINATE_GRACE_S = 15.0
_KILL_AGAIN_S = 1.0  # one stuck in the kernel dies when it comes out
_CLOSING_MAY_TAKE_S = 60.0
_ENDINGS_KEPT = 500
log = logging.getLogger("forwarder.launcher")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run's process ended. `code` negative = the signal that killed it; `cpu_s` with all it started."""

    code: int
    cpu_s: float

    @property
    def words(self) -> str:
        how = f"killed by {signal.Signals(-self.code).name}" if self.code < 0 else f"exit code {self.code}"
        return f"The run's process died ({how})."


@dataclass(slots=True)
class _Child:
    run_ids: Sequence[str]
    closes: bool = False
    kill_at: float | None = None


class Children:
    """`not_theirs` names what the server holds at a fork and no child may keep."""

    def __init__(self, ref: InstanceRef, records: Records, not_theirs: Callable[[], Sequence[Closable]]) -> None:
        self._ref = ref
        self._records = records
        self._not_theirs = not_theirs
        self._alive: dict[int, _Child] = {}
        self._endings: OrderedDict[str, Ending] = OrderedDict()

    def launch(self, run_id: str) -> int:
        """Pid of the run's process: the one it has, since an answer may get lost and be asked again, or a new one."""
        pid = self.pid_of(run_id)
        if pid is None:
            pid = self._fork(_Child([run_id]), lambda: runs.execute(self._ref, self._records, run_id))
        return pid

    def terminate(self, run_id: str) -> bool:
        """Ask the run's process to end, and kill it after the grace; False when it has none."""
        pid = self.pid_of(run_id)
        if pid is None:
            return False
        child = self._alive[pid]
        child.kill_at = child.kill_at or time.monotonic() + TERMINATE_GRACE_S
        os.kill(pid, signal.SIGTERM)
        return True

    def running(self) -> list[str]:
        return [run_id for child in self._alive.values() if not child.closes for run_id in child.run_ids]

    def pid_of(self, run_id: str) -> int | None:
        return next((pid for pid, child in self._alive.items() if not child.closes and run_id in child.run_ids), None)

    def ending_of(self, run_id: str) -> Ending | None:
        return self._endings.get(run_id)

    def tend(self) -> None:
        """Reap the dead, kill who was to end and did not. To be called on SIGCHLD and when `next_due_s` is over."""
        for pid, child in list(self._alive.items()):
            if child.kill_at is not None and time.monotonic() >= child.kill_at:
                _kill(pid)
                child.kill_at = time.monotonic() + _KILL_AGAIN_S
        while self._alive:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            ending = Ending(os.waitstatus_to_exitcode(status), round(usage.ru_utime + usage.ru_stime, 3))
            if pid in self._alive:
                self._bury(self._alive.pop(pid), ending)

    def next_due_s(self) -> float | None:
        """Seconds until somebody's grace is over."""
        due = [child.kill_at for child in self._alive.values() if child.kill_at is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def close_lost(self) -> None:
        """Close the runs that a server before this one left without an end. Returns when that is done."""
        lost = [run_id for run_id, worker in self._records.all().items() if worker.is_here and not worker.lives()]
        if lost:
            log.warning("%s runs died with the launcher; closing them", len(lost))
            self._close(lost, "The run's process died together with the launcher.")
            self._await_none(_CLOSING_MAY_TAKE_S)

    def end_all(self) -> None:
        """Ask all to end, kill who does not in time. What a killed one leaves is closed at the next start."""
        for run_id in self.running():
            self.terminate(run_id)
        self._await_none(TERMINATE_GRACE_S + 1)

    def _await_none(self, longest_s: float) -> None:
        end = time.monotonic() + longest_s
        while self._alive and time.monotonic() < end:
            self.tend()
            time.sleep(0.02)

    def _fork(self, child: _Child, work: Work) -> int:
        pid = fork(work, self._not_theirs())
        self._alive[pid] = child
        return pid

    def _close(self, run_ids: Sequence[str], reason: str) -> None:
        child = _Child(run_ids, closes=True, kill_at=time.monotonic() + _CLOSING_MAY_TAKE_S)
        try:
            self._fork(child, lambda: runs.close(self._ref, run_ids, reason))
        except OSError as e:  # no process left; their records stay, for the next start or Dagster's own monitor
            log.warning("Runs %s are not closed: %s", ", ".join(run_ids), e.strerror)

    def _bury(self, child: _Child, ending: Ending) -> None:
        if not child.closes:
            self._remember(child.run_ids[0], ending)
        if ending.code == runs.FINISHED:
            for run_id in child.run_ids:
                self._records.forget(run_id)
        elif not child.closes:
            log.warning("Run %s: %s", child.run_ids[0], ending.words)
            self._close(child.run_ids, ending.words)

    def _remember(self, run_id: str, ending: Ending) -> None:
        self._endings[run_id] = ending
        if len(self._endings) > _ENDINGS_KEPT:
            self._endings.popitem(last=False)


def _kill(pid: int) -> None:
    """The process and whatever it started in its own group."""
    with suppress(ProcessLookupError):  # killed in the moment of its birth, it leads no group yet
        os.killpg(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
