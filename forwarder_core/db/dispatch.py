"""Dispatch in SQL: which jobs may start now. The one place that says what is due, and what may run at all.

The fact to know: `due` is called under one lock (`lock_dispatch`), so that two dispatchers never choose the same job;
`may_run` is asked again by the claim, so that a Stop takes effect at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Subquery, and_, case, func, or_, select, text, update

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.accounts import accounts
from forwarder_core.db.tables.flow import connections, jobs
from forwarder_core.domain.accounts import AccountStatus
from forwarder_core.domain.jobs import Dispatch, JobStatus

SOURCE, DESTINATION = accounts.alias("source"), accounts.alias("destination")
_LOCK = 7_302_118_447_002  # one dispatcher at a time, in all processes
_OWN = jobs.c.workspace_id == WORKSPACE
_USABLE = [status for status in AccountStatus if status.is_usable]


def lock_dispatch(tx: Tx) -> None:
    """Hold the one dispatcher's lock until this transaction ends."""
    tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def due(tx: Tx, now: datetime, *, room: int, per_destination: int, per_source: int) -> list[Dispatch]:
    """The jobs that may start now, most urgent first, at most `room`; call under `lock_dispatch`.

    At most `per_destination` jobs of one destination account and `per_source` of one source account are under way
    (running or dispatched) at once, those chosen here included. A destination's queue is cut first, so that a long
    one holds up no other destination of the same source.
    """
    busy = _under_way(now)
    waiting = (
        select(
            jobs.c.id,
            jobs.c.dispatch_no,
            jobs.c.connection_id,
            jobs.c.source_post_id,
            jobs.c.priority,
            connections.c.source_account_id,
            connections.c.destination_account_id,
        )
        .join(connections, connections.c.id == jobs.c.connection_id)
        .join(SOURCE, SOURCE.c.id == connections.c.source_account_id)
        .join(DESTINATION, DESTINATION.c.id == connections.c.destination_account_id)
        .where(_OWN, _is_due(now), may_run(now))
        .subquery()
    )
    fitting = _cut(
        _cut(waiting, busy, "destination_account_id", per_destination), busy, "source_account_id", per_source
    )
    query = select(fitting).order_by(fitting.c.priority.desc(), fitting.c.id).limit(room)
    return [
        Dispatch(
            row.id,
            row.dispatch_no + 1,
            row.connection_id,
            row.source_post_id,
            row.priority,
            row.source_account_id,
            row.destination_account_id,
        )
        for row in tx.execute(query)
    ]


def _cut(waiting: Subquery, busy: Subquery, end: str, most: int) -> Subquery:
    """Of each account at this end, only as many as there is room for beside those under way."""
    nth = func.row_number().over(partition_by=waiting.c[end], order_by=(waiting.c.priority.desc(), waiting.c.id))
    under_way = select(func.count()).where(busy.c[end] == waiting.c[end]).correlate(waiting).scalar_subquery()
    ranked = select(waiting, nth.label("nth"), under_way.label("under_way")).subquery()
    columns = [column for column in ranked.c if column.name not in ("nth", "under_way")]
    return select(*columns).where(ranked.c.nth + ranked.c.under_way <= most).subquery()


def stamp(tx: Tx, chosen: Sequence[Dispatch], until: datetime) -> None:
    """Mark the chosen as dispatched; a row not claimed by `until` is due again (and then by its next number)."""
    if chosen:
        tx.execute(
            update(jobs)
            .where(jobs.c.id.in_([d.job_id for d in chosen]))
            .values(dispatch_no=jobs.c.dispatch_no + 1, dispatched_until=until)
        )


def busy_accounts(tx: Tx, now: datetime) -> set[int]:
    """The accounts at either end of a job under way."""
    busy = _under_way(now)
    rows = tx.execute(select(busy.c.source_account_id, busy.c.destination_account_id))
    return {account for row in rows for account in row}


def stamp_again(tx: Tx, job_id: int, until: datetime) -> int | None:
    """Stamp one job by hand, whether its retry is due or it is dead; its new dispatch number, or None elsewhere."""
    again = (
        update(jobs)
        .where(
            _OWN,
            jobs.c.id == job_id,
            jobs.c.status.in_([JobStatus.RETRY_WAIT, JobStatus.DEAD, JobStatus.QUEUED]),
            jobs.c.deleted_at.is_(None),
        )
        .values(
            status=JobStatus.QUEUED,
            completed_at=None,
            dispatch_no=jobs.c.dispatch_no + 1,
            dispatched_until=until,
            retries_used=case((jobs.c.status == JobStatus.DEAD, 0), else_=jobs.c.retries_used),
        )
        .returning(jobs.c.dispatch_no)
    )
    number: int | None = tx.execute(again).scalar_one_or_none()
    return number


def count_under_way(tx: Tx, now: datetime) -> int:
    """Jobs running or dispatched: what fills `dispatch.max_running`."""
    return tx.execute(select(func.count()).select_from(_under_way(now))).scalar_one()


def _is_due(now: datetime) -> ColumnElement[bool]:
    waiting = and_(jobs.c.status == JobStatus.RETRY_WAIT, jobs.c.next_attempt_at <= now)
    undispatched = or_(jobs.c.dispatched_until.is_(None), jobs.c.dispatched_until < now)
    return and_(or_(jobs.c.status == JobStatus.QUEUED, waiting), undispatched)


def may_run(now: datetime) -> ColumnElement[bool]:
    """The connection is active, both accounts are usable and neither is cooling down."""
    return and_(
        connections.c.status == "active",
        connections.c.deleted_at.is_(None),
        *(end.c.status.in_(_USABLE) for end in (SOURCE, DESTINATION)),
        *(or_(end.c.cool_down_until.is_(None), end.c.cool_down_until <= now) for end in (SOURCE, DESTINATION)),
    )


def _under_way(now: datetime) -> Subquery:
    dispatched = and_(jobs.c.status.in_(["queued", "retry_wait"]), jobs.c.dispatched_until >= now)
    return (
        select(jobs.c.id, connections.c.destination_account_id, connections.c.source_account_id)
        .join(connections, connections.c.id == jobs.c.connection_id)
        .where(_OWN, or_(jobs.c.status == JobStatus.RUNNING, dispatched))
        .subquery()
    )


def count_stuck(tx: Tx, since: datetime) -> int:
    """Jobs that could have moved since then and did not: due but not started, or running without a sign of life."""
    silent = and_(jobs.c.status == JobStatus.RUNNING, jobs.c.lease_until < since)
    waiting = and_(jobs.c.status == JobStatus.RETRY_WAIT, jobs.c.next_attempt_at < since)
    queued = and_(jobs.c.status == JobStatus.QUEUED, jobs.c.changed_at < since)
    query = (
        select(func.count())
        .select_from(jobs)
        .join(connections, connections.c.id == jobs.c.connection_id)
        .join(SOURCE, SOURCE.c.id == connections.c.source_account_id)
        .join(DESTINATION, DESTINATION.c.id == connections.c.destination_account_id)
        .where(_OWN, or_(silent, and_(or_(waiting, queued), may_run(since))))
    )
    return tx.execute(query).scalar_one()
