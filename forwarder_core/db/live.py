"""What just happened, in SQL: waiting until something did, and reading it.

Triggers of the schema notify the channel once per transaction and table that jobs, log events or sign-ins changed; the
payload is the table's name. The fact to know: ids of log events are given out before their transactions end, so a row
may appear below one that was read already; whoever reads on looks a little way back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from psycopg import Connection
from sqlalchemy import Engine, Select, func, select, text

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.flow import jobs
from forwarder_core.db.tables.system import log_events

CHANNEL = "forwarder_live"
_JOB = (jobs.c.id, jobs.c.connection_id, jobs.c.status, jobs.c.step, jobs.c.progress, jobs.c.progress_note)
_LINE = [column for column in log_events.c if column.name not in ("search", "workspace_id")]


class Listener:
    """One connection that hears the channel."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    def wait(self, timeout_s: float) -> set[str]:
        """The tables that changed; empty when none did in so many seconds."""
        heard = {n.payload for n in self._connection.notifies(timeout=timeout_s, stop_after=1)}
        return heard | {n.payload for n in self._connection.notifies(timeout=0)} if heard else heard


@contextmanager
def listening(engine: Engine) -> Iterator[Listener]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            connection.execute(text(f"LISTEN {CHANNEL}"))
            driver: Any = connection.connection.driver_connection
            yield Listener(driver)
        finally:
            connection.invalidate()  # never back into the pool: it would go on hearing


def changed_jobs(tx: Tx, since: datetime, limit: int) -> list[dict[str, Any]]:
    """Jobs that moved after then, in the order they did."""
    query = _jobs().where(jobs.c.changed_at >= since).order_by(jobs.c.changed_at, jobs.c.id).limit(limit)
    return [dict(row) for row in tx.execute(query).mappings()]


def running_jobs(tx: Tx, limit: int) -> list[dict[str, Any]]:
    query = _jobs().where(jobs.c.status == "running").order_by(jobs.c.id).limit(limit)
    return [dict(row) for row in tx.execute(query).mappings()]


def lines_after(tx: Tx, after_id: int, limit: int) -> list[dict[str, Any]]:
    """Log events, oldest first."""
    query = select(*_LINE).where(log_events.c.workspace_id == WORKSPACE, log_events.c.id > after_id)
    return [dict(row) for row in tx.execute(query.order_by(log_events.c.id).limit(limit)).mappings()]


def newest_line(tx: Tx) -> int:
    newest: int = tx.execute(select(func.coalesce(func.max(log_events.c.id), 0))).scalar_one()
    return newest


def _jobs() -> Select[Any]:
    return select(*_JOB, jobs.c.changed_at).where(jobs.c.workspace_id == WORKSPACE, jobs.c.deleted_at.is_(None))
