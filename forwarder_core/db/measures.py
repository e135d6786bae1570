"""What thresholds and reports measure, in SQL; and which values are beyond their mark at present.

Reading only, but for the rows of `threshold_states`: one stands there while its value is beyond, and whoever makes or
deletes it is the one who tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, or_, select, true
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.connections import looks_by_itself
from forwarder_core.db.dispatch import DESTINATION, SOURCE, may_run
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.accounts import accounts, proxies, proxy_checks
from forwarder_core.db.tables.flow import attempts, connections, decisions, jobs
from forwarder_core.db.tables.roads import threshold_states
from forwarder_core.db.tables.tokens import tokens
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.domain.posts import Verdict
from forwarder_core.errors import ProxyBlocked, ProxyFailed

_ENDED = (JobStatus.SUCCESS, JobStatus.DEAD)
_LAST_FORWARDS = 30


@dataclass(frozen=True, slots=True)
class Tally:
    """Jobs that ended, of one account or of all."""

    id: int
    name: str
    platform: str
    succeeded: int
    failed: int

    @property
    def rate(self) -> float:
        """Percent."""
        return 100 * self.succeeded / max(1, self.succeeded + self.failed)


@dataclass(frozen=True, slots=True)
class ProxyTally:
    """`n` of what is counted, checks or jobs."""

    id: int
    alias: str
    n: int
    failed: int


@dataclass(frozen=True, slots=True)
class SignIn:
    """A credential only a person can renew, and when it ends. `label` is empty for the account's own one."""

    id: int
    account_id: int
    account: str
    platform: str
    label: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Forwards:
    """When an active connection's last posts arrived, newest first."""

    connection_id: int
    name: str
    at: tuple[datetime, ...]


def by_account(tx: Tx, since: datetime) -> list[Tally]:
    """Every account with a job that ended since then, at either end of it."""
    n_success = func.count().filter(jobs.c.status == JobStatus.SUCCESS)
    ends = or_(connections.c.source_account_id == accounts.c.id, connections.c.destination_account_id == accounts.c.id)
    query = (
        select(accounts.c.id, accounts.c.alias, accounts.c.platform, n_success.label("good"), func.count().label("n"))
        .select_from(jobs)
        .join(connections, connections.c.id == jobs.c.connection_id)
        .join(accounts, ends)
        .where(jobs.c.workspace_id == WORKSPACE, jobs.c.status.in_(_ENDED), jobs.c.completed_at >= since)
        .group_by(accounts.c.id, accounts.c.alias, accounts.c.platform)
        .order_by(accounts.c.id)
    )
    return [Tally(row.id, row.alias, row.platform, row.good, row.n - row.good) for row in tx.execute(query)]


def by_proxy(tx: Tx, last: int) -> list[ProxyTally]:
    """Each proxy's last so many checks."""
    nth = func.row_number().over(partition_by=proxy_checks.c.proxy_id, order_by=proxy_checks.c.id.desc())
    ranked = select(proxy_checks.c.proxy_id, proxy_checks.c.ok, nth.label("nth")).subquery()
    failed = func.count().filter(~ranked.c.ok)
    query = (
        select(proxies.c.id, proxies.c.alias, func.count().label("n"), failed.label("failed"))
        .join(ranked, ranked.c.proxy_id == proxies.c.id)
        .where(proxies.c.workspace_id == WORKSPACE, ranked.c.nth <= last)
        .group_by(proxies.c.id, proxies.c.alias)
        .order_by(proxies.c.id)
    )
    return [ProxyTally(row.id, row.alias, row.n, row.failed) for row in tx.execute(query)]


def by_proxy_used(tx: Tx, last: int) -> list[ProxyTally]:
    """The last so many attempts of jobs through each proxy; failed are those that failed at it."""
    through = select(attempts.c.error_code).where(attempts.c.proxy_id == proxies.c.id, attempts.c.ended_at.is_not(None))
    recent = through.order_by(attempts.c.id.desc()).limit(last).lateral("recent")
    failed = func.count().filter(recent.c.error_code.in_((ProxyFailed.code, ProxyBlocked.code)))
    query = (
        select(proxies.c.id, proxies.c.alias, func.count().label("n"), failed.label("failed"))
        .join(recent, true())
        .where(proxies.c.workspace_id == WORKSPACE)
        .group_by(proxies.c.id, proxies.c.alias)
        .order_by(proxies.c.id)
    )
    return [ProxyTally(row.id, row.alias, row.n, row.failed) for row in tx.execute(query)]


