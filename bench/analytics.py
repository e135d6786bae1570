"""The analytics over a year of a million jobs: one day's refresh, everything anew, reading before and after the days
are counted, memory.

Baselines of the same run: for the day's refresh the same on a history a tenth as long (the cost of a day must not grow
with it); for the rebuild the plain SQL that does the same, which is to replace the same rows of the same tables, weeks
and months included, over the whole year in one transaction, without noting which days are done. Both replace rows that
are there, on tables vacuumed and written out before each turn, and take turns in going first; beside their seconds
stands the CPU of the database, which other work on the machine does not lengthen. The fact to know: the rows are those
of `bench.history`, in a fresh embedded database with its usual settings.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psutil
from sqlalchemy import text

from bench import history
from bench.figures import cpu_of, row
from bench.history import JOBS
from forwarder_core.db import analytics as rows
from forwarder_core.domain.analytics import Period, bounds
from forwarder_core.services import analytics, analytics_days
from forwarder_core.services.context import Core

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
_DAY = date(2025, 12, 30)
_LAST = date(2025, 12, 31)
_MOST_MB = 400.0
Spent = tuple[float, float]  # seconds, and CPU seconds of the database
_TABLES = ("connection_daily", "account_daily", "failure_daily", "proxy_daily", "system_daily", "rollups")


def measure(rounds: int = 3, jobs: int = JOBS) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`; `jobs`: at most a million, of the last days of the year."""
    with history.core(jobs // 10, now=NOW) as small:
        analytics_days.refresh(small, _DAY)
        tenth = _taken(lambda: analytics_days.refresh(small, _DAY), rounds)
    with history.core(jobs, now=NOW) as core:
        month = analytics.period(core)
        looks = [_spent(core, lambda: analytics.view(core, month)) for _ in range(rounds)]  # each finds days to count
        analytics_days.refresh(core, _DAY)
        day = _taken(lambda: analytics_days.refresh(core, _DAY), rounds)
        first = max(date(2025, 1, 1), (NOW - timedelta(days=history.DAYS * jobs / JOBS)).date())
        analytics_days.catch_up(core)  # from here on both replace rows that are there
        rebuilt, plain = _in_turn(core, first, rounds)
        counted = [_spent(core, lambda: analytics.view(core, month)) for _ in range(rounds)]
        read = _taken(lambda: analytics.view(core, Period(date(2025, 10, 4), date(2026, 1, 1))), rounds)
        week = _taken(lambda: analytics.view(core, Period(date(2025, 12, 26), date(2026, 1, 1))), rounds)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return {
        "refresh_of_a_day_beside_a_tenth_of_the_history": row(day, tenth, "s", digits=3),
        "rebuild_of_a_year_beside_plain_sql": row(_column(rebuilt, 0), _column(plain, 0), "s", digits=3),
        "rebuild_in_cpu_of_the_database": row(_column(rebuilt, 1), _column(plain, 1), "CPU-s", digits=3),
        "reading_30_days_never_counted_beside_counted": row(_column(looks, 1), _column(counted, 1), "CPU-s", digits=3),
        "reading_90_days_beside_7": row(read, week, "s", digits=3),
        "peak_memory_beside_the_limit": row([peak], [_MOST_MB], "MB"),
    }


def _in_turn(core: Core, first: date, rounds: int) -> tuple[list[Spent], list[Spent]]:
    """What ours and the plain SQL took."""
    acts = (lambda: analytics_days.refresh(core, first, _LAST), lambda: _plain(core, first, _LAST))
    taken: tuple[list[Spent], list[Spent]] = ([], [])
    for n in range(rounds):
        for which in (0, 1) if n % 2 else (1, 0):
            _tidy(core)
            taken[which].append(_spent(core, acts[which]))
    return taken


def _spent(core: Core, act: Callable[[], object]) -> Spent:
    before = _cpu_s(core)
    (seconds,) = _taken(act, 1)
    return seconds, _cpu_s(core) - before


def _column(spent: Sequence[Spent], which: int) -> list[float]:
    return [one[which] for one in spent]


def _cpu_s(core: Core) -> float:
    """Of the database server so far."""
    with core.begin() as tx:
        server = psutil.Process(tx.execute(text("SELECT pg_backend_pid()")).scalar_one()).parent()
    return sum(map(cpu_of, [server, *server.children()])) if server else 0.0


def _plain(core: Core, first: date, last: date) -> None:
    since, until = bounds(first, last, core.settings.zone)
    span = rows.Span(first=first, last=last, since=since, until=until, zone="UTC", now=NOW, slots=4)
    with core.begin() as tx:
        rows.compute(tx, span)
        rows.roll_up(tx, span)


def _tidy(core: Core) -> None:
    """Whoever goes second writes no pages of the first."""
    with core.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as tx:
        for table in _TABLES:
            tx.execute(text(f"VACUUM ANALYZE {table}"))
        tx.execute(text("CHECKPOINT"))


def _taken(act: Callable[[], object], rounds: int) -> list[float]:
    """Seconds of each."""
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        act()
        taken.append(time.perf_counter() - begun)
    return taken
