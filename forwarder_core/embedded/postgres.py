"""The embedded PostgreSQL: a real server of our own, on loopback, for one home.

What lives here: making the cluster once, starting it, joining one that runs, recovering after a crash of everything.
What does not: whom it runs as and where it lies (binaries), databases and URLs (databases).
The fact to know: `postmaster.pid` outlives a killed machine, and in a container its number soon belongs to another of
our own processes. A server counts as running only when that process stands in the cluster's folder.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from sqlalchemy.engine import URL

from forwarder_core.embedded import binaries
from forwarder_core.embedded.cluster_record import (
    ClusterRecord,
    new_record,
    read_record,
    record_path,
    with_free_port,
    write_record,
)
from forwarder_core.embedded.databases import DAGSTERS, OURS, Databases, ServerAddress
from forwarder_core.embedded.logfile import open_log
from forwarder_core.embedded.ports import LOOPBACK
from forwarder_core.embedded.spawn import Command, User, spawn, stop, tail, wait_until
from forwarder_core.errors import DiskFull, StartError

LOGIN = "forwarder"
START_DEADLINE_S = 120.0  # recovery after a crash replays up to max_wal_size
_JOIN_DEADLINE_S = 60.0
_STOP_GRACE_S = 30.0
_TRIES = 5
_LEAST_FREE_BYTES = 300_000_000

# The server reads no environment of ours: PGPORT, PGDATA or PGOPTIONS of a shell must not reach it.
_ENV = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
_SETTINGS = (
    f"listen_addresses={LOOPBACK}",
    "unix_socket_directories=",
    "max_connections=200",
    "shared_buffers=64MB",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_checkpoints=off",
)
_FAST = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "autovacuum=off",
    "io_method=sync",
)


class EmbeddedPostgresFailed(StartError):
    code = "embedded_postgres_failed"
    action = "Read the log named above, or set FORWARDER_DATABASE_URL to another server."


class Server:
    """A running server. Where `child` is None another process started it, and `stop` leaves it alone."""

    def __init__(self, address: ServerAddress, command: Command, log: Path, child: subprocess.Popen[bytes] | None):
        self.address = address
        self.command = command
        self.log = log
        self.child = child

    @property
    def owned(self) -> bool:
        return self.child is not None

    def url(self, dbname: str = OURS, driver: str | None = "psycopg") -> str:
        """`driver` psycopg for our own code, psycopg2 for Dagster, None for libpq and its tools."""
        return self.address.url(dbname, driver)

    def databases(self) -> Databases:
        return self.address.databases()

    def ensure_databases(self, *names: str) -> None:
        self.address.ensure_databases(*(names or (OURS, DAGSTERS)))

    def is_running(self) -> bool:
        """Whether it takes connections."""
        pid, status = _pid_file(self.command.cwd)
        return status == "ready" and _is_server(pid, self.command.cwd)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop it if we started it."""
        if self.child is not None:
            stop(self.child, self.command.stop_signal, _STOP_GRACE_S)


