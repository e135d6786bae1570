"""What screens and the API show, read in one query each: jobs with their post, the last day in numbers, what is late.

Reading only; every write of these rows is in the module of its noun.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, or_, select

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.connections import looks_by_itself
from forwarder_core.db.engine import Tx
from forwarder_core.db.jobs import job_of
from forwarder_core.db.tables.accounts import accounts, proxies, watches
from forwarder_core.db.tables.flow import connections, jobs, media_files, source_posts
from forwarder_core.domain.accounts import AccountStatus
from forwarder_core.domain.jobs import Job, JobStatus, WaitReason

_OWN = jobs.c.workspace_id == WORKSPACE
# With the end of a job it costs what there is of them: two ranges of indices, not the whole history.
_UNDER_WAY = jobs.c.status.in_([s.value for s in JobStatus if not s.is_terminal])
SHOWN = jobs.c.deleted_at.is_(None)  # a dead letter the admin deleted is on no list


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job with what a person wants to see beside it. `note` says how far its step is, in words."""

    job: Job
    connection_name: str
    source_post_id: str
    source_url: str
    caption: str
    duration_s: float | None
    note: str
    changed_at: datetime


def views() -> Select[Any]:
    """What `view_of` reads."""
    return (
        select(
            jobs,
            connections.c.name.label("connection_name"),
            source_posts.c.platform_post_id,
            source_posts.c.url.label("source_url"),
            source_posts.c.caption,
            source_posts.c.duration_s,
        )
        .join(connections, connections.c.id == jobs.c.connection_id)
        .join(source_posts, source_posts.c.id == jobs.c.source_post_id)
        .where(_OWN, SHOWN)
    )


def job(tx: Tx, job_id: int) -> JobView | None:
    row = tx.execute(views().where(jobs.c.id == job_id)).one_or_none()
    return None if row is None else view_of(row)


def moving(tx: Tx, *, since: datetime, limit: int) -> list[JobView]:
    """What is under way or waiting, and what ended after `since`; running ones first, then the latest change."""
    query = views().where(or_(_UNDER_WAY, jobs.c.completed_at >= since))
    running_first = (jobs.c.status == JobStatus.RUNNING).desc()
    return [view_of(row) for row in tx.execute(query.order_by(running_first, jobs.c.changed_at.desc()).limit(limit))]


def plan_of(tx: Tx, job_id: int) -> dict[str, Any]:
    """What was decided about the file of a job; empty while nothing was."""
    query = select(media_files.c.plan).where(media_files.c.job_id == job_id, media_files.c.kind == "rendition")
    return tx.execute(query).scalar_one_or_none() or {}


def waits_s(tx: Tx, since: datetime) -> float | None:
    """Mean seconds from queued to first started, of the jobs started after `since`."""
    waited = func.avg(func.extract("epoch", jobs.c.started_at - jobs.c.created_at))
    among = or_(_UNDER_WAY, jobs.c.completed_at >= since)  # no others can have started then
    found = tx.execute(select(waited).where(_OWN, among, jobs.c.started_at >= since)).scalar_one()
    return None if found is None else float(found)


def last_planned(tx: Tx, connection_id: int, now: datetime) -> datetime:
    """When the last old post of this connection goes that waits for its day; `now` where none does."""
    last = select(func.max(jobs.c.next_attempt_at)).where(
        jobs.c.connection_id == connection_id, jobs.c.wait_reason == WaitReason.DRIP
    )
    return max(now, tx.execute(last).scalar_one() or now)


def oldest_due_watch(tx: Tx) -> datetime | None:
    """Since when the most overdue source waits to be looked at by itself; may lie ahead."""
    watched = select(connections.c.source_account_id).where(looks_by_itself())
    query = (
        select(func.min(watches.c.next_poll_at))
        .join(accounts, accounts.c.id == watches.c.account_id)
        .where(
            watches.c.account_id.in_(watched), accounts.c.status.in_([s.value for s in AccountStatus if s.is_usable])
        )
    )
    due: datetime | None = tx.execute(query).scalar_one()
    return due


def looks(tx: Tx, account_ids: Sequence[int]) -> dict[int, tuple[datetime, datetime | None]]:
    """When each of these sources is looked at next, and was last."""
    query = select(watches.c.account_id, watches.c.next_poll_at, watches.c.polled_at)
    found = tx.execute(query.where(watches.c.account_id.in_(account_ids)))
    return {row.account_id: (row.next_poll_at, row.polled_at) for row in found}


def account_names(tx: Tx, account_ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Alias and platform of each of these accounts."""
    query = select(accounts.c.id, accounts.c.alias, accounts.c.platform).where(accounts.c.id.in_(account_ids))
    return {row.id: (row.alias, row.platform) for row in tx.execute(query)}


def proxy_names(tx: Tx, proxy_ids: Sequence[int]) -> dict[int, str]:
    if not proxy_ids:
        return {}
    query = select(proxies.c.id, proxies.c.alias).where(proxies.c.id.in_(proxy_ids))
    return {row.id: row.alias for row in tx.execute(query)}


def view_of(row: Row[Any]) -> JobView:
    return JobView(
        job=job_of(row),
        connection_name=row.connection_name,
        source_post_id=row.platform_post_id,
        source_url=row.source_url,
        caption=row.caption,
        duration_s=row.duration_s,
        note=row.progress_note,
        changed_at=row.changed_at,
    )


def ended_before(tx: Tx, job_ids: Sequence[int], before_at: datetime) -> list[int]:
    """Those of these jobs that ended before then, or that are not there any more."""
    rows = tx.execute(select(jobs.c.id, jobs.c.completed_at).where(jobs.c.id.in_(job_ids))).all()
    kept = {row.id for row in rows if row.completed_at is None or row.completed_at >= before_at}
    return [job_id for job_id in job_ids if job_id not in kept]


def last_errors(tx: Tx, connection_id: int, n: int) -> list[str | None]:
    """The error codes of the connection's last `n` ended jobs, newest first; None = that one arrived."""
    query = select(jobs.c.error_code).where(
        _OWN, jobs.c.connection_id == connection_id, jobs.c.status.in_([JobStatus.SUCCESS, JobStatus.DEAD])
    )
    return list(tx.execute(query.order_by(jobs.c.completed_at.desc()).limit(n)).scalars())
