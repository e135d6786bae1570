"""Dispatch in SQL: which jobs may start now. The one place that says what is due, and what may run at all.

The fact to know: `due` is called under one lock (`lock_dispatch`), so that two dispatchers never choose the same job;
`may_run` is asked again by the claim, so that a Stop takes effect at once. A job of a stopped connection still runs
where its post may be live: not to publish it, but to find out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Subquery, and_, case, func, or_, select, text, update

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.accounts import accounts
from forwarder_core.db.tables.flow import connections, jobs, publications
from forwarder_core.domain.accounts import AccountStatus
from forwarder_core.domain.dispatching import Ends, fitting
from forwarder_core.domain.jobs import Dispatch, JobStatus
from forwarder_core.domain.publications import PublicationState

SOURCE, DESTINATION = accounts.alias("source"), accounts.alias("destination")
_LOCK = 7_302_118_447_002  # one dispatcher at a time, in all processes
_OWN = jobs.c.workspace_id == WORKSPACE
_USABLE = [status for status in AccountStatus if status.is_usable]
_PAST = [state for state in PublicationState if state.may_be_live]
_WAITING = [JobStatus.QUEUED, JobStatus.RETRY_WAIT, JobStatus.PAUSED, JobStatus.CAPTCHA]


def lock_dispatch(tx: Tx) -> None:
    """Hold the one dispatcher's lock until this transaction ends."""
    tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def has_work(tx: Tx) -> bool:
    """Is there any job that a dispatch may start, cancel or ask about? A stack at rest has none."""
    return bool(tx.execute(select(any_waiting())).scalar_one())


def any_waiting() -> ColumnElement[bool]:
    return select(jobs.c.id).where(_OWN, jobs.c.status.in_([*_WAITING, JobStatus.UNCONFIRMED])).exists()


def any_running() -> ColumnElement[bool]:
    return select(jobs.c.id).where(_OWN, jobs.c.status == JobStatus.RUNNING).exists()


def due(
    tx: Tx,
    now: datetime,
    *,
    room: int,
    per_destination: int,
    per_source: int,
    may: Callable[[Dispatch], bool] = lambda _: True,
) -> list[Dispatch]:
    """The jobs that may start now, most urgent first and old posts after new ones, at most `room`; call under
    `lock_dispatch`.

    At most `per_destination` jobs of one destination account and `per_source` of one source account are under way
    (running or dispatched) at once, those chosen here included. `may`: see `dispatching.fitting`.
    """
    return fitting(
        _candidates(tx, now, min(per_destination, per_source)),
        _ends_under_way(tx, now),
        room=room,
        per_destination=per_destination,
        per_source=per_source,
        may=may,
    )


def _candidates(tx: Tx, now: datetime, most: int) -> list[Dispatch]:
    """Of each connection, as many due jobs as could start at most: a long queue is not read to its end."""
    urgency = (jobs.c.is_old, jobs.c.priority.desc(), jobs.c.id)
    nth = func.row_number().over(partition_by=jobs.c.connection_id, order_by=urgency)
    waiting = (
        select(
            jobs.c.id,
            jobs.c.dispatch_no,
            jobs.c.connection_id,
            jobs.c.source_post_id,
            jobs.c.priority,
            jobs.c.is_old,
            jobs.c.is_urgent,
            connections.c.source_account_id,
            connections.c.destination_account_id,
            nth.label("nth"),
        )
        .join(connections, connections.c.id == jobs.c.connection_id)
        .join(SOURCE, SOURCE.c.id == connections.c.source_account_id)
        .join(DESTINATION, DESTINATION.c.id == connections.c.destination_account_id)
        .where(_OWN, _is_due(now), may_run(now))
        .subquery()
    )
    again = (waiting.c.is_old, waiting.c.priority.desc(), waiting.c.id)
    past = select(publications.c.id).where(publications.c.job_id == waiting.c.id, publications.c.state.in_(_PAST))
    query = select(waiting, past.exists().label("is_past")).where(waiting.c.nth <= most).order_by(*again)
    return [
        Dispatch(
            row.id,
            row.dispatch_no + 1,
            row.connection_id,
            row.source_post_id,
            row.priority,
            row.source_account_id,
            row.destination_account_id,
            row.is_old,
            row.is_urgent,
            row.is_past,
        )
        for row in tx.execute(query)
    ]


def _ends_under_way(tx: Tx, now: datetime) -> list[Ends]:
    busy = _under_way(now)
    rows = tx.execute(select(busy.c.source_account_id, busy.c.destination_account_id))
    return [(row.source_account_id, row.destination_account_id) for row in rows]


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
    return {account for ends in _ends_under_way(tx, now) for account in ends}


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
    """The connection is active, or stopped while the job's post may be live; both accounts are usable and neither is
    cooling down."""
    is_active = and_(connections.c.status == "active", connections.c.deleted_at.is_(None))
    return and_(
        or_(is_active, and_(_is_stopped(), _is_in(PublicationState.COMMITTING))),
        *(end.c.status.in_(_USABLE) for end in (SOURCE, DESTINATION)),
        *(or_(end.c.cool_down_until.is_(None), end.c.cool_down_until <= now) for end in (SOURCE, DESTINATION)),
    )


def left_by_their_connection(tx: Tx, connection_id: int | None = None) -> list[int]:
    """Jobs no worker holds whose connection (this one, or any) is stopped or deleted: nothing starts them any more.

    Those whose post may be live are not among them: what became of it is found out first.
    """
    query = (
        select(jobs.c.id)
        .join(connections, connections.c.id == jobs.c.connection_id)
        .where(
            _OWN,
            jobs.c.status.in_(_WAITING),
            _is_stopped(),
            ~_is_in(PublicationState.COMMITTING, PublicationState.UNCONFIRMED),
        )
    )
    if connection_id is not None:
        query = query.where(jobs.c.connection_id == connection_id)
    return list(tx.execute(query).scalars())


def _is_stopped() -> ColumnElement[bool]:
    return or_(connections.c.status == "stopped", connections.c.deleted_at.is_not(None))


def _is_in(*states: PublicationState) -> ColumnElement[bool]:
    """Has the job a publication in one of these states?"""
    found = select(publications.c.id).where(publications.c.job_id == jobs.c.id, publications.c.state.in_(states))
    return found.correlate(jobs).exists()


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
