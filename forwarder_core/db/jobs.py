"""Jobs and their attempts in SQL: the queue is the `jobs` table, and every move is one guarded UPDATE.

A write of a worker says which fence it holds; 0 rows changed means another worker holds a higher one, and the caller
stops at once. What is due, and who may claim it, is decided here in one place each (`take_due`, `claim`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, case, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db import attempts as attempts_db
from forwarder_core.db import errands
from forwarder_core.db.columns import WORKSPACE, in_batches
from forwarder_core.db.dispatch import DESTINATION, SOURCE, may_run
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.flow import attempts, connections, jobs
from forwarder_core.domain.jobs import (
    SYNONYMS,
    Errand,
    Failure,
    Job,
    JobStatus,
    Lease,
    Step,
    WaitReason,
    before,
)

_OWN = jobs.c.workspace_id == WORKSPACE


def add(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Queue jobs; a (connection, post) that has one already keeps it. Returns the ids made."""
    made: list[int] = []
    for batch in in_batches(rows):
        insertion = upsert(jobs).values(list(batch))
        insertion = insertion.on_conflict_do_nothing(index_elements=["connection_id", "source_post_id"])
        made += tx.execute(insertion.returning(jobs.c.id)).scalars()
    return made


def get(tx: Tx, job_id: int) -> Job | None:
    row = tx.execute(select(jobs).where(_OWN, jobs.c.id == job_id)).one_or_none()
    return None if row is None else job_of(row)


def page(tx: Tx, *, before_id: int, limit: int, **wanted: Any) -> list[Job]:
    """Newest first by id. `wanted`: status (sequence), connection_id, account_id, error, since, until."""
    query = select(jobs).where(_OWN, jobs.c.id < before_id, *_wanted(wanted)).order_by(jobs.c.id.desc()).limit(limit)
    return [job_of(row) for row in tx.execute(query)]


