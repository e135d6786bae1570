"""The two databases of an installation: ours and Dagster's, on the embedded server or on any other.

What lives here: addresses, the first look at a server (there, new enough, allowed), creating and cloning databases.
What does not: tables (forwarder_core.db migrates), the embedded server's life (postgres).
The fact to know: every URL names its driver. SQLAlchemy 2.1 reads a bare postgresql:// as psycopg 3, with which
dagster-postgres fails on its first event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from forwarder_core.errors import DatabaseUnreachable

OURS = "forwarder"
DAGSTERS = "dagster"
LEAST_SERVER_VERSION = 15
_CONNECT_TIMEOUT_S = 10
_TRIES = 3  # others may ask the pooler in the same moment
_CREATE_LOCK = 7_302_118_447_005  # any number, the same in every version


@dataclass(frozen=True, slots=True)
class Databases:
    """Where an installation's rows are. Both hold a password: never for a log or a screen."""

    forwarder: str = field(repr=False)
    dagster: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A PostgreSQL server and a login on it."""

    base: URL

    def url(self, dbname: str, driver: str | None = "psycopg") -> str:
        """`driver` psycopg for our own code, psycopg2 for Dagster, None for libpq and its tools."""
        name = f"postgresql+{driver}" if driver else "postgresql"
        return self.base.set(drivername=name, database=dbname).render_as_string(hide_password=False)

    @property
    def label(self) -> str:
        """For messages: host and port without the login."""
        return f"{self.base.host or 'local'}:{self.base.port or 5432}"

    def databases(self, ours: str = OURS, dagsters: str = DAGSTERS) -> Databases:
        return Databases(self.url(ours), self.url(dagsters, "psycopg2"))

    def connect(self, dbname: str) -> psycopg.Connection:
        """An autocommitting connection. Raises DatabaseUnreachable with one line of reason."""
        try:
            url = self.url(dbname, None)
            return psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S)
        except (psycopg.OperationalError, psycopg.ProgrammingError) as e:
            raise DatabaseUnreachable(f"The database at {self.label} cannot be used: {_reason(e)}") from e

    def ensure_databases(self, *names: str, maintenance: str = "postgres") -> None:
        """Create the missing ones, through the database `maintenance`."""
        with self.connect(maintenance) as connection:
            for name in names:
                _create_missing(connection, name)

    def clone(self, template: str, name: str) -> None:
        """A copy of a database that nobody is connected to; a few tens of milliseconds."""
        with self.connect("postgres") as connection:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))

    def drop(self, name: str) -> None:
        with self.connect("postgres") as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def external(database_url: str) -> Databases:
    """The databases on a server of the admin's: ours as named, Dagster's beside it with `_dagster` after its name.

    Checks that the server answers, is new enough and keeps sessions; creates Dagster's database where it is missing.
    """
    url = make_url(database_url)
    if not url.database:
        raise DatabaseUnreachable("FORWARDER_DATABASE_URL names no database.")
    address, dagsters = ServerAddress(url), f"{url.database}_{DAGSTERS}"
    with address.connect(url.database) as connection:
        version = connection.info.server_version // 10_000
        if version < LEAST_SERVER_VERSION:
            raise DatabaseUnreachable(
                f"The server at {address.label} is PostgreSQL {version}; {LEAST_SERVER_VERSION} is the least.",
                action=f"Upgrade it, or use a server of version {LEAST_SERVER_VERSION} or newer.",
            )
        if not _keeps_sessions(connection, lambda: address.connect(str(url.database))):
            raise DatabaseUnreachable(
                f"At {address.label} a pooler hands sessions out by transaction or statement; whole ones are needed.",
                action="Set pool_mode = session in PgBouncer, or name the server itself in FORWARDER_DATABASE_URL.",
            )
        _create_missing(connection, dagsters)
    with address.connect(dagsters):
        return address.databases(url.database, dagsters)


def _keeps_sessions(session: psycopg.Connection, another: Callable[[], psycopg.Connection]) -> bool:
    """False where a pooler is in between that gives a session, once it was asked, to whoever asks next.

    Its clients are told process numbers that no server has. Another session that is in a transaction of its own then
    holds the one that has just answered here.
    """
    first = _process(session)
    if first == session.info.backend_pid:
        return True
    with another() as other:
        try:
            for _ in range(_TRIES):
                with other.transaction():
                    _process(other)
                    if _process(session) != first:
                        return False
        except psycopg.errors.ProtocolViolation:  # one that hands out single statements opens no transaction
            return False
    return True


def _process(session: psycopg.Connection) -> int:
    row = session.execute("SELECT pg_backend_pid()", prepare=False).fetchone()
    return int(row[0]) if row else 0


def _create_missing(connection: psycopg.Connection, name: str) -> None:
    connection.execute("SELECT pg_advisory_lock(%s)", (_CREATE_LOCK,))  # until the connection is closed
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
        return
    try:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.Error as e:
        raise DatabaseUnreachable(
            f"The database {name} is missing and could not be created: {_reason(e)}",
            action=f"Create the database {name} for this login, or give the login the right CREATEDB.",
        ) from e


def _reason(error: Exception) -> str:
    """What libpq says at the end, without its question and without host and port again."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and "Is the server running" not in line]
    return lines[-1].rpartition(" failed: ")[2].removeprefix("FATAL:").strip() if lines else type(error).__name__
