"""The quota ledger in SQL: what each scope's day has been used for, and what jobs under way have reserved of it.

A scope is text of ours: `account:<id>` or `<platform>:<quota>:<project>`. The fact to know: a reservation counts only
while its job is under way, whatever ends it, so nothing has to be given back by hand; what was used stays used.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import and_, case, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.flow import jobs
from forwarder_core.db.tables.quotas import quota_entries, quota_ledger
from forwarder_core.domain.jobs import JobStatus

RESERVED, USED = "reserved", "used"
_OWN = quota_entries.c.workspace_id == WORKSPACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One scope's day. `used` counts every unit, `reserved` those of jobs under way; None = nobody told."""

    scope: str
    day: date
    used: int = 0
    reserved: int = 0
    cap: int | None = None


def days(tx: Tx, wanted: Collection[date], now: datetime) -> tuple[dict[tuple[str, date], Day], dict[str, datetime]]:
    """Every scope anything is known of on one of these days; and until when each that is refused by its platform is,
    whatever day that was said on. What is reserved counts while its job is under way."""
    dispatched = and_(jobs.c.status.in_([JobStatus.QUEUED, JobStatus.RETRY_WAIT]), jobs.c.dispatched_until >= now)
    # Asked of each reservation alone: joined, a million jobs have been read for a handful.
    is_under_way = (
        select(jobs.c.id)
        .where(jobs.c.id == quota_entries.c.job_id, or_(jobs.c.status == JobStatus.RUNNING, dispatched))
        .correlate(quota_entries)
        .exists()
    )
    units, state = quota_entries.c.units, quota_entries.c.state
    counted = (
        select(
            quota_entries.c.scope,
            quota_entries.c.day,
            func.coalesce(func.sum(units).filter(state == USED), 0).label("used"),
            func.coalesce(func.sum(units).filter(state == RESERVED, is_under_way), 0).label("reserved"),
        )
        .where(_OWN, quota_entries.c.day.in_(wanted))
        .group_by(quota_entries.c.scope, quota_entries.c.day)
    )
    told = select(quota_ledger).where(
        quota_ledger.c.workspace_id == WORKSPACE,
        or_(quota_ledger.c.day.in_(wanted), quota_ledger.c.full_until > now),
    )
    found = {
        (row.scope, row.day): Day(scope=row.scope, day=row.day, used=int(row.used), reserved=int(row.reserved))
        for row in tx.execute(counted)
    }
    closed: dict[str, datetime] = {}
    for row in tx.execute(told):
        if row.full_until is not None and row.full_until > now:
            closed[row.scope] = max(row.full_until, closed.get(row.scope, now))
        known = found.get((row.scope, row.day)) or Day(scope=row.scope, day=row.day)
        used = max(known.used + row.used, row.told_used or 0)
        found[row.scope, row.day] = replace(known, used=used, cap=row.cap)
    return found, closed


def reserve(tx: Tx, wanted: Iterable[tuple[int, str, date]], now: datetime) -> None:
    """For each (job, scope, day); a job that has its place there already keeps it."""
    rows = [{"job_id": job, "scope": scope, "day": day, "at": now} for job, scope, day in wanted]
    if rows:
        made = upsert(quota_entries).values(rows)
        tx.execute(made.on_conflict_do_nothing(index_elements=["day", "scope", "job_id"]))


def has_place(tx: Tx, job_id: int, places: Collection[tuple[str, date]]) -> bool:
    """Has the job a place, reserved or used, in each of these scopes and days?"""
    query = select(quota_entries.c.scope, quota_entries.c.day).where(quota_entries.c.job_id == job_id)
    return set(places) <= {(row.scope, row.day) for row in tx.execute(query)}


_USED = upsert(quota_entries)
_PLACE = ["day", "scope", "job_id"]
_NOW = {"state": _USED.excluded.state, "at": _USED.excluded.at}
_AGAIN = case((quota_entries.c.state == USED, quota_entries.c.units + 1), else_=quota_entries.c.units)
_USE = _USED.on_conflict_do_update(index_elements=_PLACE, set_=_NOW)
_USE_EACH_TIME = _USED.on_conflict_do_update(index_elements=_PLACE, set_=_NOW | {"units": _AGAIN})


def use(tx: Tx, job_id: int, scope: str, day: date, now: datetime, *, each_time: bool = False) -> None:
    """The job has used its place; `each_time`: a second use is one unit more."""
    said = {"job_id": job_id, "scope": scope, "day": day, "state": USED, "at": now}
    tx.execute(_USE_EACH_TIME if each_time else _USE, said)


def give_back(tx: Tx, job_id: int, scope: str) -> None:
    """The destination refused the post: it has not had it after all."""
    tx.execute(delete(quota_entries).where(quota_entries.c.job_id == job_id, quota_entries.c.scope == scope))


def count_units(tx: Tx, scope: str, day: date, units: int) -> None:
    made = upsert(quota_ledger).values(scope=scope, day=day, used=units)
    more = {"used": quota_ledger.c.used + units}
    tx.execute(made.on_conflict_do_update(index_elements=["workspace_id", "scope", "day"], set_=more))


def tell(tx: Tx, scope: str, day: date, **told: Any) -> None:
    """What the platform itself said: cap, told_used, told_at, full_until."""
    made = upsert(quota_ledger).values(scope=scope, day=day, **told)
    tx.execute(made.on_conflict_do_update(index_elements=["workspace_id", "scope", "day"], set_=dict(told)))


def forget(tx: Tx, before: date) -> int:
    """Delete days long gone; how many rows those were."""
    gone = tx.execute(delete(quota_entries).where(quota_entries.c.day < before)).rowcount
    return gone + tx.execute(delete(quota_ledger).where(quota_ledger.c.day < before)).rowcount
