"""Incidents in SQL. One open row for each cause; every job it hit is linked to it once, however often it failed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, Text, and_, cast, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.accounts import proxies
from forwarder_core.db.tables.flow import attempts, connections, jobs
from forwarder_core.db.tables.incidents import incident_jobs, incidents
from forwarder_core.domain.incidents import Cause, Incident, Party, Whose
from forwarder_core.domain.jobs import JobStatus, WaitReason
from forwarder_core.egress import DIRECT

_OWN = incidents.c.workspace_id == WORKSPACE
_IS_OPEN = incidents.c.closed_at.is_(None)
# A retry of ours may be brought forward; what a platform told us to wait for, and what a person holds, may not.
_OURS_TO_WAIT = (WaitReason.BACKOFF.value, WaitReason.BREAKER.value)
_IS_DEAD = jobs.c.status == JobStatus.DEAD
_WAITS = jobs.c.status == JobStatus.RETRY_WAIT


def note_failure(tx: Tx, cause: Cause, job_id: int, now: datetime, *, reopens: timedelta) -> None:
    """Add a failure to the incident of its cause that is open, or ended less than `reopens` ago; else open one."""
    incident_id = _add(tx, cause, now, now - reopens) or _open(tx, cause, now)
    link = upsert(incident_jobs).values(incident_id=incident_id, job_id=job_id)
    tx.execute(link.on_conflict_do_nothing())


def _add(tx: Tx, cause: Cause, now: datetime, closed_since: datetime) -> int | None:
    same = (incidents.c.code == cause.code, incidents.c.scope == cause.scope, incidents.c.key == cause.key)
    newest = (
        select(incidents.c.id)
        .where(_OWN, *same, _IS_OPEN | (incidents.c.closed_at > closed_since))
        .order_by(incidents.c.closed_at.desc().nulls_first(), incidents.c.id.desc())
        .limit(1)
        .with_for_update()
    )
    incident_id: int | None = tx.execute(newest).scalar_one_or_none()
    if incident_id is not None:
        more = update(incidents).where(incidents.c.id == incident_id)
        tx.execute(
            more.values(
                failures=incidents.c.failures + 1, last_at=now, closed_at=None, closed_because=None, title=cause.title
            )
        )
    return incident_id


def _open(tx: Tx, cause: Cause, now: datetime) -> int:
    """Two that open it at once open one."""
    said = {"code": cause.code, "scope": cause.scope, "key": cause.key, "title": cause.title}
    made = upsert(incidents).values(**said, failures=1, opened_at=now, last_at=now)
    opened = made.on_conflict_do_update(
        index_elements=["workspace_id", "code", "scope", "key"],
        index_where=_IS_OPEN,
        set_={"failures": incidents.c.failures + 1, "last_at": now},
    )
    incident_id: int = tx.execute(opened.returning(incidents.c.id)).scalar_one()
    return incident_id


_HAS_OPEN = select(select(incidents.c.id).where(_OWN, _IS_OPEN).exists())


def has_open(tx: Tx) -> bool:
    """Is there any incident to close?"""
    return bool(tx.execute(_HAS_OPEN).scalar_one())


def close_healed(tx: Tx, healed: Iterable[tuple[Whose, str]], now: datetime, because: str) -> list[int]:
    """Close the open incidents of these scopes and keys that began before; the ids closed."""
    pairs = [(whose.value, key) for whose, key in healed]
    return _close(tx, now, because, tuple_(incidents.c.scope, incidents.c.key).in_(pairs))


def close(tx: Tx, incident_id: int, now: datetime, because: str, *, last_at: datetime) -> bool:
    """Close one, unless something failed of it since `last_at`."""
    return bool(_close(tx, now, because, incidents.c.id == incident_id, incidents.c.last_at == last_at))


def _close(tx: Tx, now: datetime, because: str, *which: Any) -> list[int]:
    # Locked in one order: two jobs that arrive at once close the same rows.
    locked = select(incidents.c.id).where(_OWN, _IS_OPEN, *which).order_by(incidents.c.id).with_for_update()
    found = list(tx.execute(locked).scalars())
    if found:
        tx.execute(update(incidents).where(incidents.c.id.in_(found)).values(closed_at=now, closed_because=because))
    return found


def page(
    tx: Tx, *, before_id: int, limit: int, is_open: bool | None = None, since: datetime | None = None
) -> list[Incident]:
    """Newest first by id. `is_open` None = both; `since`: with a failure from then on."""
    query = _counted().where(incidents.c.id < before_id)
    if is_open is not None:
        query = query.where(_IS_OPEN if is_open else ~_IS_OPEN)
    if since is not None:
        query = query.where(incidents.c.last_at >= since)
    return [_incident_of(row) for row in tx.execute(query.order_by(incidents.c.id.desc()).limit(limit))]


def get(tx: Tx, incident_id: int) -> Incident | None:
    row = tx.execute(_counted().where(incidents.c.id == incident_id)).one_or_none()
    return None if row is None else _incident_of(row)


def retriable(tx: Tx, incident_id: int) -> list[int]:
    """Its jobs that are dead, or wait for a retry of ours, and still for the same error; of connections that start."""
    query = (
        select(jobs.c.id)
        .join(incident_jobs, incident_jobs.c.job_id == jobs.c.id)
        .join(incidents, incidents.c.id == incident_jobs.c.incident_id)
        .join(connections, connections.c.id == jobs.c.connection_id)
        .where(
            _OWN,
            incidents.c.id == incident_id,
            jobs.c.error_code == incidents.c.code,
            jobs.c.deleted_at.is_(None),
            connections.c.deleted_at.is_(None),
            connections.c.status != "stopped",
            _IS_DEAD | and_(_WAITS, jobs.c.wait_reason.in_(_OURS_TO_WAIT)),
        )
    )
    return list(tx.execute(query.order_by(jobs.c.id)).scalars())


def proxy_of(tx: Tx, job_id: int) -> Party | None:
    """The exit the job's newest attempt went through last; None where it used none yet."""
    newest = select(attempts.c.proxy, attempts.c.proxy_id, proxies.c.alias)
    newest = newest.outerjoin(proxies, proxies.c.id == attempts.c.proxy_id).where(attempts.c.job_id == job_id)
    row = tx.execute(newest.order_by(attempts.c.n.desc()).limit(1)).one_or_none()
    if row is None or not row.proxy:
        return None
    if row.proxy_id is not None:
        return Party(str(row.proxy_id), row.alias)
    return Party(row.proxy, "this server's own address" if row.proxy == DIRECT else row.proxy)


