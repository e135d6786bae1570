"""What the dispatcher asks about jobs before they may start: whose turn it is, by which rules, and until when it waits.

The fact to know: a job whose post may be live (`is_past`) is asked nothing: it goes to find out, not to publish.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Row,
    Text,
    and_,
    bindparam,
    column,
    func,
    or_,
    select,
    update,
    values,
)

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.accounts import accounts
from forwarder_core.db.tables.flow import connections, jobs, publications, source_posts
from forwarder_core.domain import schedule_rules
from forwarder_core.domain.jobs import JobStatus, WaitReason
from forwarder_core.domain.pace import Turn, Waiting
from forwarder_core.domain.publications import CLOSED, PublicationState
from forwarder_core.domain.schedules import Schedule

PLANNED = (WaitReason.WINDOW, WaitReason.SPACING, WaitReason.DAILY_LIMIT, WaitReason.QUOTA)
_PAST = [state.value for state in PublicationState if state.may_be_live]
_OWN = jobs.c.workspace_id == WORKSPACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a connection's jobs are asked at dispatch. `sealed`: the credentials of its destination account."""

    schedule: Schedule
    destination_id: int
    platform: str
    pace: Mapping[str, Any]
    sealed: bytes | None


_RULES = (
    select(
        connections.c.id,
        connections.c.schedule,
        connections.c.destination_account_id,
        accounts.c.platform,
        accounts.c.pace,
        accounts.c.credentials,
    )
    .join(accounts, accounts.c.id == connections.c.destination_account_id)
    .where(connections.c.workspace_id == WORKSPACE, connections.c.deleted_at.is_(None))
)
_RULES_OF = _RULES.where(connections.c.id == bindparam("connection_id"))


