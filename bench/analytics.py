"""The analytics over a year of a million jobs: one day's refresh, everything anew, the reading of 90 days, memory.

Baselines of the same run: the day's refresh on a history a tenth as long (the cost of a day must not grow with it), and
for the rebuild the statements alone, over the whole year in one transaction, taken in turn with ours. The fact to know:
the rows are those of `bench.history`, in a fresh embedded database with its usual settings.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from statistics import median
from typing import Any

import psutil

from bench import history
from bench.history import JOBS
from forwarder_core.db import analytics as rows
from forwarder_core.domain.analytics import Period, bounds
from forwarder_core.services import analytics, analytics_days
from forwarder_core.services.context import Core

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
_DAY = date(2025, 12, 15)


def measure(rounds: int = 3) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`."""
    with history.core(JOBS // 10, now=NOW) as small:
        analytics_days.refresh(small, _DAY)
        tenth = _median(lambda: analytics_days.refresh(small, _DAY), rounds)
    with history.core(JOBS, now=NOW) as core:
        analytics_days.refresh(core, _DAY)
        day = _median(lambda: analytics_days.refresh(core, _DAY), rounds)
        first, last = date(2025, 1, 1), date(2025, 12, 31)
        analytics_days.refresh(core, first, last)  # from here on both replace rows that are there
        in_turn = [
            (
                _median(lambda: _statements(core, first, last), 1),
                _median(lambda: analytics_days.refresh(core, first, last), 1),
            )
            for _ in range(2)
        ]
        plain, rebuilt = (median(taken) for taken in zip(*in_turn, strict=True))
        analytics_days.refresh_due(core)
        period = Period(date(2025, 10, 4), date(2026, 1, 1))
        read = _median(lambda: analytics.view(core, period), rounds)
        week = _median(lambda: analytics.view(core, Period(date(2025, 12, 26), date(2026, 1, 1))), rounds)
        memory = psutil.Process().memory_info().rss / 1e6
    return {
        "refresh_of_a_day_beside_a_tenth_of_the_history": _row(day, tenth, "s", rounds),
        "rebuild_of_a_year_beside_its_statements_alone": _row(rebuilt, plain, "s", 2),
        "reading_90_days_beside_7": _row(read, week, "s", rounds),
        "memory_beside_the_limit": _row(memory, 400.0, "MB", 1),
    }


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