def _wanted(wanted: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    said = {name: value for name, value in wanted.items() if value not in (None, (), [])}
    clauses: list[ColumnElement[bool]] = []
    if "status" in said:
        clauses.append(jobs.c.status.in_([SYNONYMS.get(word, word) for word in said["status"]]))
    if "connection_id" in said:
        clauses.append(jobs.c.connection_id == said["connection_id"])
    if "account_id" in said:
        ends = or_(
            connections.c.source_account_id == said["account_id"],
            connections.c.destination_account_id == said["account_id"],
        )
        clauses.append(jobs.c.connection_id.in_(select(connections.c.id).where(ends)))
    if "error" in said:
        clauses.append(jobs.c.error_code == said["error"])
    if "since" in said:
        clauses.append(jobs.c.created_at >= said["since"])
    if "until" in said:
        clauses.append(jobs.c.created_at <= said["until"])
    return clauses


# ---- claim, heartbeat, close ------------------------------------------------------------------------------------


def claim(
    tx: Tx, job_id: int, dispatch_no: int, *, run_id: str, worker: Mapping[str, Any], now: datetime, until: datetime
) -> Lease | None:
    """Take the job for the launch `dispatch_no`, unless it was taken, moved or stopped meanwhile (None).

    A run that took longer to start than its stamp lasted goes by the present stamp: on a machine so slow that every
    run does, no job would ever begin otherwise.

    The connection and both accounts are looked at again in the same statement: a Stop takes effect at once.
    """
    allowed = (
        select(connections.c.id)
        .join(SOURCE, SOURCE.c.id == connections.c.source_account_id)
        .join(DESTINATION, DESTINATION.c.id == connections.c.destination_account_id)
        .where(connections.c.id == jobs.c.connection_id, may_run(now))
        .exists()
    )
    taken = (
        update(jobs)
        .where(
            _OWN,
            jobs.c.id == job_id,
            jobs.c.dispatch_no >= dispatch_no,
            jobs.c.dispatched_until >= now,
            jobs.c.status.in_(before(JobStatus.RUNNING)),
            allowed,
        )
        .values(
            status=JobStatus.RUNNING,
            wait_reason=None,
            next_attempt_at=None,
            dispatched_until=None,
            fence=jobs.c.fence + 1,
            lease_until=until,
            worker=dict(worker),
            run_id=run_id,
            attempts=jobs.c.attempts + 1,
            progress=0.0,
            progress_note="",
            started_at=func.coalesce(jobs.c.started_at, now),
            changed_at=now,
        )
        .returning(jobs.c.fence, jobs.c.attempts)
    )
    row = tx.execute(taken).one_or_none()
    if row is None:
        return None
    attempt: int = tx.execute(
        insert(attempts).values(job_id=job_id, n=row.attempts, run_id=run_id, started_at=now).returning(attempts.c.id)
    ).scalar_one()
    return Lease(job_id, attempt, row.fence, until)


_IS_OURS = (jobs.c.id == bindparam("its_id"), jobs.c.fence == bindparam("its_fence"), jobs.c.status == "running")
_RENEW = update(jobs).where(*_IS_OURS).values(lease_until=func.greatest(jobs.c.lease_until, bindparam("until")))


def renew(tx: Tx, lease: Lease, until: datetime) -> bool:
    """Carry the lease on, never back; False = it is another's now."""
    return tx.execute(_RENEW, {"until": until} | _fence(lease)).rowcount == 1


_HELD = select(jobs.c.id).where(*_IS_OURS)
_HELD_AND_LOCKED = _HELD.with_for_update()
_REPORT = (
    update(jobs)
    .where(*_IS_OURS, func.set_config("synchronous_commit", "off", True) == "off")  # saves a statement of its own
    .values(
        step=bindparam("to_step"),
        progress=bindparam("to_progress"),
        progress_note=bindparam("to_note"),
        changed_at=bindparam("to_changed"),
    )
)


def report(tx: Tx, lease: Lease, *, step: Step, progress: float, note: str, now: datetime) -> bool:
    """Where the job stands within its step (0..1); False = fenced. The transaction's commit does not wait for the disk:
    this may be lost in a crash of the server."""
    said = {"to_step": step, "to_progress": progress, "to_note": note, "to_changed": now}
    return tx.execute(_REPORT, said | _fence(lease)).rowcount == 1


def close(
    tx: Tx,
    lease: Lease,
    status: JobStatus,
    *,
    now: datetime,
    failure: Failure | None = None,
    attempt_state: str | None = None,
    **also: Any,
) -> bool:
    """End the attempt with the job in `status`; False = fenced. `also`: wait_reason, next_attempt_at, retries_used …"""
    ended = (
        update(jobs)
        .where(*_IS_OURS)
        .values(
            status=status,
            lease_until=None,
            worker={},
            changed_at=now,
            completed_at=now if status.is_terminal else None,
            error_code=failure.code if failure else None,
            error_message=failure.message if failure else None,
            error_action=failure.action if failure else None,
            **also,
        )
    )
    if tx.execute(ended, _fence(lease)).rowcount != 1:
        return False
    ended_as = attempt_state or ("success" if status is JobStatus.SUCCESS else "failed")
    attempts_db.end(tx, lease.attempt_id, ended_as, now, failure)
    return True


def is_held(tx: Tx, lease: Lease, *, lock: bool = False) -> bool:
    """Is this still the holder? With `lock` nobody takes the job until this transaction ends."""
    return tx.execute(_HELD_AND_LOCKED if lock else _HELD, _fence(lease)).one_or_none() is not None


def set_published(tx: Tx, job_id: int, remote_id: str, url: str) -> None:
    tx.execute(update(jobs).where(jobs.c.id == job_id).values(destination_post_id=remote_id, destination_url=url))


def move(
    tx: Tx, job_ids: Sequence[int], to: JobStatus, *, now: datetime, failure: Failure | None = None, **also: Any
) -> list[int]:
    """Move jobs no worker holds (an admin's act, or an event's); returns those that moved.

    `failure` takes the place of the last one; without it that stays to be read.

    A running job is not moved here: its worker is told by the fence, through `take_away`.
    """
    origins = before(to) - {JobStatus.RUNNING}
    moved = (
        update(jobs)
        .where(_OWN, jobs.c.id.in_(job_ids), jobs.c.status.in_(origins), jobs.c.deleted_at.is_(None))
        .values(
            status=to,
            dispatched_until=None,
            changed_at=now,
            completed_at=now if to.is_terminal else None,
            **_said(failure),
            **also,
        )
        .returning(jobs.c.id)
    )
    return list(tx.execute(moved).scalars())


def take_away(
    tx: Tx,
    job_id: int,
    to: JobStatus,
    *,
    now: datetime,
    failure: Failure | None = None,
    run_id: str | None = None,
    expired_before: datetime | None = None,
    **also: Any,
) -> bool:
    """Move a running job and raise its fence, so that its worker's next write fails and it stops.

    `run_id`, `expired_before`: only while it is this run's, and only while its lease is that old.
    """
    guard = [_OWN, jobs.c.id == job_id, jobs.c.status == JobStatus.RUNNING]
    if run_id is not None:
        guard.append(jobs.c.run_id == run_id)
    if expired_before is not None:
        guard.append(jobs.c.lease_until < expired_before)
    taken = (
        update(jobs)
        .where(*guard)
        .values(
            status=to,
            fence=jobs.c.fence + 1,
            lease_until=None,
            worker={},
            changed_at=now,
            completed_at=now if to.is_terminal else None,
            **_said(failure),
            **also,
        )
    )
    if tx.execute(taken).rowcount != 1:
        return False
    state = case((literal(to.value) == JobStatus.CANCELLED.value, "cancelled"), else_="lost")
    tx.execute(
        update(attempts)
        .where(attempts.c.job_id == job_id, attempts.c.ended_at.is_(None))
        .values(state=state, ended_at=now)
    )
    return True


def running(tx: Tx) -> list[tuple[Job, dict[str, Any]]]:
    """Every running job, with what is known of its worker."""
    query = select(jobs).where(_OWN, jobs.c.status == JobStatus.RUNNING)
    return [(job_of(row), row.worker) for row in tx.execute(query.order_by(jobs.c.id))]


def expired(tx: Tx, now: datetime) -> list[tuple[Job, dict[str, Any]]]:
    """Running jobs whose lease has run out, with what is known of their worker."""
    query = select(jobs).where(_OWN, jobs.c.status == JobStatus.RUNNING, jobs.c.lease_until < now)
    return [(job_of(row), row.worker) for row in tx.execute(query.order_by(jobs.c.id))]


def _said(failure: Failure | None) -> dict[str, str]:
    if failure is None:
        return {}
    return {"error_code": failure.code, "error_message": failure.message, "error_action": failure.action}


def _fence(lease: Lease) -> dict[str, int]:
    return {"its_id": lease.job_id, "its_fence": lease.fence}


# ---- reading ----------------------------------------------------------------------------------------------------


def errand(tx: Tx, job_id: int) -> Errand:
    """Its destination is where its publication is, should the connection lead elsewhere by now."""
    row, source, destination = errands.row_of(tx, job_id)
    return Errand(
        job=job_of(row),
        connection_name=row.name,
        proxy_id=row.proxy_id,
        token_id=row.token_ref,
        source=source,
        destination=destination,
        platform_post_id=row.platform_post_id,
        source_url=row.source_url,
        caption=row.caption,
        posted_at=row.posted_at,
        transform_options=row.transform_options,
        publish_options=row.publish_options,
        is_muted=bool(row.post_facts.get("has_licensed_music")) and row.filters.get("licensed_music") == "mute",
        has_audio=row.post_facts.get("has_audio"),
    )


def of_post(tx: Tx, connection_id: int, post_id: int) -> Job | None:
    query = select(jobs).where(_OWN, jobs.c.connection_id == connection_id, jobs.c.source_post_id == post_id)
    row = tx.execute(query).one_or_none()
    return None if row is None else job_of(row)


def of_run(tx: Tx, run_id: str) -> tuple[Job, dict[str, Any]] | None:
    """The job a run carries at this moment, with what is known of its worker."""
    row = tx.execute(select(jobs).where(_OWN, jobs.c.run_id == run_id, jobs.c.status == "running")).one_or_none()
    return None if row is None else (job_of(row), row.worker)


def waiting_for_challenge(tx: Tx, account_id: int) -> list[int]:
    """Jobs in `captcha` whose connection has the account at either end."""
    uses = or_(connections.c.source_account_id == account_id, connections.c.destination_account_id == account_id)
    query = select(jobs.c.id).join(connections, connections.c.id == jobs.c.connection_id)
    return list(tx.execute(query.where(_OWN, uses, jobs.c.status == JobStatus.CAPTCHA).order_by(jobs.c.id)).scalars())


def count_by_status(
    tx: Tx, *, since: datetime | None = None, among: Collection[JobStatus] | None = None
) -> dict[str, int]:
    """`among`: only of these states, which costs what there is of them and not what there ever was."""
    query = select(jobs.c.status, func.count().label("n")).where(_OWN).group_by(jobs.c.status)
    if among is not None:
        query = query.where(jobs.c.status.in_(among))
    if since is not None:
        query = query.where(jobs.c.created_at >= since)
    return {row.status: row.n for row in tx.execute(query)}


def job_of(row: Row[Any]) -> Job:
    failure = Failure(row.error_code, row.error_message, row.error_action) if row.error_code else None
    return Job(
        id=row.id,
        connection_id=row.connection_id,
        source_post_id=row.source_post_id,
        root_post_id=row.root_post_id,
        status=JobStatus(row.status),
        wait_reason=WaitReason(row.wait_reason) if row.wait_reason else None,
        step=Step(row.step) if row.step else None,
        progress=row.progress,
        priority=row.priority,
        dispatch_no=row.dispatch_no,
        attempts=row.attempts,
        retries_used=row.retries_used,
        rescues=row.rescues,
        next_attempt_at=row.next_attempt_at,
        failure=failure,
        run_id=row.run_id,
        destination_post_id=row.destination_post_id,
        destination_url=row.destination_url,
        created_at=row.created_at,
        started_at=row.started_at,
        completed_at=row.completed_at,
    )
