"""The way to Postgres: engine, transactions, and the database's clock.

The fact to know: this product speaks to Postgres through psycopg 3 and says so in every URL; Dagster's storage needs
psycopg 2. SQLAlchemy gives a bare `postgresql://` to psycopg 3, so a URL without a driver must not reach Dagster.
"""

from __future__ import annotations

import select
import threading
import time
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Select, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError, OperationalError

from forwarder_core.errors import DatabaseUnreachable

Tx = Connection  # one open transaction; every query function takes it first

_CLOCK_SYNC_S = 30.0
# Opened when needed and closed after use. A sign-in holds two sessions while the platform answers, and the code server
# looks at sixteen sources at once (two shards of eight).
_MOST_BESIDES = 30
# A server that is cut off says nothing, and by itself TCP waits for a quarter of an hour: half a minute will do.
_LINK = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}


def connect(url: str, *, pool_size: int = 5, name: str = "forwarder") -> Engine:
    """An engine on `url`, whatever driver it names. Opens nothing yet."""
    target = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(
        target,
        pool_size=pool_size,
        max_overflow=_MOST_BESIDES,
        hide_parameters=True,  # an error text must not carry a row's values
        connect_args={"connect_timeout": 5, "application_name": name, **_LINK},
    )
    return drop_dead_sessions(engine)


def drop_dead_sessions(engine: Engine) -> Engine:
    """Never hand out a session whose server has ended it, as a restart does; a fresh one takes its place.

    A server that ends a session says so, and the socket of one at rest is silent otherwise. So the question that
    `pool_pre_ping` puts to the server before every use is put only to a socket that has something to say.
    """

    @event.listens_for(engine, "checkout")
    def look(session: Any, record: object, proxy: object) -> None:
        dialect = engine.dialect
        try:
            if _has_spoken(session.fileno()):
                dialect.do_ping(session)
        except dialect.loaded_dbapi.Error as e:
            raise DisconnectionError("The server has ended this session.") from e

    return engine


def do_not_wait(tx: Tx) -> None:
    """Have the commit not wait for the disk: for what may be lost in a crash of the server, such as a step message."""
    tx.exec_driver_sql("SET LOCAL synchronous_commit TO off")


def planned_rows(tx: Tx, query: Select[Any]) -> int:
    """How many rows the planner takes this for; it is not run."""
    asked = query.compile(dialect=tx.dialect, compile_kwargs={"render_postcompile": True})
    told = tx.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {asked}", asked.params).scalar_one()
    return int(told[0]["Plan"]["Plan Rows"])


def _has_spoken(socket: int) -> bool:
    poll = select.poll()  # select() knows no socket beyond the 1024th
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))


def check(engine: Engine) -> None:
    """Raise DatabaseUnreachable, in one sentence without the password, unless the server answers."""
    try:
        with engine.connect() as tx:
            tx.execute(text("SELECT 1"))
    except OperationalError as e:
        where = engine.url.render_as_string(hide_password=True)
        reason = str(e.orig).strip().splitlines()[-1] if e.orig else "no answer"
        raise DatabaseUnreachable(f"The database at {where} does not answer: {reason}") from e


class DatabaseClock:
    """The server's time, so that machines agree on leases; asked every 30 s, carried on by our monotonic clock."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._base: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        with self._lock:
            here = time.monotonic()
            if self._base is None or here - self._base[1] > _CLOCK_SYNC_S:
                with self._engine.connect() as tx:
                    server: datetime = tx.execute(text("SELECT clock_timestamp()")).scalar_one()
                self._base = (server, time.monotonic())
                here = self._base[1]
            return self._base[0] + timedelta(seconds=here - self._base[1])
