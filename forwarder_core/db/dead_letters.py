"""Jobs that failed for good, and jobs held for an account's sake, as sets: what is retried, put away or freed together.

One job's own moves are in `jobs`. The fact to know: a deleted dead letter keeps its row, marked, because the row is
also what says that its post has been taken on; `jobs.move` passes by a marked row, so nothing revives one.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, update

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.flow import connections, jobs
from forwarder_core.domain.jobs import JobStatus, WaitReason

_OWN = jobs.c.workspace_id == WORKSPACE


def waiting_for_account(tx: Tx, account_id: int) -> list[int]:
    """Jobs held because the account needs a person, whichever end it is at."""
    uses = or_(connections.c.source_account_id == account_id, connections.c.destination_account_id == account_id)
    held = and_(jobs.c.status == JobStatus.PAUSED, jobs.c.wait_reason == WaitReason.ACCOUNT)
    query = select(jobs.c.id).join(connections, connections.c.id == jobs.c.connection_id)
    return list(tx.execute(query.where(_OWN, uses, held).order_by(jobs.c.id)).scalars())


def dead_of(tx: Tx, error: str, connection_id: int | None = None) -> list[int]:
    """Dead letters whose last error this is, of connections that may start them."""
    query = select(jobs.c.id).join(connections, connections.c.id == jobs.c.connection_id).order_by(jobs.c.id)
    query = query.where(_is_letter(), jobs.c.error_code == error, connections.c.deleted_at.is_(None))
    query = query.where(connections.c.status != "stopped")
    if connection_id is not None:
        query = query.where(jobs.c.connection_id == connection_id)
    return list(tx.execute(query).scalars())


def dead_causes(tx: Tx) -> list[tuple[str, int]]:
    """Error code and how many dead letters have it, the most frequent first."""
    n = func.count()
    query = select(jobs.c.error_code, n).where(_is_letter(), jobs.c.error_code.is_not(None))
    rows = tx.execute(query.group_by(jobs.c.error_code).order_by(n.desc(), jobs.c.error_code))
    return [(code, counted) for code, counted in rows]


def put_away(tx: Tx, job_id: int, now: datetime) -> bool:
    """Take a dead letter off every list; False for what is none."""
    gone = update(jobs).where(_is_letter(), jobs.c.id == job_id).values(deleted_at=now)
    return tx.execute(gone).rowcount == 1


def is_put_away(tx: Tx, job_id: int) -> bool:
    query = select(jobs.c.id).where(_OWN, jobs.c.id == job_id, jobs.c.deleted_at.is_not(None))
    return tx.execute(query).one_or_none() is not None


def _is_letter() -> ColumnElement[bool]:
    return and_(_OWN, jobs.c.status == JobStatus.DEAD, jobs.c.deleted_at.is_(None))
