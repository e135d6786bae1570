"""What a drill reads of our rows: the whole story of each seen post per connection, and when something is due next.

Reading only; nothing of the product asks these questions. Which of the answers is a loss is decided in
`simulator.verdict`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Table, and_, func, select

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.accounts import accounts, breakers, watches
from forwarder_core.db.tables.flow import attempts, connections, decisions, jobs, origins, publications, source_posts
from forwarder_core.db.tables.system import log_events, workers
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.domain.posts import Verdict
from forwarder_core.domain.publications import PublicationState

_ENDED = [status for status in JobStatus if status.is_terminal] + [JobStatus.UNCONFIRMED]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostStory:
    """What our rows say of one seen post on one connection; None where there is no such row."""

    connection_id: int
    platform_post_id: str
    verdict: Verdict | None
    rule: str | None
    job_id: int | None
    status: JobStatus | None
    wait_reason: str | None
    error_code: str | None
    attempts: int | None
    rescues: int | None
    remote_id: str | None


def stories(tx: Tx, connection_ids: Sequence[int]) -> list[PostStory]:
    """One for every post seen at the source of each of these connections."""
    columns = {
        "connection_id": connections.c.id,
        "platform_post_id": source_posts.c.platform_post_id,
        "verdict": decisions.c.verdict,
        "rule": decisions.c.rule,
        "job_id": jobs.c.id,
        "status": jobs.c.status,
        "wait_reason": jobs.c.wait_reason,
        "error_code": jobs.c.error_code,
        "attempts": jobs.c.attempts,
        "rescues": jobs.c.rescues,
        "remote_id": jobs.c.destination_post_id,
    }
    decided = and_(decisions.c.connection_id == connections.c.id, decisions.c.source_post_id == source_posts.c.id)
    carried = and_(jobs.c.connection_id == connections.c.id, jobs.c.source_post_id == source_posts.c.id)
    query = (
        select(*(column.label(name) for name, column in columns.items()))
        .select_from(connections)
        .join(source_posts, source_posts.c.account_id == connections.c.source_account_id)
        .outerjoin(decisions, decided)
        .outerjoin(jobs, carried)
        .where(connections.c.workspace_id == WORKSPACE, connections.c.id.in_(connection_ids))
    )
    return [_story(dict(row)) for row in tx.execute(query).mappings()]


def _story(row: dict[str, object]) -> PostStory:
    verdict, status = row.pop("verdict"), row.pop("status")
    known = {
        "verdict": Verdict(str(verdict)) if verdict else None,
        "status": JobStatus(str(status)) if status else None,
    }
    return PostStory(**(row | known))  # type: ignore[arg-type]  # the columns are the fields


def roots_by_remote_id(tx: Tx, platform: str) -> dict[str, str]:
    """Every post we made at this platform, and the source's own id of the post it goes back to."""
    query = (
        select(origins.c.remote_id, source_posts.c.platform_post_id)
        .join(source_posts, source_posts.c.id == origins.c.root_post_id)
        .where(origins.c.workspace_id == WORKSPACE, origins.c.platform == platform)
    )
    return {row.remote_id: row.platform_post_id for row in tx.execute(query)}


def next_instant(tx: Tx, now: datetime) -> datetime | None:
    """The earliest instant after `now` at which a look, a retry, a lease, a rest or a stamp comes due."""
    instants = (
        watches.c.next_poll_at,
        watches.c.polling_until,
        jobs.c.next_attempt_at,
        jobs.c.dispatched_until,
        jobs.c.lease_until,
        accounts.c.cool_down_until,
        breakers.c.until,
    )
    found = [tx.execute(select(func.min(column)).where(column > now)).scalar_one() for column in instants]
    return min((at for at in found if at is not None), default=None)


def count_open_jobs(tx: Tx) -> int:
    """Jobs that still have a way to go by themselves or are waited for."""
    query = select(func.count()).where(jobs.c.workspace_id == WORKSPACE, jobs.c.status.not_in(_ENDED))
    return tx.execute(query).scalar_one()


