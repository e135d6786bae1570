"""The whole product on this machine, from nothing to ready, and down again.

What lives here: lock, database, Dagster's folder, processes, in that order; the state that others join by.
What does not: what a mode of ours prints, seeds or checks (cli): it comes in as `prepare`.
The fact to know: children get the settings as they turned out (the database's address, the door's real port), so
whatever a child reads from its settings is true.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from forwarder_core.embedded.dagster_home import begin_dagster_schema, render
from forwarder_core.embedded.databases import Databases, external
from forwarder_core.embedded.environment import child_environment
from forwarder_core.embedded.lock import HomeLock, RunState
from forwarder_core.embedded.ports import LOOPBACK
from forwarder_core.embedded.postgres import Cluster
from forwarder_core.embedded.stack import (
    Part,
    StackPorts,
    Stems,
    bound_to,
    reachable_as,
    stages,
    webserver_url,
)
from forwarder_core.embedded.supervisor import Process, Report, Supervisor
from forwarder_core.errors import DiskFull, StartError
from forwarder_core.settings import Settings

_LEAST_FREE_BYTES = 200_000_000

Prepare = Callable[[Settings, Databases], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to start. `mode` is for the state file: up, demo or once. `env`: what every child is told besides.

    `deaths_within_s`: six deaths of one process in that time are too many.
    """

    settings: Settings
    mode: str
    parts: Collection[Part]
    ports: StackPorts
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    deaths_within_s: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A stack that is up. `settings` are those of its children, `env` their environment."""

    supervisor: Supervisor
    settings: Settings
    databases: Databases
    ports: StackPorts
    state: RunState
    env: Mapping[str, str] = field(repr=False)


@contextmanager
def bring_up(plan: Plan, *, prepare: Prepare, report: Report) -> Iterator[Running]:
    """Start the parts and stop them at the end. `prepare` runs between the database and the first process.

    Raises AlreadyRunning, PortTaken, DiskFull, DatabaseUnreachable and the other StartErrors; Stopped on a signal.
    """
    home = plan.settings.home
    check_home(home)
    supervisor = Supervisor(home / "logs", report, within_s=plan.deaths_within_s)
    with HomeLock(home) as lock, supervisor.running():
        running = _start(plan, prepare, supervisor)
        lock.publish(running.state)
        yield running


def _start(plan: Plan, prepare: Prepare, supervisor: Supervisor) -> Running:
    stems = _sow(plan, supervisor)
    databases = open_databases(plan.settings, supervisor)
    supervisor.report("database ready")
    bind = f"{bound_to(plan.settings).host}:{plan.ports.door}"
    settings = plan.settings.model_copy(update={"database_url": databases.forwarder, "bind": bind})
    env = child_environment(
        settings,
        dagster_home=render(settings, plan.ports.code_server),
        dagster_database=databases.dagster,
        webserver=webserver_url(plan.ports),
    ) | dict(plan.env)
    await_schema = begin_dagster_schema(supervisor, databases, env, stems.dagsters if stems else None)
    prepare(settings, databases)
    supervisor.report("tables ready")
    _start_stages(stages(settings, plan.ports, env, plan.parts, stems), supervisor, await_schema)
    return Running(
        supervisor=supervisor,
        settings=settings,
        databases=databases,
        ports=plan.ports,
        state=_state(settings, plan, databases),
        env=env,
    )


def _start_stages(planned: list[list[Process]], supervisor: Supervisor, await_schema: Callable[[], None]) -> None:
    """One after the other, but for the door: it takes longest and nobody asks it, so it is waited for last."""
    doors = []
    for stage in planned:
        doors += [supervisor.sow(process) for process in stage if process.name == Part.DOOR]
        others = [process for process in stage if process.name != Part.DOOR]
        if any(process.name == Part.CODE_SERVER for process in others):
            await_schema()  # it and the launcher open Dagster's database, and make the tables they do not find
        supervisor.start(*others)
        supervisor.report(f"{', '.join(process.name for process in others)} ready")
    for await_ready in doors:
        await_ready()
        supervisor.report(f"{Part.DOOR} ready")


def _sow(plan: Plan, supervisor: Supervisor) -> Stems | None:
    """Have the stems begin with their imports while the database starts, whose address they need not know."""
    stems = Stems.here() if set(plan.parts) - {Part.SIMULATOR} else None
    if stems is not None:
        folder = plan.settings.home / "dagster"
        env = child_environment(plan.settings, dagster_home=folder, dagster_database="", webserver="")
        supervisor.sow(*stems.processes(env | dict(plan.env)))
    return stems


def open_databases(settings: Settings, supervisor: Supervisor) -> Databases:
    """The databases of these settings: the admin's server, else the embedded one, kept alive by the supervisor."""
    if settings.database_url:
        return external(settings.database_url)
    server = Cluster(settings.home).start()
    supervisor.adopt("postgres", server)
    server.ensure_databases()
    return server.databases()


def check_home(home: Path) -> None:
    """Raise DiskFull or StartError where this home cannot be worked in."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / f".write-test-{os.getpid()}"
        probe.write_bytes(b"1")
        probe.unlink()
    except OSError as e:
        if e.errno == errno.ENOSPC:
            raise DiskFull(f"The disk of {home} is full.") from e
        raise StartError(
            f"{home} cannot be written to ({e.strerror}).", action="Give FORWARDER_HOME a folder of this user's own."
        ) from e
    if shutil.disk_usage(home).free < _LEAST_FREE_BYTES:
        raise DiskFull(f"Less than {_LEAST_FREE_BYTES // 1_000_000} MB are free on the disk of {home}.")


def _state(settings: Settings, plan: Plan, databases: Databases) -> RunState:
    has_simulator, has_door = Part.SIMULATOR in plan.parts, Part.DOOR in plan.parts
    here = f"http://{reachable_as(bound_to(settings).host)}:{plan.ports.door}"
    return RunState(
        pid=os.getpid(),
        mode=plan.mode,
        url=(settings.public_url or here).rstrip("/") if has_door else None,
        forwarder_database=databases.forwarder,
        dagster_database=databases.dagster,
        control=f"http://{LOOPBACK}:{plan.ports.control}/__control" if has_simulator else None,
        gateway=f"http://{LOOPBACK}:{plan.ports.gateway}" if has_simulator else None,
        ports=plan.ports.as_dict(),
    )