class Cluster:
    """The cluster of one home. `fast`: for tests; a crash of the machine may lose it."""

    def __init__(self, home: Path, *, fast: bool = False) -> None:
        self._home = home.resolve()
        self._fast = fast
        self._log = self._home / "logs" / "postgres.log"

    def start(self) -> Server:
        """Start it, making it first where there is none; join it where it runs. Raises StartError."""
        with self._one_at_a_time():
            record = read_record(self._home) or write_record(self._home, self._placed())
            data = record.folder(self._home) / "data"
            if self._running(data):
                return self._server(record, data, None)
            if not data.exists():
                self._make(data, record)
            self._check_version(data)
            return self._launch(with_free_port(self._home, record), data)

    def remove(self) -> None:
        """Delete the stopped cluster with all its rows, wherever it lies."""
        record = read_record(self._home)
        if record is not None:
            shutil.rmtree(record.folder(self._home))
            shutil.rmtree(record_path(self._home).parent, ignore_errors=True)

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        record_path(self._home).parent.mkdir(parents=True, exist_ok=True)
        with (record_path(self._home).parent / "start.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _placed(self) -> ClusterRecord:
        folder = binaries.cluster_folder(self._home, binaries.server_user(self._home / "postgres" / "data"))
        return new_record(None if folder.is_relative_to(self._home) else folder)

    def _server(self, record: ClusterRecord, data: Path, child: subprocess.Popen[bytes] | None) -> Server:
        base = URL.create("postgresql", LOGIN, record.password, LOOPBACK, record.port, OURS)
        return Server(ServerAddress(base), self._command(record, data), self._log, child)

    def _command(self, record: ClusterRecord, data: Path) -> Command:
        user = binaries.server_user(data)
        program = str(binaries.install_tree(user) / "bin" / "postgres")
        settings = (f"port={record.port}", *_SETTINGS, *(_FAST if self._fast else ()))
        return Command(
            argv=(program, "-D", str(data), *(part for each in settings for part in ("-c", each))),
            cwd=data,
            env=_ENV,
            user=user,
            # Fast shutdown, or for a cluster nobody will miss, immediate.
            stop_signal=signal.SIGQUIT if self._fast else signal.SIGINT,
        )

    def _running(self, data: Path) -> bool:
        """Whether to join. Waits for one that starts or stops; clears the trace of one that was killed."""
        end = time.monotonic() + _JOIN_DEADLINE_S
        while True:
            pid, status = _pid_file(data)
            if not _is_server(pid, data):
                (data / "postmaster.pid").unlink(missing_ok=True)
                return False
            if status == "ready":
                return True
            if time.monotonic() > end:
                raise EmbeddedPostgresFailed(f"The database server (process {pid}) is {status or 'not ready'}.")
            time.sleep(0.05)

    def _launch(self, record: ClusterRecord, data: Path) -> Server:
        """Tried again where a port was taken under our eyes, or the children of a killed server still end."""
        for _ in range(_TRIES):
            with open_log(self._log) as log:
                started_at = log.tell()
                server = self._server(record, data, None)
                server.child = child = spawn(server.command, log)
            wait_until(lambda: server.is_running() or child.poll() is not None, START_DEADLINE_S)  # noqa: B023
            if server.is_running():
                return server
            server.stop()
            said = tail(self._log, since=started_at)
            if "Address already in use" in said:
                record = with_free_port(self._home, record)
            elif "shared memory block" not in said:
                break
            time.sleep(1)
        raise self._failure("did not start", said)

    def _make(self, data: Path, record: ClusterRecord) -> None:
        """`initdb` beside the final place, renamed when whole."""
        data.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(data.parent).free < _LEAST_FREE_BYTES:
            raise DiskFull(f"Less than {_LEAST_FREE_BYTES // 1_000_000} MB are free on the disk of {data.parent}.")
        user = binaries.server_user(data)
        unfinished, password = data.with_name("data.unfinished"), data.with_name("password.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password.touch(mode=0o600)
        password.write_text(record.password, "utf-8")
        for path in (unfinished, password):
            if user:
                os.chown(path, user.uid, user.gid)
        try:
            self._initdb(unfinished, password, user)
        finally:
            password.unlink()
        unfinished.rename(data)

    def _initdb(self, data: Path, password: Path, user: User | None) -> None:
        argv = [
            str(binaries.install_tree(user) / "bin" / "initdb"),
            f"--pgdata={data}",
            f"--username={LOGIN}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            # The built-in provider sorts alike on every machine and survives a new libc.
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            # Rounds protect weak passwords; ours has 256 bits, and Dagster opens several sessions a second.
            "--set=scram_iterations=1",
            *(["--no-sync"] if self._fast else []),
        ]
        with open_log(self._log) as log:
            started_at = log.tell()
            command = Command(argv=tuple(argv), cwd=data, env=_ENV, user=user)
            if spawn(command, log).wait() != 0:
                raise self._failure("could not be set up", tail(self._log, since=started_at))

    def _check_version(self, data: Path) -> None:
        made_by, ours = (data / "PG_VERSION").read_text("ascii").strip(), str(binaries.MAJOR_VERSION)
        if made_by != ours:
            raise EmbeddedPostgresFailed(
                f"The database in {data} was made by PostgreSQL {made_by}; this release brings {ours}.",
                action="Make a backup with the release that made it, and restore it into a new FORWARDER_HOME.",
            )

    def _failure(self, what: str, said: str) -> StartError:
        if "No space left on device" in said:
            return DiskFull(f"The database {what}: the disk is full.")
        reasons = [line for line in said.splitlines() if "FATAL" in line or "error" in line.lower()]
        reason = (reasons or said.splitlines() or ["no reason given"])[-1].strip()
        return EmbeddedPostgresFailed(f"The embedded database {what}: {reason} (log: {self._log})")


def _pid_file(data: Path) -> tuple[int, str]:
    """Process and status (starting, ready, stopping, standby) as the server last wrote them; 0 for none."""
    try:
        lines = (data / "postmaster.pid").read_text("utf-8").splitlines()
        return int(lines[0]), lines[7].strip() if len(lines) > 7 else ""
    except (OSError, ValueError, IndexError):
        return 0, ""


def _is_server(pid: int, data: Path) -> bool:
    """Whether that process lives and is a server of this very folder (a server's working directory is its data)."""
    try:
        process = psutil.Process(pid) if pid > 0 else None
        return process is not None and Path(process.cwd()) == data and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False
