"""The stack under measurement, in a folder of its own, and what its processes use.

What lives here: bringing it up, with or without the door, and reading CPU, memory and sessions, part by part. The fact
to know: ended children count with their parent, PostgreSQL counts as a part, and the simulated platforms count never.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from sqlalchemy import text

from bench import pooler, worker
from bench.figures import cpu_of
from forwarder_core import db
from forwarder_core.cli.demo import stage_of
from forwarder_core.db.engine import connect
from forwarder_core.embedded.bring_up import Plan, Running, bring_up
from forwarder_core.embedded.databases import Databases
from forwarder_core.embedded.ports import LOOPBACK
from forwarder_core.embedded.stack import DEMO, ONCE, Part, StackPorts, chosen_ports
from forwarder_core.services.context import Core
from forwarder_core.settings import Launcher, Settings
from forwarder_core.simulator import demo
from forwarder_core.simulator.client import ControlClient

POSTGRES = "postgres"
WHOLE, WITHOUT_DOOR, WORLD_ONLY = DEMO, ONCE, frozenset({Part.SIMULATOR})
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds and database sessions of each part since it started, at one moment (`at`: monotonic seconds)."""

    at: float
    cpu_s: Mapping[str, float]
    sessions: int
    pids: Mapping[str, int]

    def since(self, before: Usage) -> Usage:
        """Raises ValueError where a part died and was started anew in between: that is no measurement."""
        if self.pids != before.pids:
            raise ValueError(f"Processes changed in the middle of a measurement: {before.pids}, then {self.pids}")
        spent = {part: spent - before.cpu_s[part] for part, spent in self.cpu_s.items()}
        return Usage(self.at - before.at, spent, self.sessions - before.sessions, self.pids)

    @property
    def total_cpu_s(self) -> float:
        return sum(self.cpu_s.values())


@dataclass(frozen=True, slots=True)
class Stack:
    running: Running
    core: Core
    world: ControlClient
    postmaster: int
    beside: Mapping[str, int] = field(default_factory=dict)  # pids of what is no part: broker and worker, pooler

    def usage(self) -> Usage:
        pids = self._parts()
        cpu = {part: sum(map(cpu_of, self._family(pid))) for part, pid in pids.items()}
        return Usage(time.monotonic(), cpu, self._sessions(), pids)

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

    def share_at_rest(self, seconds: float = 30.0) -> float:
        """CPU seconds a second while nothing is to be forwarded."""
        before = self.usage()
        self.rest(seconds)
        spent = self.usage().since(before)
        return spent.total_cpu_s / spent.at

    def _parts(self) -> dict[str, int]:
        ours = {name: pid for name, pid in self.running.supervisor.pids.items() if name != Part.SIMULATOR}
        return {**ours, **self.beside, POSTGRES: self.postmaster}

    def _family(self, pid: int) -> list[psutil.Process]:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]

    def _sessions(self) -> int:
        with self.core.begin() as tx:
            found = tx.execute(text("SELECT sum(sessions) FROM pg_stat_database")).scalar_one()
        return int(found)


@contextmanager
def running(
    parts: Collection[Part] = WITHOUT_DOOR, launcher: Launcher = Launcher.LOCAL, *, is_pooled: bool = False
) -> Iterator[Stack]:
    """A stack of these parts against simulated platforms, with its administrator's password made up. By Celery its runs
    are on one worker with a folder of its own, beside a Redis. `is_pooled`: its PostgreSQL is behind a PgBouncer."""
    with ExitStack() as up:
        home = Path(
            up.enter_context(tempfile.TemporaryDirectory(prefix="forwarder-bench-", ignore_cleanup_errors=True))
        )
        home.chmod(0o755)  # PostgreSQL runs as an unprivileged user
        ports = up.enter_context(chosen_ports(Settings(home=home), parts))
        settings, env = _settings(home, ports), dict[str, str]()
        site = up.enter_context(worker.site(home)) if launcher is Launcher.CELERY else None
        if site is not None:
            settings, env = site.settings(settings), site.env
        pool = up.enter_context(pooler.before(home)) if is_pooled else None
        if pool is not None:
            settings = settings.model_copy(update={"database_url": pool.database_url})
        plan = Plan(settings=settings, mode="demo", parts=parts, ports=ports, env=env)
        brought_up = up.enter_context(bring_up(plan, prepare=lambda _, made: _migrate(made), report=lambda line: None))
        stage = stage_of(brought_up)
        up.callback(stage.core.engine.dispose)
        beside = dict(up.enter_context(worker.working(site, brought_up, stage.core))) if site else {}
        if pool is not None:
            beside["pgbouncer"] = pool.pid
        yield Stack(brought_up, stage.core, stage.world, _postmaster(brought_up), beside)


def _settings(home: Path, ports: StackPorts) -> Settings:
    gateway, control = f"http://{LOOPBACK}:{ports.gateway}", f"http://{LOOPBACK}:{ports.control}/__control"
    settings = demo.settings_of(Settings(home=home), gateway=gateway, control=control)
    return settings.model_copy(update={"admin_password": f"Bench-1-{secrets.token_urlsafe(16)}"})


def _migrate(databases: Databases) -> None:
    db.migrate(databases.forwarder)


def _postmaster(brought_up: Running) -> int:
    engine = connect(brought_up.databases.forwarder)
    with engine.connect() as tx:
        backend = psutil.Process(int(tx.execute(text("SELECT pg_backend_pid()")).scalar_one()))
        parent = backend.ppid()
    engine.dispose()
    return parent


def _pss_of(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return int(process.memory_full_info().pss)
    return 0
