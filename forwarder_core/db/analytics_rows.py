"""The computed days, read: tallies by connection, account and day, failures, proxies, load; and which days are due.

What a figure of several days needs of single jobs (percentiles) is read from the jobs themselves, by their index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, Table, func, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.accounts import accounts, proxies
from forwarder_core.db.tables.analytics import (
    account_daily,
    analytics_days,
    analytics_marks,
    connection_daily,
    failure_daily,
    proxy_daily,
    rollups,
    system_daily,
)
from forwarder_core.db.tables.flow import connections, jobs
from forwarder_core.domain.analytics import Period, Tally

_MARK = "jobs"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionDay:
    day: date
    connection_id: int
    tally: Tally
    hours: Mapping[int, tuple[int, int]]  # succeeded and failed, by local hour
    last_failed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDay:
    """`role`: source or destination. `blamed`: failed attempts in this account's own step."""

    day: date
    account_id: int
    role: str
    tally: Tally
    blamed: int
    last_failed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureDay:
    day: date
    connection_id: int
    code: str
    side: str
    jobs: int
    attempts: int
    recovered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyDay:
    day: date
    proxy_id: int
    alias: str
    checks: int
    failed: int
    latency_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemDay:
    day: date
    created: int
    cancelled: int
    filtered: int
    slots: int
    elapsed_s: float
    latency_p50_s: float | None
    latency_p95_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A connection as the analytics name it, also after it was deleted."""

    id: int
    name: str
    status: str
    source_account_id: int
    destination_account_id: int
    is_deleted: bool


def connection_days(tx: Tx, period: Period, connection_id: int | None = None) -> list[ConnectionDay]:
    query = select(connection_daily).where(*_within(connection_daily, period)).order_by("day", "connection_id")
    if connection_id is not None:
        query = query.where(connection_daily.c.connection_id == connection_id)
    return [
        ConnectionDay(
            day=row.day,
            connection_id=row.connection_id,
            tally=_tally(row),
            hours={int(hour): (int(good), int(bad)) for hour, (good, bad) in row.hours.items()},
            last_failed_at=row.last_failed_at,
        )
        for row in tx.execute(query)
    ]


def busy_hours(tx: Tx, period: Period) -> list[tuple[int, date, dict[int, int]]]:
    """Connection, day, and how many jobs ended in each local hour of it; in order of the days."""
    columns = (connection_daily.c.connection_id, connection_daily.c.day, connection_daily.c.hours)
    query = select(*columns).where(*_within(connection_daily, period)).order_by("day", "connection_id")
    return [
        (connection, day, {int(hour): int(good) + int(bad) for hour, (good, bad) in hours.items()})
        for connection, day, hours in tx.execute(query)
    ]


def account_days(tx: Tx, period: Period, account_id: int | None = None) -> list[AccountDay]:
    query = select(account_daily).where(*_within(account_daily, period)).order_by("day", "account_id", "role")
    if account_id is not None:
        query = query.where(account_daily.c.account_id == account_id)
    return [
        AccountDay(
            day=row.day,
            account_id=row.account_id,
            role=row.role,
            tally=Tally(
                succeeded=row.succeeded,
                failed=row.failed,
                attempts_succeeded=row.attempts_succeeded,
                attempts_failed=row.attempts_failed,
                blocked=row.blocked,
            ),
            blamed=row.blamed,
            last_failed_at=row.last_failed_at,
        )
        for row in tx.execute(query)
    ]


def failure_days(tx: Tx, period: Period, connection_ids: Sequence[int] | None = None) -> list[FailureDay]:
    query = select(failure_daily).where(*_within(failure_daily, period)).order_by("day", "connection_id", "code")
    if connection_ids is not None:
        query = query.where(failure_daily.c.connection_id.in_(connection_ids))
    names = ("day", "connection_id", "code", "side", "jobs", "attempts", "recovered")
    return [FailureDay(**{name: row._mapping[name] for name in names}) for row in tx.execute(query)]


def proxy_days(tx: Tx, period: Period) -> list[ProxyDay]:
    query = (
        select(proxy_daily, proxies.c.alias)
        .join(proxies, proxies.c.id == proxy_daily.c.proxy_id)
        .where(*_within(proxy_daily, period))
        .order_by(proxy_daily.c.day, proxies.c.alias)
    )
    names = ("day", "proxy_id", "alias", "checks", "failed", "latency_ms")
    return [ProxyDay(**{name: row._mapping[name] for name in names}) for row in tx.execute(query)]


def system_days(tx: Tx, period: Period) -> list[SystemDay]:
    query = select(system_daily).where(*_within(system_daily, period)).order_by("day")
    names = ("day", "created", "cancelled", "filtered", "slots", "elapsed_s", "latency_p50_s", "latency_p95_s")
    return [SystemDay(**{name: row._mapping[name] for name in names}) for row in tx.execute(query)]


def rolled_up(tx: Tx, period: str, limit: int) -> list[dict[str, Any]]:
    """The last weeks or months, newest first."""
    query = select(rollups).where(rollups.c.workspace_id == WORKSPACE, rollups.c.period == period)
    found = tx.execute(query.order_by(rollups.c.starts_on.desc()).limit(limit)).mappings()
    return [dict(row) for row in found]


def named_connections(tx: Tx) -> dict[int, Named]:
    query = select(connections).where(connections.c.workspace_id == WORKSPACE)
    names = ("id", "name", "status", "source_account_id", "destination_account_id")
    return {
        row.id: Named(**{name: row._mapping[name] for name in names}, is_deleted=row.deleted_at is not None)
        for row in tx.execute(query)
    }


def named_accounts(tx: Tx) -> dict[int, tuple[str, str, str]]:
    """Alias, platform and status of every account."""
    query = select(accounts.c.id, accounts.c.alias, accounts.c.platform, accounts.c.status)
    found = tx.execute(query.where(accounts.c.workspace_id == WORKSPACE))
    return {row.id: (row.alias, row.platform, row.status) for row in found}


def latency(tx: Tx, since: datetime, until: datetime) -> tuple[float | None, float | None]:
    """Seconds from posted at the source to seen at the destination: median and 95th percentile; old posts aside."""
    found = tx.execute(
        text(
            "SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP"
            " (ORDER BY extract(epoch FROM j.completed_at - p.posted_at))"
            " FROM jobs j JOIN source_posts p ON p.id = j.source_post_id"
            " WHERE j.workspace_id = :workspace AND j.status = 'success' AND NOT j.is_old"
            " AND j.completed_at >= :since AND j.completed_at < :until"
        ),
        {"workspace": WORKSPACE, "since": since, "until": until},
    ).scalar_one()
    return (float(found[0]), float(found[1])) if found else (None, None)


def open_dead_letters(tx: Tx) -> list[dict[str, Any]]:
    """Dead letters nobody put away, by cause: code, jobs, oldest_at."""
    query = (
        select(
            func.coalesce(jobs.c.error_code, "unknown").label("code"),
            func.count().label("jobs"),
            func.min(jobs.c.completed_at).label("oldest_at"),
        )
        .where(jobs.c.workspace_id == WORKSPACE, jobs.c.status == "dead", jobs.c.deleted_at.is_(None))
        .group_by("code")
        .order_by(func.count().desc(), "code")
    )
    return [dict(row) for row in tx.execute(query).mappings()]


# ---- which days are due --------------------------------------------------------------------------------------------


def mark(tx: Tx) -> datetime | None:
    """How far changes were looked through."""
    query = select(analytics_marks.c.at).where(
        analytics_marks.c.workspace_id == WORKSPACE, analytics_marks.c.name == _MARK
    )
    found: datetime | None = tx.execute(query).scalar_one_or_none()
    return found


def keep_mark(tx: Tx, at: datetime) -> None:
    made = upsert(analytics_marks).values(name=_MARK, at=at)
    tx.execute(made.on_conflict_do_update(index_elements=["workspace_id", "name"], set_={"at": at}))


def first_day(tx: Tx, zone: str) -> date | None:
    """The day of the first job there ever was."""
    query = text("SELECT (min(created_at) AT TIME ZONE :zone)::date FROM jobs WHERE workspace_id = :workspace")
    found: date | None = tx.execute(query, {"zone": zone, "workspace": WORKSPACE}).scalar_one()
    return found


def touched_days(tx: Tx, since: datetime, now: datetime, zone: str) -> set[date]:
    """Every day on which a job that changed since then may have counted: from its making to its end, or to now."""
    query = text(
        "SELECT DISTINCT stood.day::date AS day FROM jobs j, LATERAL generate_series("
        " (j.created_at AT TIME ZONE :zone)::date, (coalesce(j.completed_at, :now) AT TIME ZONE :zone)::date,"
        " interval '1 day') AS stood(day) WHERE j.workspace_id = :workspace AND j.changed_at > :since"
    )
    values = {"zone": zone, "now": now, "since": since, "workspace": WORKSPACE}
    return {row.day for row in tx.execute(query, values)}


def computed_days(tx: Tx) -> dict[date, Row[Any]]:
    query = select(analytics_days).where(analytics_days.c.workspace_id == WORKSPACE)
    return {row.day: row for row in tx.execute(query)}


_SOURCES = text(
    """
    SELECT stood.day, ended.n + made.n + tried.n + checked.n + unwanted.n AS n,
        greatest(ended.at, made.at, tried.at, checked.at, unwanted.at) AS changed_at
    FROM (
        SELECT day, day::timestamp AT TIME ZONE :zone AS since,
            (day + 1)::timestamp AT TIME ZONE :zone AS until
        FROM unnest(CAST(:days AS date[])) AS days(day)
    ) AS stood,
    LATERAL (SELECT count(*) AS n, max(changed_at) AS at FROM jobs
        WHERE workspace_id = :workspace AND completed_at >= since AND completed_at < until) AS ended,
    LATERAL (SELECT count(*) AS n, max(created_at) AS at FROM jobs
        WHERE workspace_id = :workspace AND created_at >= since AND created_at < until) AS made,
    LATERAL (SELECT count(*) AS n, max(ended_at) AS at FROM attempts WHERE ended_at >= since AND ended_at < until)
        AS tried,
    LATERAL (SELECT count(*) AS n, max(at) AS at FROM proxy_checks WHERE at >= since AND at < until) AS checked,
    LATERAL (SELECT count(*) AS n, max(decided_at) AS at FROM decisions
        WHERE verdict = 'filtered' AND decided_at >= since AND decided_at < until) AS unwanted
    """
)


def sources(tx: Tx, days: Sequence[date], zone: str) -> dict[date, tuple[int, datetime | None]]:
    """What each of these days is computed from: how many rows, and when the last of them changed. Each day is a range
    of each index: half the work of sorting all rows of a year into days."""
    found = tx.execute(_SOURCES, {"workspace": WORKSPACE, "days": list(days), "zone": zone})
    return {row.day: (row.n, row.changed_at) for row in found}


def note_days(tx: Tx, days: Sequence[tuple[date, int, datetime | None]], zone: str, now: datetime) -> None:
    """Computed at `now`, from so many rows of which the last changed then."""
    made = upsert(analytics_days).values(
        [
            {"day": day, "zone": zone, "source_rows": rows, "source_changed_at": at, "computed_at": now}
            for day, rows, at in days
        ]
    )
    names = ("zone", "source_rows", "source_changed_at", "computed_at")
    changed = {name: made.excluded[name] for name in names}
    tx.execute(made.on_conflict_do_update(index_elements=["workspace_id", "day"], set_=changed))


def unequal_days(tx: Tx, since: datetime, until: datetime, zone: str) -> list[date]:
    """Days whose figures are not those of the jobs: none, or somebody wrote by hand."""
    query = text(
        "SELECT day FROM (SELECT (completed_at AT TIME ZONE :zone)::date AS day, count(*) AS n FROM jobs"
        "  WHERE workspace_id = :workspace AND status IN ('success', 'dead') AND completed_at >= :since"
        "  AND completed_at < :until GROUP BY 1) AS found"
        " FULL JOIN (SELECT day, sum(succeeded + failed) AS n FROM connection_daily WHERE workspace_id = :workspace"
        "  AND day >= (CAST(:since AS timestamptz) AT TIME ZONE :zone)::date"
        "  AND day < (CAST(:until AS timestamptz) AT TIME ZONE :zone)::date GROUP BY 1) AS kept USING (day)"
        " WHERE coalesce(found.n, 0) <> coalesce(kept.n, 0) ORDER BY day"
    )
    values = {"zone": zone, "workspace": WORKSPACE, "since": since, "until": until}
    return [row.day for row in tx.execute(query, values)]


def orphans(tx: Tx, period: Period) -> int:
    """Connection-days whose failures are not those of their connection's row: counted once and named never, or so."""
    query = text(
        "SELECT count(*) FROM (SELECT day, connection_id, sum(jobs) AS n FROM failure_daily"
        "  WHERE workspace_id = :workspace AND day BETWEEN :first AND :last GROUP BY 1, 2) AS f"
        " FULL JOIN (SELECT day, connection_id, failed AS n FROM connection_daily"
        "  WHERE workspace_id = :workspace AND day BETWEEN :first AND :last) AS c USING (day, connection_id)"
        " WHERE coalesce(f.n, 0) <> coalesce(c.n, 0)"
    )
    found: int = tx.execute(query, {"workspace": WORKSPACE, "first": period.first, "last": period.last}).scalar_one()
    return found


def _within(table: Table, period: Period) -> tuple[Any, ...]:
    return (table.c.workspace_id == WORKSPACE, table.c.day.between(period.first, period.last))


_COUNTS = [
    "succeeded",
    "failed",
    "attempts_succeeded",
    "attempts_failed",
    "blocked",
    "retries",
    "succeeded_after_retry",
    "duration_s",
    "wait_s",
    "started",
    "busy_s",
    "bytes_fetched",
    "bytes_sent",
]


def _tally(row: Row[Any]) -> Tally:
    return Tally(**{name: row._mapping[name] for name in _COUNTS})
