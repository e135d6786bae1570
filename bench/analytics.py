"""The analytics over a year of a million jobs: one day's refresh, everything anew, the reading of 90 days, memory.

Baselines of the same run: the day's refresh on a history a tenth as long (the cost of a day must not grow with it), and
for the rebuild the statements alone, over the whole year in one transaction. The fact to know: the rows are made by
SQL, evenly over the year, and the database is a fresh embedded one with its usual settings.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from sqlalchemy import text

from forwarder_core import db
from forwarder_core.clock import ManualClock
from forwarder_core.db import analytics as rows
from forwarder_core.db.engine import connect
from forwarder_core.domain.analytics import Period, bounds
from forwarder_core.embedded.postgres import Cluster
from forwarder_core.services import analytics, analytics_days
from forwarder_core.services.context import Core
from forwarder_core.settings import Settings
from forwarder_core.vault import Vault

JOBS = 1_000_000
CONNECTIONS = 100
DAYS = 365
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
_DAY = date(2025, 12, 15)

_SEED = (
    "INSERT INTO accounts (platform, alias, handle, auth_method, created_at)"
    " SELECT CASE WHEN n % 2 = 0 THEN 'instagram' ELSE 'youtube' END, 'a' || n, 'h' || n, 'x', :first"
    " FROM generate_series(1, 2 * :connections) AS n",
    "INSERT INTO connections (name, type, source_account_id, destination_account_id, status, created_at)"
    " SELECT 'c' || n, 'x', 2 * n - 1, 2 * n, 'active', :first FROM generate_series(1, :connections) AS n",
    "INSERT INTO source_posts (account_id, platform_post_id, url, caption, posted_at, seen_at)"
    " SELECT 2 * (n % :connections) + 1, n, 'u', 'c', at, at FROM (SELECT n, CAST(:first AS timestamptz)"
    "  + n * CAST(:step AS interval) AS at FROM generate_series(1, :jobs) AS n) AS made",
    "INSERT INTO jobs (connection_id, source_post_id, root_post_id, status, created_at, started_at, completed_at,"
    "  changed_at, retries_used, attempts, error_code, step)"
    " SELECT (id - 1) % :connections + 1, id, id, CASE WHEN id % 20 = 0 THEN 'dead' ELSE 'success' END, posted_at,"
    "  posted_at + interval '10 s', posted_at + interval '90 s', posted_at + interval '90 s', id % 7 / 6,"
    "  1 + id % 7 / 6, CASE WHEN id % 20 = 0 THEN 'error_' || id % 9 END, 'publish_video' FROM source_posts",
    "INSERT INTO attempts (job_id, n, state, step, bytes_fetched, bytes_sent, error_code, started_at, ended_at)"
    " SELECT id, attempts, CASE status WHEN 'dead' THEN 'failed' ELSE 'success' END, step, 20000000, 15000000,"
    "  error_code, started_at, completed_at FROM jobs",
)


def measure(rounds: int = 3) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`."""
    with _core(JOBS // 10) as small:
        analytics_days.refresh(small, _DAY)
        tenth = _median(lambda: analytics_days.refresh(small, _DAY), rounds)
    with _core(JOBS) as core:
        analytics_days.refresh(core, _DAY)
        day = _median(lambda: analytics_days.refresh(core, _DAY), rounds)
        first, last = date(2025, 1, 1), date(2025, 12, 31)
        plain = _median(lambda: _statements(core, first, last), 1)
        rebuilt = _median(lambda: analytics_days.refresh(core, first, last), 1)
        analytics_days.refresh_due(core)
        period = Period(date(2025, 10, 4), date(2026, 1, 1))
        read = _median(lambda: analytics.view(core, period), rounds)
        week = _median(lambda: analytics.view(core, Period(date(2025, 12, 26), date(2026, 1, 1))), rounds)
        memory = psutil.Process().memory_info().rss / 1e6
    return {
        "refresh_of_a_day_beside_a_tenth_of_the_history": _row(day, tenth, "s", rounds),
        "rebuild_of_a_year_beside_its_statements_alone": _row(rebuilt, plain, "s", 1),
        "reading_90_days_beside_7": _row(read, week, "s", rounds),
        "memory_beside_the_limit": _row(memory, 400.0, "MB", 1),
    }


@contextmanager
def _core(jobs: int) -> Iterator[Core]:
    folder = Path(tempfile.mkdtemp(prefix="forwarder-bench-"))
    folder.chmod(0o755)  # PostgreSQL runs as an unprivileged user
    server = Cluster(folder / "cluster").start()
    try:
        server.ensure_databases("forwarder")
        url = server.url("forwarder")
        db.migrate(url)
        engine = connect(url)
        step = timedelta(days=DAYS) / JOBS
        values = {"jobs": jobs, "connections": CONNECTIONS, "first": NOW - jobs * step, "step": step}
        with engine.begin() as tx:
            for statement in _SEED:
                tx.execute(text(statement), values)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as tx:
            tx.execute(text("VACUUM ANALYZE"))
        settings = Settings(home=folder, database_url=url)
        yield Core(settings, engine, Vault.open(settings.key_file), ManualClock(NOW))
        engine.dispose()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _statements(core: Core, first: date, last: date) -> None:
    since, until = bounds(first, last, core.settings.zone)
    span = rows.Span(first=first, last=last, since=since, until=until, zone="UTC", now=NOW, slots=4)
    with core.begin() as tx:
        rows.compute(tx, span)


def _median(act: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        act()
        taken.append(time.perf_counter() - begun)
    return median(taken)


def _row(ours: float, baseline: float, unit: str, rounds: int) -> dict[str, float | str]:
    ratio = round(ours / baseline, 3) if baseline else 0.0
    return {"ours": round(ours, 3), "baseline": round(baseline, 3), "ratio": ratio, "unit": unit, "rounds": rounds}
