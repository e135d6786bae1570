"""One installation on a database, one version with its tables: whoever comes second goes no further, and says why."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from forwarder_core import db
from forwarder_core.cli import container, up
from forwarder_core.clock import ManualClock
from forwarder_core.db import schema
from forwarder_core.db.schema import SchemaOlder
from forwarder_core.embedded.postgres import Server
from forwarder_core.errors import AlreadyRunning
from forwarder_core.services import forwarding, occupying
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.context import Core
from forwarder_core.services.occupying import Seat, see_free
from forwarder_core.settings import Settings
from forwarder_core.vault import UnreadableSecret
from forwarder_pipelines import keeper
from tests.factories import add_account, add_connection, add_job, dispatch, make_core

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occupying, "_WAIT_S", 0.05)
    monkeypatch.setattr(keeper, "ROUND_S", 0.05)


@pytest.fixture
def elsewhere(core: Core, tmp_path: Path) -> Settings:
    """Another home that names the same database."""
    return core.settings.model_copy(update={"home": tmp_path / "elsewhere"})


def on_another_machine(core: Core, elsewhere: Settings) -> Core:
    return Core(elsewhere, core.engine, core.vault, core.clock)


@contextmanager
def tables_at(core: Core, revision: str) -> Iterator[None]:
    """As if another version had moved them."""
    move = text("UPDATE alembic_version SET version_num = :revision")
    with core.begin() as tx:
        tx.execute(move, {"revision": revision})
    try:
        yield
    finally:
        with core.begin() as tx:
            tx.execute(move, {"revision": schema.known()[-1]})


def test_a_second_installation_is_refused_until_the_first_has_gone(
    core: Core, elsewhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Seat(core) as first, Seat(on_another_machine(core, elsewhere)) as second:
        first.keep()
        for refused in (second.keep, lambda: see_free(elsewhere)):
            with pytest.raises(
                AlreadyRunning, match=r"Another installation runs on this database. It is on the machine"
            ):
                refused()
        first.keep()
        monkeypatch.setattr(occupying.socket, "gethostname", lambda: "another-container")
        see_free(core.settings)  # its own parts start beside it, whatever their machines are called
    see_free(elsewhere)
    with Seat(on_another_machine(core, elsewhere)) as second:
        second.keep()


def test_neither_a_supervisor_nor_containers_touch_the_database_of_another(
    core: Core, elsewhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {"FORWARDER_HOME": str(elsewhere.home), "FORWARDER_DATABASE_URL": str(elsewhere.database_url)}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with Seat(core) as first, tables_at(core, "0001"):
        with pytest.raises(SchemaOlder):
            first.keep()
        for begin in (up.command, lambda: container.migrate(env)):
            with pytest.raises(AlreadyRunning):
                begin()
        with core.begin() as tx:
            assert not schema.is_ours(tx), "its tables are as they were"


def test_a_home_without_the_installations_keys_is_refused(core: Core, elsewhere: Settings) -> None:
    occupying.see_keys(elsewhere)  # nothing is sealed yet
    add_account(core)
    occupying.see_keys(core.settings)
    with pytest.raises(UnreadableSecret, match="open none of the credentials"):
        occupying.see_keys(elsewhere)
    elsewhere.key_file.write_text(f"{elsewhere.key_file.read_text()}{core.settings.key_file.read_text()}")
    occupying.see_keys(elsewhere)


def test_a_seat_that_a_restart_of_the_database_took_is_taken_again(core: Core, elsewhere: Settings) -> None:
    with Seat(core) as seat:
        seat.keep()
        with core.begin() as tx:
            ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE :name"
            assert tx.execute(text(ended), {"name": "forwarder-seat %"}).scalar_one() == 1
        with pytest.raises(SQLAlchemyError):
            seat.keep()
        see_free(elsewhere)
        seat.keep()
        with pytest.raises(AlreadyRunning):
            see_free(elsewhere)


def test_the_keeper_waits_for_its_database_and_its_tables(postgres: Server, clock: ManualClock, tmp_path: Path) -> None:
    name, stopping, sat = "comes_later", threading.Event(), threading.Event()
    with make_core(postgres.url(name), clock, tmp_path) as core, Seat(core) as seat:

        def sit_down() -> None:
            if keeper._sit_down(seat, stopping):
                sat.set()

        waiting = threading.Thread(target=sit_down)
        waiting.start()
        assert not sat.wait(0.3), "there is no database yet"
        postgres.ensure_databases(name)
        assert not sat.wait(0.3), "and no table in it"
        db.migrate(postgres.url(name))
        assert sat.wait(20)
        waiting.join()
    postgres.address.drop(name)


def test_a_keeper_that_is_asked_to_stop_waits_no_longer(postgres: Server, clock: ManualClock, tmp_path: Path) -> None:
    stopping = threading.Event()
    stopping.set()
    with make_core(postgres.url("never_there"), clock, tmp_path) as core, Seat(core) as seat:
        assert not keeper._sit_down(seat, stopping)


@pytest.mark.parametrize(
    ("revision", "ending"), [("0099", SystemExit), ("0001", SchemaOlder)], ids=["updated", "led back"]
)
def test_beside_the_tables_of_another_version_the_keeper_does_nothing_and_no_job_is_taken(
    core: Core, revision: str, ending: type[BaseException]
) -> None:
    job = add_job(core, add_connection(core))
    launch = dispatch(core, job)
    with Seat(core) as seat, tables_at(core, revision):
        with pytest.raises(ending, match=f"The tables are at revision {revision}"):
            keeper._keep(seat)
        assert forwarding.claim(core, job, launch.dispatch_no, "run-1") is None
        assert "another version" in Carrier(core, job, launch.dispatch_no, "run-1").why_not()
    assert forwarding.claim(core, job, launch.dispatch_no, "run-1") is not None
