"""Keeps a set of child processes alive, in order, and ends them all, whatever happens to us.

What lives here: start with a ready check, restart with backoff, orderly stop, signals.
What does not: which processes there are (stack), how one is started (spawn), the clean-up after our own kill (guard).
The fact to know: everything happens in the main thread. `wait` is the loop of a stack that stays; who does something
else meanwhile calls `poll` now and then.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from forwarder_core.embedded import guard, offshoots
from forwarder_core.embedded.logfile import open_log, trim
from forwarder_core.embedded.offshoots import Stem, StemSilent
from forwarder_core.embedded.postgres import Server
from forwarder_core.embedded.readiness import Ready
from forwarder_core.embedded.spawn import Command, spawn, tail
from forwarder_core.errors import StartError

_POLL_S = 0.1
_TRIM_EVERY_S = 30.0
_LONGEST_BACKOFF_S = 30.0
_STEM_PATIENCE_S = 60.0  # a stem imports for three seconds of CPU, on a machine that may have other work

Report = Callable[[str], None]


class ProcessFailed(StartError):
    code = "process_failed"
    action = "Read the log named above; mend what its last lines say, and start again."


class Stopped(BaseException):
    """A signal asked us to stop. No error, and nothing that catches errors may keep it: hence its base."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One child to keep alive. `ready` None = ready when it runs.

    `grows`: it is this stem. `of`: it is forked from that one, or started by itself where there is none.
    """

    name: str
    command: Command
    ready: Ready | None = None
    deadline_s: float = 90.0
    grace_s: float = 10.0
    grows: Stem | None = None
    of: Stem | None = None


@dataclass(slots=True)
class _Child:
    process: Process
    log: Path
    popen: offshoots.Child | None = None
    started_at: float = 0.0
    log_from: int = 0
    again_at: float | None = None
    deaths: deque[float] = field(default_factory=deque)
    one_shot: bool = False

    @property
    def ended(self) -> bool:
        return self.popen is None or self.popen.poll() is not None

    @property
    def ending(self) -> str:
        code = self.popen.returncode if self.popen else None
        return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"


class Supervisor:
    """`restarts` deaths of one process within `within_s` seconds are too many: `poll` then raises ProcessFailed."""

    def __init__(self, logs: Path, report: Report, *, restarts: int = 5, within_s: float = 120.0) -> None:
        self.report = report
        self._logs = logs
        self._restarts = restarts
        self._within_s = within_s
        self._children: list[_Child] = []
        self._signals_seen = 0
        self._trimmed_at = time.monotonic()
        self._guard: subprocess.Popen[bytes] | None = None
        self._tell_guard: int | None = None

    @contextmanager
    def running(self) -> Iterator[Supervisor]:
        """Signals ask for a stop instead of killing us; at the end everything is stopped."""
        before = {number: signal.signal(number, self._on_signal) for number in _heeded()}
        self._start_guard()
        try:
            yield self
        finally:
            self.stop()
            for number, handler in before.items():
                signal.signal(number, handler)

    def adopt(self, name: str, server: Server) -> None:
        """Keep a database server alive that we started; it is stopped last."""
        if server.child is None:
            return
        process = Process(name=name, command=server.command, ready=server.is_running, grace_s=30)
        child = _Child(process, server.log, server.child, time.monotonic())
        self._children.append(child)
        self._remember(child)

    def start(self, *processes: Process) -> None:
        """Start these together and wait until each is ready. Raises ProcessFailed, Stopped."""
        self.sow(*processes)()

    def sow(self, *processes: Process) -> Callable[[], None]:
        """Start these without waiting for them, which the answer does: raises ProcessFailed, Stopped.

        What is forked from a stem is started as soon as that is ready.
        """
        fresh = self._plan(*processes)

        def all_ready() -> None:
            for child in fresh:
                self._wait_ready(child)

        return all_ready

    def begin(self, process: Process) -> Callable[[], None]:
        """Start something that ends by itself. Call the answer to wait for that end: raises ProcessFailed, Stopped."""
        (child,) = self._plan(process, one_shot=True)
        return lambda: self._wait_end(child)

    def poll(self) -> None:
        """Start what died again. Raises ProcessFailed for what dies too often, Stopped when asked to stop."""
        self._check_stop()
        now = time.monotonic()
        for child in list(self._children):
            if child.again_at is None and child.ended and not child.one_shot:
                self._plan_restart(child, now)
        self._spawn_due()
        if now - self._trimmed_at > _TRIM_EVERY_S:
            self._trimmed_at = now
            for child in self._children:
                trim(child.log)

    def wait(self) -> None:
        """Until a signal asks to stop."""
        try:
            while True:
                self.poll()
                time.sleep(_POLL_S)
        except Stopped:
            return

    def request_stop(self) -> None:
        self._signals_seen += 1

    def stop(self) -> None:
        """End everything, the latest started first. A second signal while it lasts cuts every grace to nothing."""
        asked = self._signals_seen
        for child in reversed(self._children):
            self._end(child, lambda: self._signals_seen > asked)
            if child.process.grows is not None:
                child.process.grows.close()
        self._children.clear()
        self._dismiss_guard()

    @property
    def pids(self) -> dict[str, int]:
        """For the health page and tests: what runs now."""
        return {child.process.name: child.popen.pid for child in self._children if child.popen and not child.ended}

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals_seen += 1

    def _check_stop(self) -> None:
        if self._signals_seen:
            raise Stopped

    def _plan(self, *processes: Process, one_shot: bool = False) -> list[_Child]:
        now = time.monotonic()
        fresh = [
            _Child(process, self._logs / f"{process.name}.log", again_at=now, one_shot=one_shot)
            for process in processes
        ]
        self._children += fresh
        self._spawn_due()
        return fresh

    def _spawn_due(self) -> None:
        """Start whose time has come; who is to be forked waits a while for its stem."""
        now = time.monotonic()
        for child in self._children:
            if child.again_at is not None and now >= child.again_at and not self._waits(child, now):
                self._spawn(child)

    def _waits(self, child: _Child, now: float) -> bool:
        stem, since = child.process.of, child.again_at or now
        if stem is None or stem.is_ready() or now > since + _STEM_PATIENCE_S:
            return False
        growing = (other for other in self._children if other.process.grows is stem)
        return any(other.again_at is not None or not other.ended for other in growing)

    def _spawn(self, child: _Child) -> None:
        with open_log(child.log) as log:
            child.log_from = log.tell()
            try:
                child.popen = self._born(child.process, log)
            except OSError as e:
                raise ProcessFailed(f"{child.process.name} cannot be started: {e.strerror or e}.") from e
        child.started_at = time.monotonic()
        child.again_at = None
        self._remember(child)

    def _born(self, process: Process, log: IO[bytes]) -> offshoots.Child:
        """Forked where its stem is ready, else started by itself: that takes longer and shares nothing, and works."""
        with ExitStack() as held:
            channel = held.enter_context(process.grows.open()) if process.grows else None
            if process.of is not None:
                try:
                    return process.of.fork(process.command, log, channel)
                except StemSilent as e:
                    self.report(f"{process.name} is started without its stem: {e}")
            return spawn(process.command, log, channel.fileno() if channel else subprocess.DEVNULL)

    def _wait_ready(self, child: _Child) -> None:
        while True:
            self._check_stop()
            self._spawn_due()
            if child.again_at is None:
                if child.ended:
                    raise self._failed(child, f"ended at its start ({child.ending})")
                if child.process.ready is None or child.process.ready():
                    return
                if time.monotonic() > child.started_at + child.process.deadline_s:
                    raise self._failed(child, f"was not ready after {child.process.deadline_s:.0f} s")
            time.sleep(_POLL_S)

    def _wait_end(self, child: _Child) -> None:
        while child.again_at is not None or not child.ended:
            self._check_stop()
            self._spawn_due()
            if child.again_at is None and time.monotonic() > child.started_at + child.process.deadline_s:
                raise self._failed(child, f"was not done after {child.process.deadline_s:.0f} s")
            time.sleep(_POLL_S)
        if child.popen is None or child.popen.returncode != 0:
            raise self._failed(child, f"failed ({child.ending})")
        self._forget(child)
        self._children.remove(child)

    def _plan_restart(self, child: _Child, now: float) -> None:
        self._forget(child)  # what it left behind would hold its port
        if child.process.grows is not None:
            child.process.grows.close()
        child.deaths.append(now)
        while child.deaths[0] < now - self._within_s:
            child.deaths.popleft()
        if len(child.deaths) > self._restarts:
            failed = self._failed(child, f"ended {len(child.deaths)} times in {self._within_s:.0f} s ({child.ending})")
            if child.process.grows is None:
                raise failed
            self.report(f"{failed.message}\nWhat is forked from it is started by itself from now on.")
            self._children.remove(child)
            return
        wait_s = min(2.0 ** (len(child.deaths) - 1) / 2, _LONGEST_BACKOFF_S)
        child.again_at = now + wait_s
        self.report(f"{child.process.name} ended ({child.ending}); starting it again in {wait_s:.1f} s")

    def _failed(self, child: _Child, what: str) -> ProcessFailed:
        said = tail(child.log, since=child.log_from)
        return ProcessFailed(f"{child.process.name} {what}. Log: {child.log}" + (f"\n{said}" if said else ""))

    def _end(self, child: _Child, hurry: Callable[[], bool]) -> None:
        if child.popen is None:
            return
        if not child.ended:
            child.popen.send_signal(child.process.command.stop_signal)
        end = time.monotonic() + child.process.grace_s
        while not child.ended and time.monotonic() < end and not hurry():
            time.sleep(_POLL_S / 4)
        if not child.ended:
            self.report(f"{child.process.name} did not stop in time and is killed")
        self._forget(child)

    def _remember(self, child: _Child) -> None:
        if child.popen:
            self._tell(f"+ {child.popen.pid} {int(child.process.command.stop_signal)}\n")

    def _forget(self, child: _Child) -> None:
        """Kill what is left of its session and reap it."""
        if child.popen is None:
            return
        guard.kill_session(child.popen.pid)
        try:
            child.popen.wait(5)
        except subprocess.TimeoutExpired:
            self.report(f"{child.process.name} (process {child.popen.pid}) cannot be killed")
        self._tell(f"- {child.popen.pid}\n")

    def _start_guard(self) -> None:
        theirs, ours = os.pipe()
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, str(theirs)],
            cwd="/",
            pass_fds=(theirs,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs)
        self._tell_guard = ours

    def _tell(self, line: str) -> None:
        if self._tell_guard is None:
            return
        try:
            os.write(self._tell_guard, line.encode("ascii"))
        except BrokenPipeError:  # the guard was killed; the parent-death signal is still there
            self.report("the guard process is gone")
            self._dismiss_guard()

    def _dismiss_guard(self) -> None:
        if self._tell_guard is not None:
            os.close(self._tell_guard)
            self._tell_guard = None
        if self._guard is not None:
            self._guard.wait(guard.GRACE_S + 5)
            self._guard = None


def _heeded() -> list[signal.Signals]:
    """Under nohup a hang-up stays ignored; an interrupt is obeyed even where a script's shell had it ignored."""
    hangup = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hangup]