def count_ended_jobs(tx: Tx) -> dict[str, int]:
    """By the platform of their destination."""
    query = (
        select(accounts.c.platform, func.count().label("n"))
        .select_from(jobs)
        .join(connections, connections.c.id == jobs.c.connection_id)
        .join(accounts, accounts.c.id == connections.c.destination_account_id)
        .where(jobs.c.workspace_id == WORKSPACE, jobs.c.status.in_(_ENDED))
    )
    return {row.platform: row.n for row in tx.execute(query.group_by(accounts.c.platform))}


def waits(tx: Tx) -> list[tuple[float, float]]:
    """Of each job that succeeded, seconds from the sight of its post until its first attempt began, and until it was
    live."""
    seen = source_posts.c.seen_at
    begun = func.extract("epoch", func.min(attempts.c.started_at) - seen)
    live = func.extract("epoch", jobs.c.completed_at - seen)
    query = (
        select(begun.label("begun"), live.label("live"))
        .select_from(jobs)
        .join(source_posts, source_posts.c.id == jobs.c.source_post_id)
        .join(attempts, attempts.c.job_id == jobs.c.id)
        .where(jobs.c.workspace_id == WORKSPACE, jobs.c.status == JobStatus.SUCCESS)
        .group_by(jobs.c.id, seen)
    )
    return [(float(row.begun), float(row.live)) for row in tx.execute(query)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A running job whose video is on its way, and the machine that carries it."""

    job_id: int
    host: str
    state: PublicationState


def uploads(tx: Tx, now: datetime) -> list[Upload]:
    """Those under way at this moment, by workers that renewed their lease, the irreversible call included."""
    under_way = (PublicationState.OPENED, PublicationState.SENDING, PublicationState.COMMITTING)
    query = (
        select(jobs.c.id, jobs.c.worker["host"].astext.label("host"), publications.c.state)
        .join(publications, publications.c.job_id == jobs.c.id)
        .where(jobs.c.workspace_id == WORKSPACE, jobs.c.status == JobStatus.RUNNING, jobs.c.lease_until > now)
        .where(publications.c.state.in_([state.value for state in under_way]))
    )
    return [
        Upload(job_id=row.id, host=row.host or "", state=PublicationState(row.state))
        for row in tx.execute(query.order_by(jobs.c.id))
    ]


def carried_by(tx: Tx, host: str) -> set[int]:
    """Running jobs of that machine."""
    query = select(jobs.c.id).where(
        jobs.c.workspace_id == WORKSPACE, jobs.c.status == JobStatus.RUNNING, jobs.c.worker["host"].astext == host
    )
    return set(tx.execute(query).scalars())


def unfinished_among(tx: Tx, job_ids: Sequence[int]) -> set[int]:
    """Those of these jobs that have not ended."""
    query = select(jobs.c.id).where(jobs.c.id.in_(job_ids), jobs.c.status.not_in(_ENDED))
    return set(tx.execute(query).scalars())


def everything_of(tx: Tx, job_ids: Sequence[int]) -> dict[str, list[tuple[object, ...]]]:
    """Every row of these jobs that a worker may write, by table: two of these differ where one did."""

    def rows(table: Table, column: str) -> list[tuple[object, ...]]:
        query = select(table).where(table.c[column].in_(job_ids)).order_by(table.c.id)
        return [tuple(row) for row in tx.execute(query)]

    return {
        "jobs": rows(jobs, "id"),
        "attempts": rows(attempts, "job_id"),
        "publications": rows(publications, "job_id"),
    }


def heard_at(tx: Tx, host: str) -> datetime | None:
    """When that machine gave its last sign of life."""
    heard: datetime | None = tx.execute(select(func.max(workers.c.seen_at)).where(workers.c.host == host)).scalar_one()
    return heard


def said_of(tx: Tx, job_ids: Sequence[int], code: str, since: datetime) -> set[int]:
    """Those of these jobs whose log has a message of that code from after `since`."""
    query = select(log_events.c.job_id).where(
        log_events.c.job_id.in_(job_ids), log_events.c.code == code, log_events.c.at > since
    )
    return set(tx.execute(query).scalars())