def _counted() -> Select[Any]:
    is_of = and_(incidents.c.scope == Whose.PROXY, incidents.c.key == cast(proxies.c.id, Text))
    still = and_(jobs.c.error_code == incidents.c.code, jobs.c.deleted_at.is_(None))
    return (
        select(
            incidents,
            func.coalesce(proxies.c.alias, incidents.c.title).label("subject"),
            func.count(jobs.c.id).label("jobs"),
            func.count(jobs.c.id).filter(still, _IS_DEAD).label("dead"),
            func.count(jobs.c.id).filter(still, _WAITS).label("waiting"),
        )
        .outerjoin(incident_jobs, incident_jobs.c.incident_id == incidents.c.id)
        .outerjoin(jobs, jobs.c.id == incident_jobs.c.job_id)
        .outerjoin(proxies, is_of)
        .where(_OWN)
        .group_by(incidents.c.id, proxies.c.alias)
    )


def _incident_of(row: Row[Any]) -> Incident:
    return Incident(
        id=row.id,
        cause=Cause(row.code, Whose(row.scope), row.key, row.subject),
        failures=row.failures,
        jobs=row.jobs,
        dead=row.dead,
        waiting=row.waiting,
        opened_at=row.opened_at,
        last_at=row.last_at,
        closed_at=row.closed_at,
        closed_because=row.closed_because,
    )