def rules(tx: Tx, connection_id: int | None = None) -> dict[int, Rules]:
    """Of every connection that is not deleted, or of this one, by its id."""
    found = tx.execute(_RULES) if connection_id is None else tx.execute(_RULES_OF, {"connection_id": connection_id})
    return {
        row.id: Rules(
            schedule=schedule_rules.read(row.schedule),
            destination_id=row.destination_account_id,
            platform=row.platform,
            pace=row.pace,
            sealed=row.credentials,
        )
        for row in found
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """An account posts go to, or come from."""

    id: int
    alias: str
    platform: str
    pace: Mapping[str, Any]
    sealed: bytes | None


def destinations(tx: Tx) -> list[End]:
    """The destinations of every connection that is not deleted, by their alias."""
    return _ends(tx, connections.c.destination_account_id)


def sources(tx: Tx) -> list[End]:
    """The sources of these connections, by their alias."""
    return _ends(tx, connections.c.source_account_id)


def _ends(tx: Tx, side: Column[int]) -> list[End]:
    used = select(side).where(connections.c.deleted_at.is_(None))
    query = select(accounts).where(accounts.c.workspace_id == WORKSPACE, accounts.c.id.in_(used))
    return [
        End(id=row.id, alias=row.alias, platform=row.platform, pace=row.pace, sealed=row.credentials)
        for row in tx.execute(query.order_by(accounts.c.alias))
    ]


def job(tx: Tx, job_id: int) -> tuple[int, bool, bool, bool] | None:
    """Its connection, and whether it is old, urgent, past."""
    row = tx.execute(_JOB, {"job_id": job_id}).one_or_none()
    return None if row is None else (row.connection_id, row.is_old, row.is_urgent, row.is_past)


def queue_of(tx: Tx, destination_id: int, now: datetime, *, limit: int = 500) -> list[Waiting]:
    """What waits for this destination by the dispatcher's own rules, most urgent first."""
    planned = and_(jobs.c.status == JobStatus.RETRY_WAIT, jobs.c.wait_reason.in_(PLANNED))
    query = select(jobs.c.id, jobs.c.is_old, jobs.c.is_urgent, connections.c.schedule).where(
        _OWN,
        jobs.c.connection_id == connections.c.id,
        connections.c.destination_account_id == destination_id,
        connections.c.status == "active",
        connections.c.deleted_at.is_(None),
        or_(jobs.c.status == JobStatus.QUEUED, planned),
        _is_idle(now),
        ~_is_past(),
    )
    query = query.order_by(jobs.c.is_old, jobs.c.priority.desc(), jobs.c.id).limit(limit)
    return [
        Waiting(job_id=row.id, schedule=schedule_rules.read(row.schedule), is_old=row.is_old, is_urgent=row.is_urgent)
        for row in tx.execute(query)
    ]


def put_off(tx: Tx, turns: Iterable[Turn], now: datetime) -> int:
    """Write down when each of these may go; how many rows that changed."""
    rows = [(turn.job_id, max(turn.at, now), turn.reason) for turn in turns]
    if not rows:
        return 0
    said = values(
        column("job_id", BigInteger), column("at", DateTime(timezone=True)), column("reason", Text), name="turns"
    ).data(rows)
    planned = and_(jobs.c.status == JobStatus.RETRY_WAIT, jobs.c.wait_reason.in_(PLANNED))
    waits = said.c.at > now
    differs = or_(
        and_(waits, jobs.c.next_attempt_at.is_distinct_from(said.c.at)),
        and_(waits, jobs.c.wait_reason.is_distinct_from(said.c.reason)),
        and_(~waits, planned, jobs.c.next_attempt_at > now),
    )
    changed = (
        update(jobs)
        .where(
            _OWN,
            jobs.c.id == said.c.job_id,
            or_(jobs.c.status == JobStatus.QUEUED, planned, _is_ripe(now)),
            _is_idle(now),
            differs,
        )
        .values(
            status=JobStatus.RETRY_WAIT,
            wait_reason=func.coalesce(said.c.reason, jobs.c.wait_reason),
            next_attempt_at=said.c.at,
            dispatched_until=None,
            changed_at=now,
        )
    )
    return tx.execute(changed).rowcount


def release(
    tx: Tx, now: datetime, *, connection_id: int | None = None, destination_ids: Sequence[int] | None = None
) -> int:
    """Have what waits by the dispatcher's rules asked again at once, because a rule has changed."""
    waits = and_(jobs.c.status == JobStatus.RETRY_WAIT, jobs.c.wait_reason.in_(PLANNED), jobs.c.next_attempt_at > now)
    query = update(jobs).where(_OWN, waits)
    if connection_id is not None:
        query = query.where(jobs.c.connection_id == connection_id)
    if destination_ids is not None:
        ends = select(connections.c.id).where(connections.c.destination_account_id.in_(destination_ids))
        query = query.where(jobs.c.connection_id.in_(ends))
    return tx.execute(query.values(next_attempt_at=now, changed_at=now)).rowcount


def hurry(tx: Tx, job_ids: Sequence[int], now: datetime) -> None:
    """A person wants these now: the new ones among them wait for no window. Old posts keep to their days."""
    # Locked in one order first: many people may want the same ones at once.
    ordered = select(jobs.c.id).where(_OWN, jobs.c.id.in_(job_ids), ~jobs.c.is_old).order_by(jobs.c.id)
    new = list(tx.execute(ordered.with_for_update()).scalars())
    tx.execute(update(jobs).where(jobs.c.id.in_(new)).values(is_urgent=True))
    waits = and_(jobs.c.status == JobStatus.RETRY_WAIT, jobs.c.wait_reason == WaitReason.WINDOW)
    tx.execute(update(jobs).where(jobs.c.id.in_(new), waits).values(next_attempt_at=now, changed_at=now))


def reprioritise(tx: Tx, connection_id: int, priority: int) -> None:
    """Of the jobs that have not begun."""
    waiting = jobs.c.status.in_([JobStatus.QUEUED, JobStatus.RETRY_WAIT, JobStatus.PAUSED, JobStatus.CAPTCHA])
    tx.execute(update(jobs).where(_OWN, jobs.c.connection_id == connection_id, waiting).values(priority=priority))


def hold(tx: Tx, now: datetime) -> int:
    """Put everything that is due on hold; how many that were."""
    due = or_(jobs.c.status == JobStatus.QUEUED, _is_ripe(now))
    held = update(jobs).where(_OWN, due, _is_idle(now))
    return tx.execute(
        held.values(
            status=JobStatus.PAUSED,
            wait_reason=WaitReason.HOLD,
            next_attempt_at=None,
            dispatched_until=None,
            changed_at=now,
        )
    ).rowcount


def let_go(tx: Tx, now: datetime) -> int:
    """End the hold; how many jobs are queued again."""
    held = update(jobs).where(_OWN, jobs.c.status == JobStatus.PAUSED, jobs.c.wait_reason == WaitReason.HOLD)
    return tx.execute(held.values(status=JobStatus.QUEUED, wait_reason=None, changed_at=now)).rowcount


def last_posts(tx: Tx, destination_ids: Sequence[int]) -> dict[int, datetime]:
    """When each of these accounts got its last post, as far as one may have gone out."""
    query = (
        select(publications.c.destination_account_id, func.max(publications.c.committing_at).label("at"))
        .where(
            publications.c.workspace_id == WORKSPACE,
            publications.c.destination_account_id.in_(destination_ids),
            publications.c.committing_at.is_not(None),
            publications.c.state.not_in([state.value for state in CLOSED]),
        )
        .group_by(publications.c.destination_account_id)
    )
    return {row.destination_account_id: row.at for row in tx.execute(query)}


def next_turns(tx: Tx, connection_id: int, *, limit: int) -> list[Row[Any]]:
    """The connection's waiting jobs in the order they will go: id, platform_post_id, wait_reason, next_attempt_at."""
    query = (
        select(jobs.c.id, source_posts.c.platform_post_id, jobs.c.wait_reason, jobs.c.next_attempt_at)
        .join(source_posts, source_posts.c.id == jobs.c.source_post_id)
        .where(_OWN, jobs.c.connection_id == connection_id)
        .where(jobs.c.status.in_([JobStatus.QUEUED, JobStatus.RETRY_WAIT]))
    )
    order = (func.coalesce(jobs.c.next_attempt_at, jobs.c.created_at), jobs.c.is_old, jobs.c.id)
    return list(tx.execute(query.order_by(*order).limit(limit)))


def _is_ripe(now: datetime) -> Any:
    return and_(jobs.c.status == JobStatus.RETRY_WAIT, jobs.c.next_attempt_at <= now)


def _is_idle(now: datetime) -> Any:
    return or_(jobs.c.dispatched_until.is_(None), jobs.c.dispatched_until < now)


def _is_past() -> Any:
    live = select(publications.c.id).where(publications.c.job_id == jobs.c.id, publications.c.state.in_(_PAST))
    return live.correlate(jobs).exists()


_JOB = select(jobs.c.connection_id, jobs.c.is_old, jobs.c.is_urgent, _is_past().label("is_past")).where(
    _OWN, jobs.c.id == bindparam("job_id")
)
