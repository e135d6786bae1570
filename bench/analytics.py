"""The analytics over a year of a million jobs: one day's refresh, everything anew, the reading of 90 days, memory.

Baselines of the same run: for the day's refresh the same on a history a tenth as long (the cost of a day must not grow
with it); for the rebuild the plain SQL that does the same, which is to replace the same rows of the same tables, weeks
and months included, over the whole year in one transaction, without noting which days are done. Both replace rows that
are there, on tables vacuumed before each turn, and take turns in going first. The fact to know: the rows are those of
`bench.history`, in a fresh embedded database with its usual settings.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import text

from bench import history
from bench.figures import row
from bench.history import JOBS
from forwarder_core.db import analytics as rows
from forwarder_core.domain.analytics import Period, bounds
from forwarder_core.services import analytics, analytics_days
from forwarder_core.services.context import Core

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
_DAY = date(2025, 12, 30)
_LAST = date(2025, 12, 31)
_MOST_MB = 400.0
_TABLES = ("connection_daily", "account_daily", "failure_daily", "proxy_daily", "system_daily", "rollups")


def measure(rounds: int = 3, jobs: int = JOBS) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`; `jobs`: at most a million, of the last days of the year."""
    with history.core(jobs // 10, now=NOW) as small:
        analytics_days.refresh(small, _DAY)
        tenth = _taken(lambda: analytics_days.refresh(small, _DAY), rounds)
    with history.core(jobs, now=NOW) as core:
        analytics_days.refresh(core, _DAY)
        day = _taken(lambda: analytics_days.refresh(core, _DAY), rounds)
        first = max(date(2025, 1, 1), (NOW - timedelta(days=history.DAYS * jobs / JOBS)).date())
        analytics_days.refresh(core, first, _LAST)  # from here on both replace rows that are there
        rebuilt, plain = _in_turn(core, first, rounds)
        analytics_days.refresh_due(core)
        read = _taken(lambda: analytics.view(core, Period(date(2025, 10, 4), date(2026, 1, 1))), rounds)
        week = _taken(lambda: analytics.view(core, Period(date(2025, 12, 26), date(2026, 1, 1))), rounds)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return {
        "refresh_of_a_day_beside_a_tenth_of_the_history": row(day, tenth, "s", digits=3),
        "rebuild_of_a_year_beside_plain_sql": row(rebuilt, plain, "s", digits=3),
        "reading_90_days_beside_7": row(read, week, "s", digits=3),
        "peak_memory_beside_the_limit": row([peak], [_MOST_MB], "MB"),
    }


def _in_turn(core: Core, first: date, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of ours and of the plain SQL."""
    acts = (lambda: analytics_days.refresh(core, first, _LAST), lambda: _plain(core, first, _LAST))
    taken: tuple[list[float], list[float]] = ([], [])
    for n in range(rounds):
        for which in (0, 1) if n % 2 else (1, 0):
            _vacuum(core)
            taken[which].extend(_taken(acts[which], 1))
    return taken


def _plain(core: Core, first: date, last: date) -> None:
    since, until = bounds(first, last, core.settings.zone)
    span = rows.Span(first=first, last=last, since=since, until=until, zone="UTC", now=NOW, slots=4)
    with core.begin() as tx:
        rows.compute(tx, span)
        rows.roll_up(tx, span)


def _vacuum(core: Core) -> None:
    with core.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as tx:
        for table in _TABLES:
            tx.execute(text(f"VACUUM ANALYZE {table}"))


def _taken(act: Callable[[], object], rounds: int) -> list[float]:
    """Seconds of each."""
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        act()
        taken.append(time.perf_counter() - begun)
    return taken