def sign_ins(tx: Tx) -> list[SignIn]:
    """Of every account that wants alerts about its sign-ins."""
    query = (
        select(tokens.c.id, tokens.c.account_id, accounts.c.alias, accounts.c.platform, tokens.c.label)
        .add_columns(tokens.c.expires_at)
        .join(accounts, accounts.c.id == tokens.c.account_id)
        .where(tokens.c.workspace_id == WORKSPACE, tokens.c.expires_at.is_not(None))
        .where(func.coalesce(accounts.c.alerts["enabled"].as_boolean(), true()))
        .order_by(tokens.c.id)
    )
    return [SignIn(*row) for row in tx.execute(query)]


def oldest_runnable(tx: Tx, now: datetime) -> datetime | None:
    """Since when the job waits longest that nothing but room keeps from running."""
    waiting = or_(
        jobs.c.status == JobStatus.QUEUED,
        (jobs.c.status == JobStatus.RETRY_WAIT) & (jobs.c.next_attempt_at <= now),
    )
    since = func.greatest(jobs.c.changed_at, jobs.c.next_attempt_at)
    query = (
        select(func.min(since))
        .select_from(jobs)
        .join(connections, connections.c.id == jobs.c.connection_id)
        .join(SOURCE, SOURCE.c.id == connections.c.source_account_id)
        .join(DESTINATION, DESTINATION.c.id == connections.c.destination_account_id)
        .where(jobs.c.workspace_id == WORKSPACE, waiting, may_run(now))
    )
    oldest: datetime | None = tx.execute(query).scalar_one()
    return oldest


def last_forwards(tx: Tx) -> list[Forwards]:
    """Of every connection that looks by itself and has forwarded anything."""
    done = select(jobs.c.completed_at).where(
        jobs.c.connection_id == connections.c.id, jobs.c.status == JobStatus.SUCCESS
    )
    last = done.order_by(jobs.c.completed_at.desc()).limit(_LAST_FORWARDS).lateral("last")
    query = (
        select(connections.c.id, connections.c.name, func.array_agg(last.c.completed_at).label("times"))
        .join(last, true())
        .where(looks_by_itself())
        .group_by(connections.c.id, connections.c.name)
        .order_by(connections.c.id)
    )
    return [Forwards(row.id, row.name, tuple(sorted(row.times, reverse=True))) for row in tx.execute(query)]


def top_errors(tx: Tx, since: datetime, limit: int) -> list[tuple[str, int]]:
    """The codes jobs ended with since then, the most frequent first."""
    query = (
        select(jobs.c.error_code, func.count().label("n"))
        .where(jobs.c.workspace_id == WORKSPACE, jobs.c.status == JobStatus.DEAD, jobs.c.completed_at >= since)
        .group_by(jobs.c.error_code)
        .order_by(func.count().desc(), jobs.c.error_code)
    )
    return [(row.error_code or "unknown", row.n) for row in tx.execute(query.limit(limit))]


def ended(tx: Tx, since: datetime) -> dict[str, int]:
    """Jobs that ended since then, by state."""
    query = select(jobs.c.status, func.count().label("n")).where(
        jobs.c.workspace_id == WORKSPACE, jobs.c.completed_at >= since
    )
    return {row.status: row.n for row in tx.execute(query.group_by(jobs.c.status))}


def filtered(tx: Tx, since: datetime) -> int:
    """Posts no connection wanted, decided since then."""
    query = select(func.count()).where(decisions.c.verdict == Verdict.FILTERED, decisions.c.decided_at >= since)
    return tx.execute(query).scalar_one()


def refreshed(tx: Tx, since: datetime) -> int:
    """Credentials renewed since then."""
    query = select(func.count()).where(tokens.c.workspace_id == WORKSPACE, tokens.c.refreshed_at >= since)
    return tx.execute(query).scalar_one()


# ---- what is beyond its mark ------------------------------------------------------------------------------------


def beyond(tx: Tx) -> dict[tuple[str, str], dict[str, Any]]:
    """The values beyond their mark: since when, and what they were then."""
    query = select(threshold_states).where(threshold_states.c.workspace_id == WORKSPACE)
    return {(row.metric, row.subject): {"since": row.since, "value": row.value} for row in tx.execute(query)}


def begin(tx: Tx, metric: str, subject: str, value: str, now: datetime) -> bool:
    """False when somebody else has just said so."""
    made = upsert(threshold_states).values(metric=metric, subject=subject, value=value, since=now)
    first = made.on_conflict_do_nothing(index_elements=["workspace_id", "metric", "subject"])
    return tx.execute(first.returning(threshold_states.c.id)).one_or_none() is not None


def end(tx: Tx, metric: str, subject: str) -> datetime | None:
    """Since when it was beyond its mark; None when somebody else has just ended it."""
    same = (threshold_states.c.metric == metric) & (threshold_states.c.subject == subject)
    gone = delete(threshold_states).where(threshold_states.c.workspace_id == WORKSPACE, same)
    since: datetime | None = tx.execute(gone.returning(threshold_states.c.since)).scalar_one_or_none()
    return since
