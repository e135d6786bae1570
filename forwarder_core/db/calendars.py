"""Posts by their day: what arrived or failed on it, and what is planned for it. Reading only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, literal, select

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.flow import connections, jobs, source_posts
from forwarder_core.domain.calendars import DayCount, Entry, Mark
from forwarder_core.domain.jobs import JobStatus

_ENDED = {JobStatus.SUCCESS: Mark.PUBLISHED, JobStatus.DEAD: Mark.FAILED}
_WAITS = (JobStatus.QUEUED, JobStatus.RETRY_WAIT)
_OWN = (jobs.c.workspace_id == WORKSPACE) & jobs.c.deleted_at.is_(None)


def ended(
    tx: Tx, since: datetime, until: datetime, zone: str, connection_id: int | None, *, most: int
) -> tuple[list[Entry], list[DayCount]]:
    """`zone`: whose days are counted. The entries are the first `most` of the span, the counts are of all of it."""
    at = jobs.c.completed_at
    where = (_OWN, jobs.c.status.in_(list(_ENDED)), at >= since, at < until)
    return _found(tx, at, where, zone, connection_id, most)


def planned(
    tx: Tx, now: datetime, since: datetime, until: datetime, zone: str, connection_id: int | None, *, most: int
) -> tuple[list[Entry], list[DayCount]]:
    """The same of what waits; what is due already counts as of `now`."""
    at = func.greatest(func.coalesce(jobs.c.next_attempt_at, literal(now)), literal(now))
    where = (_OWN, jobs.c.status.in_(list(_WAITS)), at >= since, at < until)
    return _found(tx, at, where, zone, connection_id, most)


def coming(tx: Tx, now: datetime, *, most: int) -> list[Entry]:
    """What waits for a moment after `now`, the soonest first."""
    at = jobs.c.next_attempt_at
    where = (_OWN, jobs.c.status.in_(list(_WAITS)), at > now)
    return [_entry(row) for row in tx.execute(_entries(at, where).limit(most))]


def _found(
    tx: Tx, at: Any, where: Sequence[ColumnElement[bool]], zone: str, connection_id: int | None, most: int
) -> tuple[list[Entry], list[DayCount]]:
    wanted = [*where, *([jobs.c.connection_id == connection_id] if connection_id is not None else [])]
    day = func.date(func.timezone(zone, at))
    counted = (
        select(day, connections.c.id, connections.c.name, jobs.c.status, func.count())
        .join(connections, connections.c.id == jobs.c.connection_id)
        .where(*wanted)
        .group_by(day, connections.c.id, connections.c.name, jobs.c.status)
        .order_by(day, connections.c.name)
    )
    counts = [
        DayCount(day=on, connection_id=id_, connection=name, mark=_mark(status), count=n)
        for on, id_, name, status, n in tx.execute(counted)
    ]
    return [_entry(row) for row in tx.execute(_entries(at, wanted).limit(most))], counts


def _entries(at: Any, wanted: Sequence[ColumnElement[bool]]) -> Select[Any]:
    return (
        select(
            at.label("at"), jobs.c.id, jobs.c.status, jobs.c.connection_id, connections.c.name, source_posts.c.caption
        )
        .join(connections, connections.c.id == jobs.c.connection_id)
        .join(source_posts, source_posts.c.id == jobs.c.source_post_id)
        .where(*wanted)
        .order_by(at, jobs.c.id)
    )


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        at=row.at,
        mark=_mark(row.status),
        job_id=row.id,
        connection_id=row.connection_id,
        connection=row.name,
        caption=row.caption,
    )


def _mark(status: str) -> Mark:
    return _ENDED.get(JobStatus(status), Mark.PLANNED)
