"""The server's children: each carries one run at a time, and they are counted, stopped, reaped, and closed in Dagster
when they died.

What lives here: the table of children, and which of them takes the next run. What does not: the fork (forking), a
child's own loop (succession), Dagster (runs), the socket (server).
The fact to know: a run is closed by yet another child, because the server itself may open no database: whatever it
held at the next fork, the runs would share. A child that was told to end is given no run any more.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial

from dagster._core.instance import InstanceRef

from forwarder_pipelines.launching import protocol, runs, succession
from forwarder_pipelines.launching.forking import Closable, Work, fork
from forwarder_pipelines.launching.protocol import Act, Request
from forwarder_pipelines.launching.records import Records
from forwarder_pipelines.launching.succession import Handover

TERMINATE_GRACE_S = 15.0
IDLE_S = 10.0  # a process that waits for a run holds its memory and its sessions
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
    """`line` reaches one that carries runs, and is gone once it is to end; `idle_since` while it has none (monotonic
    seconds); `is_handed_over`: its run is not its first."""

    run_ids: Sequence[str]
    closes: bool = False
    kill_at: float | None = None
    line: socket.socket | None = None
    idle_since: float | None = None
    is_handed_over: bool = False
    cpu_told_s: float = 0.0


class Children:
    """`not_theirs` names what the server holds at a fork and no child may keep. `selector` gets each child's line, with
    what is to be called when it has something to say as its data."""

    def __init__(
        self,
        ref: InstanceRef,
        records: Records,
        selector: selectors.BaseSelector,
        not_theirs: Callable[[], Sequence[Closable]],
    ) -> None:
        self._ref = ref
        self._records = records
        self._selector = selector
        self._not_theirs = not_theirs
        self._alive: dict[int, _Child] = {}
        self._endings: OrderedDict[str, Ending] = OrderedDict()

    def launch(self, run_id: str) -> int:
        """Pid of the run's process: the one it has, since an answer may get lost and be asked again; one that has just
        come to a good end with another; or a new one."""
        return self.pid_of(run_id) or self._hand_over(run_id) or self._fork_for(run_id)

    def terminate(self, run_id: str) -> bool:
        """Ask the run's process to end, and kill it after the grace; False when it has none."""
        pid = self.pid_of(run_id)
        if pid is None:
            return False
        child = self._alive[pid]
        child.kill_at = child.kill_at or time.monotonic() + TERMINATE_GRACE_S
        self._hang_up(child)
        os.kill(pid, signal.SIGTERM)
        return True

    def running(self) -> list[str]:
        """Run ids under way."""
        return [run_id for child in self._alive.values() if not child.closes for run_id in child.run_ids]

    def pid_of(self, run_id: str) -> int | None:
        return next((pid for pid, child in self._alive.items() if not child.closes and run_id in child.run_ids), None)

    def ending_of(self, run_id: str) -> Ending | None:
        return self._endings.get(run_id)

    def tend(self) -> None:
        """Reap the dead, kill who was to end and did not, let those go that waited long enough for a run. To be called
        on SIGCHLD and when `next_due_s` is over."""
        now = time.monotonic()
        for pid, child in list(self._alive.items()):
            if child.kill_at is not None and now >= child.kill_at:
                _kill(pid)
                child.kill_at = now + _KILL_AGAIN_S
            if child.idle_since is not None and now >= child.idle_since + IDLE_S:
                self._hang_up(child)
        while self._alive:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            ending = Ending(os.waitstatus_to_exitcode(status), round(usage.ru_utime + usage.ru_stime, 3))
            if pid in self._alive:
                self._hear(self._alive[pid])  # it may have come to the end of its run and died after that
                self._bury(self._alive.pop(pid), ending)

    def next_due_s(self) -> float | None:
        """Seconds until somebody's grace is over, or has waited long enough."""
        due = [child.kill_at for child in self._alive.values() if child.kill_at is not None]
        due += [child.idle_since + IDLE_S for child in self._alive.values() if child.idle_since is not None]
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
        for child in self._alive.values():
            if not child.run_ids:
                self._hang_up(child)
        self._await_none(TERMINATE_GRACE_S + 1)

    def _await_none(self, longest_s: float) -> None:
        end = time.monotonic() + longest_s
        while self._alive and time.monotonic() < end:
            self.tend()
            time.sleep(0.02)

    def _hand_over(self, run_id: str) -> int | None:
        """To the child that came to the end of a run last, so that others may go; None where none waits."""
        waiting = [(child.idle_since, pid) for pid, child in self._alive.items() if child.idle_since is not None]
        for _, pid in sorted(waiting, reverse=True):
            child = self._alive[pid]
            if child.line is None:
                continue
            try:
                protocol.send(child.line, asdict(Request(Act.LAUNCH, run_id)))
            except OSError:  # it died in this moment, and is reaped soon
                self._hang_up(child)
                continue
            child.run_ids, child.idle_since, child.is_handed_over = [run_id], None, True
            return pid
        return None

    def _fork_for(self, run_id: str) -> int:
        ours, theirs = socket.socketpair()
        child = _Child([run_id], line=ours)
        try:
            pid = self._fork(child, lambda: succession.carry(self._ref, self._records, run_id, theirs))
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._selector.register(ours, selectors.EVENT_READ, partial(self._hear, child))
        return pid

    def _fork(self, child: _Child, work: Work) -> int:
        lines = [line for each in (child, *self._alive.values()) if (line := each.line) is not None]
        pid = fork(work, [*self._not_theirs(), *lines])
        self._alive[pid] = child
        return pid

    def _hear(self, child: _Child) -> None:
        """Its run has come to a good end and it waits for another; or it has hung up, and is about to end."""
        line = b""
        with suppress(OSError):  # it died with something unread
            line = protocol.receive(child.line) if child.line is not None else b""
        if not line:
            self._hang_up(child)
            return
        done = Handover.parse(line)
        child.run_ids, child.idle_since = [], time.monotonic()
        child.cpu_told_s += done.cpu_s
        self._remember(done.run_id, Ending(runs.FINISHED, done.cpu_s))
        self._records.forget(done.run_id)

    def _hang_up(self, child: _Child) -> None:
        """No run reaches this child any more; one that waits for a run ends."""
        child.idle_since = None
        if child.line is not None:
            self._selector.unregister(child.line)
            child.line.close()
            child.line = None

    def _close(self, run_ids: Sequence[str], reason: str) -> None:
        child = _Child(run_ids, closes=True, kill_at=time.monotonic() + _CLOSING_MAY_TAKE_S)
        try:
            self._fork(child, lambda: runs.close(self._ref, run_ids, reason))
        except OSError as e:  # no process left; their records stay, for the next start or Dagster's own monitor
            log.warning("Runs %s are not closed: %s", ", ".join(run_ids), e.strerror)

    def _bury(self, child: _Child, ending: Ending) -> None:
        self._hang_up(child)
        if child.is_handed_over and child.kill_at is None and self._never_took(child):
            with suppress(OSError):  # no process left
                self._fork_for(child.run_ids[0])
                return
        if not child.closes and child.run_ids:
            self._remember(child.run_ids[0], replace(ending, cpu_s=round(ending.cpu_s - child.cpu_told_s, 3)))
        if ending.code == runs.FINISHED:
            for run_id in child.run_ids:
                self._records.forget(run_id)
        elif not child.closes and child.run_ids:
            log.warning("Run %s: %s", child.run_ids[0], ending.words)
            self._close(child.run_ids, ending.words)

    def _never_took(self, child: _Child) -> bool:
        """It died while it waited, with a run on its way to it: a run's record is there before its first act."""
        return any(self._records.read(run_id) is None for run_id in child.run_ids)

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
