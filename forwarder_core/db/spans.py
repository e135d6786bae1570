"""A span of time as a span of ids: what is older or newer than asked is never read, however much there is of it.

The fact to know: ids are given in the order of time, but for transactions that took long. An hour's grace covers those,
and the times themselves are asked for as well.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Column, ColumnElement, and_, func, not_, select, text

from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.flow import jobs

_OUT_OF_ORDER = timedelta(hours=1)
_STRAYS = 200
_LONG = timedelta(hours=22)
_IS_LONG = text("completed_at - created_at > interval '22 hours'")  # as `ix_jobs_long` has it


def at_hour(at: ColumnElement[datetime], hour: int, zone: str) -> ColumnElement[bool]:
    """Within this hour of any local day."""
    return func.extract("hour", func.timezone(zone, at)) == hour


def ended(tx: Tx, since: datetime | None, until: datetime | None) -> list[list[ColumnElement[bool]]]:
    """Ranges of jobs that together are those that ended from `since` on and before `until`; none is in two.

    A job that ended then was made before `until`, and not a day before `since`, unless it is among the long ones.
    """
    asked: list[ColumnElement[bool]] = []
    if until is not None:
        asked += [jobs.c.completed_at < until, *within(tx, jobs.c.id, jobs.c.created_at, None, until)]
    if since is None:
        return [asked] if asked else [[]]
    asked.append(jobs.c.completed_at >= since)
    swift = within(tx, jobs.c.id, jobs.c.created_at, since - _LONG, None)
    found = select(jobs.c.id).where(_IS_LONG, *asked, not_(and_(*swift)))
    long = found.cte("long").prefix_with("MATERIALIZED", dialect="postgresql")
    return [[*asked, *swift], [jobs.c.id.in_(select(long.c.id))]]


def within(
    tx: Tx, id_: Column[int], at: Column[datetime], since: datetime | None, until: datetime | None
) -> list[ColumnElement[bool]]:
    """What a row from `since` to `until`, both included, fulfils. Wants an index that begins with `at`."""
    clauses: list[ColumnElement[bool]] = []
    if since is not None:
        clauses.append(at >= since)
        strays = select(id_).where(at < since - _OUT_OF_ORDER).order_by(at.desc()).limit(_STRAYS).subquery()
        last = tx.execute(select(func.max(strays.c.id))).scalar_one()
        clauses += [id_ > last] if last is not None else []
    if until is not None:
        clauses.append(at <= until)
        strays = select(id_).where(at > until + _OUT_OF_ORDER).order_by(at).limit(_STRAYS).subquery()
        first = tx.execute(select(func.min(strays.c.id))).scalar_one()
        clauses += [id_ < first] if first is not None else []
    return clauses
