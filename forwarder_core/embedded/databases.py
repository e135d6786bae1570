"""The two databases of an installation: ours and Dagster's, on the embedded server or on any other.

What lives here: addresses, the first look at a server (there, new enough, allowed), creating and cloning databases.
What does not: tables (forwarder_core.db migrates), the embedded server's life (postgres).
The fact to know: every URL names its driver. SQLAlchemy 2.1 reads a bare postgresql:// as psycopg 3, with which
dagster-postgres fails on its first event.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from forwarder_core.errors import DatabaseUnreachable

OURS = "forwarder"
DAGSTERS = "dagster"
LEAST_SERVER_VERSION = 15
_CONNECT_TIMEOUT_S = 10
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

    Checks that the server answers and is new enough; creates Dagster's database where it is missing.
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
        _create_missing(connection, dagsters)
    with address.connect(dagsters):
        return address.databases(url.database, dagsters)


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
