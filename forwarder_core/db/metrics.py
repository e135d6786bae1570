"""What Prometheus is told, counted in SQL. Reading only; every query is of an index or of a day's rows at most."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.accounts import accounts, proxies
from forwarder_core.db.tables.flow import attempts, jobs
from forwarder_core.db.tables.tokens import tokens
from forwarder_core.domain.jobs import JobStatus, Step

_OWN = jobs.c.workspace_id == WORKSPACE
_OPEN = [status.value for status in JobStatus if not status.is_terminal]


def open_jobs(tx: Tx) -> dict[str, int]:
    """Jobs that have not ended, by status."""
    query = select(jobs.c.status, func.count().label("n")).where(_OWN, jobs.c.status.in_(_OPEN))
    counted = {row.status: row.n for row in tx.execute(query.group_by(jobs.c.status))}
    return {status: counted.get(status, 0) for status in _OPEN}


def oldest_queued(tx: Tx) -> datetime | None:
    found: datetime | None = tx.execute(
        select(func.min(jobs.c.changed_at)).where(_OWN, jobs.c.status == JobStatus.QUEUED)
    ).scalar_one()
    return found


def ended(tx: Tx, since: datetime) -> list[tuple[str, str, int]]:
    """Jobs that ended since then: status, error code ('' where there is none), how many."""
    code = func.coalesce(jobs.c.error_code, "")
    query = select(jobs.c.status, code.label("code"), func.count().label("n"))
    query = query.where(_OWN, jobs.c.completed_at >= since).group_by(jobs.c.status, code)
    return [(row.status, row.code if row.status == JobStatus.DEAD else "", row.n) for row in tx.execute(query)]


def attempts_ended(tx: Tx, since: datetime) -> dict[str, int]:
    """Attempts that began since then, by state."""
    query = select(attempts.c.state, func.count().label("n")).where(attempts.c.job_id.in_(_recent(since)))
    return {row.state: row.n for row in tx.execute(query.where(attempts.c.started_at >= since).group_by("state"))}


def step_seconds(tx: Tx, since: datetime) -> dict[str, dict[float, float]]:
    """Seconds of each step in the attempts that began since then, by quantile; steps nobody took are left out."""
    found = {}
    for step in Step:
        seconds = attempts.c.seconds[step.value].as_float()
        shares = [func.percentile_cont(q).within_group(seconds.asc()) for q in (0.5, 0.95)]
        query = select(func.count(seconds), *shares).where(
            attempts.c.job_id.in_(_recent(since)), attempts.c.started_at >= since, seconds.is_not(None)
        )
        n, half, most = tx.execute(query).one()
        if n:
            found[step.value] = {0.5: float(half), 0.95: float(most)}
    return found


def proxy_healths(tx: Tx) -> list[tuple[str, str]]:
    query = select(proxies.c.alias, proxies.c.health).where(proxies.c.workspace_id == WORKSPACE)
    return [(row.alias, row.health) for row in tx.execute(query.order_by(proxies.c.alias))]


def token_ends(tx: Tx) -> list[dict[str, Any]]:
    """When a person must act for each credential whose end is known."""
    query = (
        select(accounts.c.alias, accounts.c.platform, tokens.c.label, tokens.c.expires_at)
        .join(accounts, accounts.c.id == tokens.c.account_id)
        .where(tokens.c.workspace_id == WORKSPACE, tokens.c.expires_at.is_not(None))
        .order_by(accounts.c.alias, tokens.c.label)
    )
    return [dict(row) for row in tx.execute(query).mappings()]


def account_statuses(tx: Tx) -> list[tuple[str, int]]:
    query = select(accounts.c.status, func.count().label("n")).where(accounts.c.workspace_id == WORKSPACE)
    return [(row.status, row.n) for row in tx.execute(query.group_by(accounts.c.status).order_by(accounts.c.status))]


def _recent(since: datetime) -> Any:
    return select(jobs.c.id).where(_OWN, jobs.c.changed_at >= since)
