"""The embedded PostgreSQL: made, joined, stopped, recovered, refused."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy.engine import make_url

from forwarder_core.embedded import binaries
from forwarder_core.embedded.cluster_record import read_record, record_path
from forwarder_core.embedded.databases import external
from forwarder_core.embedded.postgres import Cluster, EmbeddedPostgresFailed, Server
from forwarder_core.errors import DatabaseUnreachable
from tests.integration.small_pooler import pooling

pytestmark = pytest.mark.slow

START_AND_WAIT = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from forwarder_core.embedded.postgres import Cluster
server = Cluster(Path(sys.argv[1]), fast=True).start()
print(server.child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def home(open_folder: Path) -> Path:
    """One cluster for this module: making one is the slow part."""
    return open_folder / "a home with spaces"


def one(server: Server, query: str) -> object:
    with psycopg.connect(server.url("postgres", None)) as connection:
        row = connection.execute(query).fetchone()
    return row[0] if row else None


def test_a_first_start_makes_a_server_and_a_second_joins_it(home: Path) -> None:
    server = Cluster(home, fast=True).start()
    try:
        joined = Cluster(home).start()
        assert server.owned and not joined.owned
        assert joined.url() == server.url()
        joined.stop()
        assert server.is_running()
        assert one(server, "SHOW server_version_num") >= "150000"
    finally:
        server.stop()
    assert not server.is_running()


def test_the_server_asks_for_a_password_and_listens_on_loopback_only(home: Path) -> None:
    server = Cluster(home, fast=True).start()
    try:
        url = server.address.base.set(drivername="postgresql", password="wrong", database="postgres")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(url.render_as_string(hide_password=False))
        assert one(server, "SHOW listen_addresses") == "127.0.0.1"
        assert one(server, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'") == 0
    finally:
        server.stop()
    assert stat.S_IMODE(record_path(home).stat().st_mode) == 0o600
    assert "password" not in repr(read_record(home))


def test_databases_are_made_cloned_and_dropped(postgres: Server) -> None:
    postgres.ensure_databases("made_twice")
    postgres.ensure_databases("made_twice")
    with psycopg.connect(postgres.url("made_twice", None)) as connection:
        connection.execute("CREATE TABLE t AS SELECT 7 AS n")
    postgres.address.clone("made_twice", "its_clone")
    with psycopg.connect(postgres.url("its_clone", None)) as connection:
        assert connection.execute("SELECT n FROM t").fetchone() == (7,)
    for name in ("made_twice", "its_clone"):
        postgres.address.drop(name)
    assert one(postgres, "SELECT count(*) FROM pg_database WHERE datname LIKE '%clone'") == 0


def test_the_server_dies_with_a_killed_parent_and_starts_again(home: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", START_AND_WAIT, str(home)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    end = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "the server outlived its parent"
        time.sleep(0.05)
    server = Cluster(home, fast=True).start()
    assert server.owned
    server.stop()


def test_a_killed_server_recovers(home: Path) -> None:
    server = Cluster(home, fast=True).start()
    assert server.child
    server.child.kill()
    server.child.wait()
    again = Cluster(home, fast=True).start()
    try:
        assert one(again, "SELECT 1") == 1
    finally:
        again.stop()


def test_a_stale_pid_file_that_names_another_process_is_no_server(home: Path) -> None:
    record = read_record(home)
    assert record
    pid_file = record.folder(home) / "data" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{pid_file.parent}\n0\n{record.port}\n\n127.0.0.1\n\nready\n")
    server = Cluster(home, fast=True).start()
    assert server.owned
    server.stop()


def test_a_cluster_of_another_version_is_refused_in_words(home: Path) -> None:
    record = read_record(home)
    assert record
    version = record.folder(home) / "data" / "PG_VERSION"
    before = version.read_text()
    version.write_text("14\n")
    try:
        with pytest.raises(EmbeddedPostgresFailed, match="made by PostgreSQL 14"):
            Cluster(home, fast=True).start()
    finally:
        version.write_text(before)


def test_a_server_of_the_admins_gets_dagsters_database_beside_ours(postgres: Server) -> None:
    postgres.ensure_databases("of_the_admin")
    found = external(postgres.url("of_the_admin", None))
    assert found.forwarder.startswith("postgresql+psycopg://")
    assert found.dagster.startswith("postgresql+psycopg2://") and found.dagster.endswith("of_the_admin_dagster")
    assert external(postgres.url("of_the_admin")) == found
    assert "password" not in repr(found)


@pytest.mark.parametrize("by_session", [True, False])
def test_a_pooler_before_it_is_let_pass_where_it_hands_out_whole_sessions(postgres: Server, by_session: bool) -> None:
    postgres.ensure_databases("behind_a_pooler")
    with pooling(make_url(postgres.url("behind_a_pooler", None)), by_session=by_session) as url:
        if by_session:
            assert make_url(external(url).forwarder).database == "behind_a_pooler"
            return
        with pytest.raises(DatabaseUnreachable) as caught:
            external(url)
    assert "by transaction" in caught.value.message and "pool_mode = session" in caught.value.action


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(DatabaseUnreachable) as caught:
        external("postgresql://me:s3cret@127.0.0.1:1/forwarder")
    assert "127.0.0.1:1" in caught.value.message
    assert "\n" not in caught.value.message and "s3cret" not in caught.value.message


def test_a_cluster_lies_where_its_user_can_go_and_nothing_is_opened(tmp_path: Path) -> None:
    """Root gives it to another user, elsewhere; a plain user keeps it in its own closed folder."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    cluster = Cluster(closed / "home", fast=True)
    server = cluster.start()
    try:
        is_root, user = os.geteuid() == 0, server.command.user
        assert (user is not None and user.uid != 0) if is_root else user is None
        assert server.command.cwd.is_relative_to(closed) is not is_root
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    finally:
        server.stop()
        cluster.remove()
    assert not server.command.cwd.exists()
    assert binaries.reachable(Path("/"), server.command.user)


def test_a_copy_of_the_programs_runs_from_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_SHARED_ROOT", tmp_path / "shared")
    monkeypatch.setattr(binaries, "reachable", lambda folder, user: False)
    program = binaries.install_tree(None) / "bin" / "initdb"
    assert program.is_relative_to(tmp_path)
    said = subprocess.run([program, "--version"], env={}, capture_output=True, text=True, check=True).stdout
    assert f"PostgreSQL) {binaries.MAJOR_VERSION}." in said
    assert binaries.install_tree(None) / "bin" / "initdb" == program


def test_two_at_once_make_one_database(postgres: Server) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: postgres.ensure_databases("wanted_by_many"), range(4)))
    postgres.address.drop("wanted_by_many")
