"""The stack under measurement, in a folder of its own, and what its processes use.

What lives here: bringing it up without the door, and reading CPU, memory and sessions, part by part. The fact to know:
ended children count with their parent, PostgreSQL counts as a part, and the simulated platforms count never.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import text

from forwarder_core.cli.demo import stage_of, up
from forwarder_core.db.engine import connect
from forwarder_core.embedded.bring_up import Running
from forwarder_core.embedded.stack import Part
from forwarder_core.services.context import Core
from forwarder_core.settings import Settings
from forwarder_core.simulator.client import ControlClient

POSTGRES = "postgres"
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds and database sessions of each part since it started, at one moment (`at`: monotonic seconds)."""

    at: float
    cpu_s: Mapping[str, float]
    sessions: int

    def since(self, before: Usage) -> Usage:
        spent = {part: spent - before.cpu_s.get(part, 0.0) for part, spent in self.cpu_s.items()}
        return Usage(self.at - before.at, spent, self.sessions - before.sessions)

    @property
    def total_cpu_s(self) -> float:
        return sum(self.cpu_s.values())


@dataclass(frozen=True, slots=True)
class Stack:
    running: Running
    core: Core
    world: ControlClient
    postmaster: int

    def usage(self) -> Usage:
        cpu = {part: sum(map(_cpu_of, self._family(pid))) for part, pid in self._parts().items()}
        return Usage(time.monotonic(), cpu, self._sessions())

    def memory(self) -> dict[str, int]:
        """Bytes of each part, shared pages divided among those that share them (PSS)."""
        return {part: sum(map(_pss_of, self._family(pid))) for part, pid in self._parts().items()}

    def wait_until(self, done: Callable[[], bool], longest_s: float, *, look_s: float = _LOOK_S) -> None:
        """Keep the stack alive until `done`. Raises TimeoutError."""
        end = time.monotonic() + longest_s
        while not done():
            self.running.supervisor.poll()
            if time.monotonic() > end:
                raise TimeoutError(f"not done after {longest_s:g} s")
            time.sleep(look_s)

    def rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.wait_until(lambda: time.monotonic() >= end, seconds + 1)

    def _parts(self) -> dict[str, int]:
        ours = {name: pid for name, pid in self.running.supervisor.pids.items() if name != Part.SIMULATOR}
        return {**ours, POSTGRES: self.postmaster}

    def _family(self, pid: int) -> list[psutil.Process]:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]

    def _sessions(self) -> int:
        with self.core.begin() as tx:
            found = tx.execute(text("SELECT sum(sessions) FROM pg_stat_database")).scalar_one()
        return int(found)


@contextmanager
def running(*, whole: bool = False) -> Iterator[Stack]:
    """A stack against simulated platforms; `whole`: with the door and Dagster's web server."""
    with tempfile.TemporaryDirectory(prefix="forwarder-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as an unprivileged user
        with up(Settings(home=Path(folder)), "demo" if whole else "once", lambda line: None) as brought_up:
            stage = stage_of(brought_up)
            yield Stack(brought_up, stage.core, stage.world, _postmaster(brought_up))
            stage.core.engine.dispose()


def _postmaster(brought_up: Running) -> int:
    engine = connect(brought_up.databases.forwarder)
    with engine.connect() as tx:
        backend = psutil.Process(int(tx.execute(text("SELECT pg_backend_pid()")).scalar_one()))
        parent = backend.ppid()
    engine.dispose()
    return parent


def _cpu_of(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):  # it has just been counted with its parent
        times = process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0


def _pss_of(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return int(process.memory_full_info().pss)
    return 0
