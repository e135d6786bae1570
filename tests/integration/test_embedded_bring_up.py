"""The whole on this machine, without its processes: lock, database, state, and everything gone at the end."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from forwarder_core.embedded.bring_up import Plan, bring_up, check_home
from forwarder_core.embedded.databases import Databases
from forwarder_core.embedded.lock import is_held, running
from forwarder_core.embedded.postgres import Server
from forwarder_core.embedded.stack import StackPorts
from forwarder_core.errors import AlreadyRunning, StartError
from forwarder_core.settings import Settings

pytestmark = pytest.mark.slow

PORTS = StackPorts(door=1, code_server=2, webserver=3, gateway=4, control=5)


def plan(home: Path, database_url: str | None = None) -> Plan:
    settings = Settings(home=home, database_url=database_url)
    return Plan(settings=settings, mode="test", parts=(), ports=PORTS)


def quiet(_line: str) -> None: ...


def nothing(_settings: Settings, _databases: Databases) -> None: ...


def test_a_stack_has_its_databases_says_where_it_is_and_leaves_nothing(open_folder: Path) -> None:
    home = open_folder / "whole"
    prepared: list[str] = []
    with bring_up(plan(home), prepare=lambda s, d: prepared.append(d.forwarder), report=quiet) as stack:
        assert running(home) == stack.state
        assert prepared == [stack.settings.database_url] == [stack.state.forwarder_database]
        psycopg.connect(stack.databases.dagster.replace("+psycopg2", "")).close()
        pids = stack.supervisor.pids
        with pytest.raises(AlreadyRunning), bring_up(plan(home), prepare=nothing, report=quiet):
            pass
    assert not is_held(home) and running(home) is None
    assert "postgres" in pids and not any(Path(f"/proc/{pid}").exists() for pid in pids.values())


def test_an_own_server_is_used_and_not_stopped(postgres: Server, open_folder: Path) -> None:
    postgres.ensure_databases("own")
    with bring_up(plan(open_folder / "own", postgres.url("own", None)), prepare=nothing, report=quiet) as stack:
        assert stack.databases.dagster.endswith("/own_dagster")
        assert "postgres" not in stack.supervisor.pids
    assert postgres.is_running()
    for name in ("own", "own_dagster"):
        postgres.address.drop(name)


def test_what_fails_in_between_leaves_no_server(open_folder: Path) -> None:
    home = open_folder / "failing"

    def fails(_settings: Settings, _databases: Databases) -> None:
        raise StartError("The tables cannot be made.")

    with pytest.raises(StartError, match="cannot be made"), bring_up(plan(home), prepare=fails, report=quiet):
        pass
    assert not is_held(home)
    assert not (home / "postgres" / "data" / "postmaster.pid").exists()


def test_a_home_that_cannot_be_written_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="cannot be written to"):
        check_home(tmp_path / "file")
