"""The figures of days, computed from the rows of the engine in one statement a table.

Each statement takes any number of days at once: one day's refresh and a year's rebuild are the same SQL. Local days
are Postgres's `AT TIME ZONE`, so a day of a clock change has its 23 or 25 hours. Reading is `analytics_rows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select, text

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx

_LOCK = 4_209_001  # of whoever computes days: one at a time
_TABLES = ("connection_daily", "account_daily", "failure_daily", "proxy_daily", "system_daily")
# The admin wished these to wait: no day is lost by them.
_WISHED = "('drip', 'window', 'approval', 'hold')"

_CONNECTIONS = text(
    f"""
    INSERT INTO connection_daily (workspace_id, day, connection_id, succeeded, failed, attempts_succeeded,
        attempts_failed, blocked, retries, succeeded_after_retry, duration_s, wait_s, started, busy_s, bytes_fetched,
        bytes_sent, hours, last_failed_at)
    WITH ended AS MATERIALIZED (
        SELECT connection_id, completed_at AT TIME ZONE :zone AS local, status = 'success' AS good, retries_used,
            extract(epoch FROM completed_at - started_at) AS duration,
            extract(epoch FROM started_at - created_at) AS wait, completed_at
        FROM jobs
        WHERE workspace_id = :workspace AND completed_at >= :since AND completed_at < :until
            AND status IN ('success', 'dead')
    ), hourly AS (
        SELECT local::date AS day, connection_id, extract(hour FROM local)::int AS hour,
            count(*) FILTER (WHERE good) AS good, count(*) FILTER (WHERE NOT good) AS bad,
            coalesce(sum(retries_used) FILTER (WHERE good), 0) AS retries,
            count(*) FILTER (WHERE good AND retries_used > 0) AS after_retry,
            coalesce(sum(duration) FILTER (WHERE good), 0) AS duration, coalesce(sum(wait), 0) AS wait,
            count(wait) AS started, max(completed_at) FILTER (WHERE NOT good) AS failed_at
        FROM ended GROUP BY 1, 2, 3
    ), by_job AS (
        SELECT day, connection_id, sum(good) AS good, sum(bad) AS bad, sum(retries) AS retries,
            sum(after_retry) AS after_retry, sum(duration) AS duration, sum(wait) AS wait, sum(started) AS started,
            jsonb_object_agg(hour, jsonb_build_array(good, bad)) AS hours, max(failed_at) AS failed_at
        FROM hourly GROUP BY 1, 2
    ), tried AS (
        SELECT (a.ended_at AT TIME ZONE :zone)::date AS day, j.connection_id,
            count(*) FILTER (WHERE a.state = 'success') AS good,
            count(*) FILTER (WHERE a.state IN ('failed', 'lost')) AS bad,
            sum(extract(epoch FROM a.ended_at - a.started_at)) AS busy,
            coalesce(sum(a.bytes_fetched), 0) AS fetched, coalesce(sum(a.bytes_sent), 0) AS sent,
            max(a.ended_at) FILTER (WHERE a.state IN ('failed', 'lost')) AS failed_at
        FROM attempts a JOIN jobs j ON j.id = a.job_id
        WHERE j.workspace_id = :workspace AND a.ended_at >= :since AND a.ended_at < :until
        GROUP BY 1, 2
    ), blocked AS (
        SELECT stood.day::date AS day, j.connection_id, count(*) AS jobs
        FROM jobs j, LATERAL generate_series(
            greatest((j.created_at AT TIME ZONE :zone)::date + 1, CAST(:first AS date)),
            least((coalesce(j.completed_at, :now) AT TIME ZONE :zone)::date - 1, CAST(:last AS date)),
            interval '1 day') AS stood(day)
        WHERE j.workspace_id = :workspace AND j.created_at < :until AND j.status <> 'cancelled' AND NOT j.is_old
            AND (j.completed_at IS NULL OR j.completed_at - j.created_at > interval '22 hours')
            AND NOT (j.completed_at IS NULL AND coalesce(j.wait_reason, '') IN {_WISHED})
        GROUP BY 1, 2
    )
    SELECT :workspace, day, connection_id, coalesce(e.good, 0), coalesce(e.bad, 0), coalesce(t.good, 0),
        coalesce(t.bad, 0), coalesce(b.jobs, 0), coalesce(e.retries, 0), coalesce(e.after_retry, 0),
        coalesce(e.duration, 0), coalesce(e.wait, 0), coalesce(e.started, 0), coalesce(t.busy, 0),
        coalesce(t.fetched, 0), coalesce(t.sent, 0), coalesce(e.hours, '{{}}'::jsonb),
        greatest(e.failed_at, t.failed_at)
    FROM by_job e FULL JOIN tried t USING (day, connection_id) FULL JOIN blocked b USING (day, connection_id)
    """
)

_FAILURES = text(
    """
    INSERT INTO failure_daily (workspace_id, day, connection_id, code, side, jobs, attempts, recovered)
    SELECT :workspace, day, connection_id, code, side, sum(job), sum(attempt), sum(recovered)
    FROM (
        SELECT (completed_at AT TIME ZONE :zone)::date AS day, connection_id, coalesce(error_code, 'unknown') AS code,
            CASE WHEN step = 'fetch_post' THEN 'source' ELSE 'destination' END AS side,
            1 AS job, 0 AS attempt, 0 AS recovered
        FROM jobs
        WHERE workspace_id = :workspace AND completed_at >= :since AND completed_at < :until AND status = 'dead'
        UNION ALL
        SELECT (a.ended_at AT TIME ZONE :zone)::date, j.connection_id,
            coalesce(a.error_code, CASE WHEN a.state = 'lost' THEN 'worker_died' ELSE 'unknown' END),
            CASE WHEN a.step = 'fetch_post' THEN 'source' ELSE 'destination' END,
            0, 1, CASE WHEN j.status = 'success' THEN 1 ELSE 0 END
        FROM attempts a JOIN jobs j ON j.id = a.job_id
        WHERE j.workspace_id = :workspace AND a.ended_at >= :since AND a.ended_at < :until
            AND a.state IN ('failed', 'lost')
    ) AS every
    GROUP BY day, connection_id, code, side
    """
)

_ACCOUNTS = text(
    """
    INSERT INTO account_daily (workspace_id, day, account_id, role, succeeded, failed, blamed, attempts_succeeded,
        attempts_failed, blocked, last_failed_at)
    SELECT :workspace, d.day, r.account_id, r.role, sum(d.succeeded), sum(d.failed), coalesce(sum(f.attempts), 0),
        sum(d.attempts_succeeded), sum(d.attempts_failed), sum(d.blocked), max(d.last_failed_at)
    FROM connection_daily d
    JOIN connections c ON c.id = d.connection_id
    CROSS JOIN LATERAL (VALUES ('source', c.source_account_id), ('destination', c.destination_account_id))
        AS r(role, account_id)
    LEFT JOIN (
        SELECT day, connection_id, side, sum(attempts) AS attempts FROM failure_daily
        WHERE workspace_id = :workspace AND day BETWEEN :first AND :last GROUP BY 1, 2, 3
    ) f ON f.day = d.day AND f.connection_id = d.connection_id AND f.side = r.role
    WHERE d.workspace_id = :workspace AND d.day BETWEEN :first AND :last
    GROUP BY d.day, r.account_id, r.role
    """
)

_PROXIES = text(
    """
    INSERT INTO proxy_daily (workspace_id, day, proxy_id, checks, failed, latency_ms)
    SELECT :workspace, (c.at AT TIME ZONE :zone)::date, c.proxy_id, count(*), count(*) FILTER (WHERE NOT c.ok),
        coalesce(sum(c.latency_ms) FILTER (WHERE c.ok), 0)
    FROM proxy_checks c JOIN proxies p ON p.id = c.proxy_id
    WHERE p.workspace_id = :workspace AND c.at >= :since AND c.at < :until
    GROUP BY 2, 3
    """
)

_SYSTEM = text(
    """
    INSERT INTO system_daily (workspace_id, day, created, cancelled, filtered, slots, elapsed_s, latency_p50_s,
        latency_p95_s, latencies)
    WITH made AS (
        SELECT (created_at AT TIME ZONE :zone)::date AS day, count(*) AS n FROM jobs
        WHERE workspace_id = :workspace AND created_at >= :since AND created_at < :until GROUP BY 1
    ), ended AS (
        SELECT (j.completed_at AT TIME ZONE :zone)::date AS day, count(*) FILTER (WHERE j.status = 'cancelled') AS n,
            percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM j.completed_at - p.posted_at))
                FILTER (WHERE j.status = 'success' AND NOT j.is_old) AS latency,
            count(*) FILTER (WHERE j.status = 'success' AND NOT j.is_old) AS latencies
        FROM jobs j JOIN source_posts p ON p.id = j.source_post_id
        WHERE j.workspace_id = :workspace AND j.completed_at >= :since AND j.completed_at < :until GROUP BY 1
    ), unwanted AS (
        SELECT (d.decided_at AT TIME ZONE :zone)::date AS day, count(*) AS n FROM decisions d
        WHERE d.verdict = 'filtered' AND d.decided_at >= :since AND d.decided_at < :until GROUP BY 1
    )
    SELECT :workspace, days.day::date, coalesce(made.n, 0), coalesce(ended.n, 0), coalesce(unwanted.n, 0), :slots,
        greatest(0, extract(epoch FROM
            least(CAST(:now AS timestamptz), (days.day::timestamp + interval '1 day') AT TIME ZONE :zone)
            - (days.day::timestamp AT TIME ZONE :zone))),
        ended.latency[1], ended.latency[2], coalesce(ended.latencies, 0)
    FROM generate_series(CAST(:first AS timestamp), CAST(:last AS timestamp), interval '1 day') AS days(day)
    LEFT JOIN made ON made.day = days.day::date LEFT JOIN ended ON ended.day = days.day::date
    LEFT JOIN unwanted ON unwanted.day = days.day::date
    """
)

_ROLLUPS = text(
    """
    INSERT INTO rollups (workspace_id, period, starts_on, forwarded, succeeded, failed, avg_retries, top_errors,
        computed_at)
    SELECT :workspace, CAST(:period AS text), d.starts_on, sum(succeeded + failed), sum(succeeded), sum(failed),
        CAST(sum(retries) AS float8) / nullif(sum(succeeded), 0),
        coalesce((
            SELECT jsonb_agg(jsonb_build_object('code', code, 'jobs', n) ORDER BY n DESC, code)
            FROM (SELECT code, sum(jobs) AS n FROM failure_daily f
                  WHERE f.workspace_id = :workspace AND f.day >= d.starts_on AND f.day < d.ends_before
                  GROUP BY code HAVING sum(jobs) > 0 ORDER BY n DESC, code LIMIT 5) AS top), '[]'::jsonb), :now
    FROM (SELECT *, date_trunc(CAST(:period AS text), day::timestamp)::date AS starts_on,
            (date_trunc(CAST(:period AS text), day::timestamp) + CAST(:length AS interval))::date AS ends_before
          FROM connection_daily
          WHERE workspace_id = :workspace AND day >= date_trunc(CAST(:period AS text), CAST(:first AS timestamp))
            AND day < date_trunc(CAST(:period AS text), CAST(:last AS timestamp)) + CAST(:length AS interval)) AS d
    GROUP BY d.starts_on, d.ends_before
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Days to compute: first and last, their instants (`until` excluded), the zone's name, and the slots of now."""

    first: date
    last: date
    since: datetime
    until: datetime
    zone: str
    now: datetime
    slots: int

    @property
    def values(self) -> Mapping[str, Any]:
        named = ("first", "last", "since", "until", "zone", "now", "slots")
        return {"workspace": WORKSPACE, **{name: getattr(self, name) for name in named}}


def lock(tx: Tx, *, waits: bool) -> bool:
    """Be the one who computes days until the transaction ends; False = another is, and nobody `waits`."""
    take = func.pg_advisory_xact_lock(_LOCK) if waits else func.pg_try_advisory_xact_lock(_LOCK)
    return tx.execute(select(take)).scalar_one() is not False


def compute(tx: Tx, span: Span) -> None:
    """Write these days anew, all of them or none. Under `lock`."""
    for table in _TABLES:
        gone = text(f"DELETE FROM {table} WHERE workspace_id = :workspace AND day BETWEEN :first AND :last")
        tx.execute(gone, span.values)
    for statement in (_CONNECTIONS, _FAILURES, _ACCOUNTS, _PROXIES, _SYSTEM):
        tx.execute(statement, span.values)


def roll_up(tx: Tx, span: Span) -> None:
    """The weeks and months these days lie in."""
    for period in ("week", "month"):
        values = {**span.values, "period": period, "length": f"1 {period}"}
        gone = "DELETE FROM rollups WHERE workspace_id = :workspace AND period = :period AND starts_on <= :last"
        tx.execute(text(gone + " AND starts_on + CAST(:length AS interval) > :first"), values)
        tx.execute(_ROLLUPS, values)
