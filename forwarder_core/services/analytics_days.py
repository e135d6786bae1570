"""Computing days: one by hand, those that are due, or all of them. Only days whose rows changed are computed anew.

The fact to know: whoever reads the analytics asks for the due days first, so no figure depends on a schedule having
run; the schedule keeps that wait short.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from forwarder_core.db import analytics as rows
from forwarder_core.db import analytics_rows
from forwarder_core.db.analytics import Span
from forwarder_core.db.engine import Tx
from forwarder_core.domain.analytics import bounds, day_of
from forwarder_core.services import tunables
from forwarder_core.services.context import Core

# A transaction that wrote `changed_at` may become visible only later.
_OVERLAP = timedelta(minutes=10)
_A_DAY = timedelta(days=1)
_NOTHING: tuple[int, datetime | None] = (0, None)
_MOST_AT_ONCE = 183  # days a transaction: seconds of the lock; in four, a year costs a quarter more


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Days looked at, and those of them that had to be computed."""

    looked: tuple[date, ...]
    computed: tuple[date, ...]


def today(core: Core) -> date:
    return day_of(core.clock.now(), core.settings.zone)


def refresh(core: Core, first: date, last: date | None = None) -> None:
    """Compute these days, changed or not."""
    last = last or first
    start = first
    while start <= last:
        end = min(last, start + (_MOST_AT_ONCE - 1) * _A_DAY)
        _compute(core, start, end)
        start = end + _A_DAY


def refresh_due(core: Core) -> Refreshed:
    """Compute the days whose rows changed since they were, and those that were never computed."""
    now = core.clock.now()
    zone = core.settings.timezone
    with core.begin() as tx:
        known = analytics_rows.computed_days(tx)
        looked = _due(tx, core, known, now)
        stale = [day for day in looked if _is_stale(tx, core, known.get(day), day)]
    for first, last in _runs(stale):
        refresh(core, first, last)
    with core.begin() as tx:
        if analytics_rows.first_day(tx, zone) is not None:
            analytics_rows.keep_mark(tx, now)
    return Refreshed(tuple(looked), tuple(stale))


def stale(core: Core) -> list[date]:
    """Days that are to be computed, in order."""
    now = core.clock.now()
    with core.begin() as tx:
        known = analytics_rows.computed_days(tx)
        return [day for day in _due(tx, core, known, now) if _is_stale(tx, core, known.get(day), day)]


def unequal_days(core: Core, first: date, last: date) -> list[date]:
    """Days whose totals are not those of the jobs table."""
    since, until = bounds(first, last, core.settings.zone)
    with core.begin() as tx:
        return analytics_rows.unequal_days(tx, since, until, core.settings.timezone)


def _due(tx: Tx, core: Core, known: Mapping[date, Any], now: datetime) -> list[date]:
    zone = core.settings.timezone
    first = analytics_rows.first_day(tx, zone)
    if first is None:
        return []
    last = day_of(now, core.settings.zone)
    every = [first + n * _A_DAY for n in range((last - first).days + 1)]
    due = {day for day in every if day not in known or known[day].zone != zone}
    # A day is whole only when it was computed after its end.
    due |= {day for day in every if day in known and known[day].computed_at < bounds(day, day, core.settings.zone)[1]}
    mark = analytics_rows.mark(tx)
    if mark is not None:
        due |= analytics_rows.touched_days(tx, mark - _OVERLAP, now, zone)
    return sorted(day for day in due if day <= last)


def _is_stale(tx: Tx, core: Core, known: Any, day: date) -> bool:
    """Never computed, computed before its end, or from other rows. `known`: the row of `analytics_days`."""
    since, until = bounds(day, day, core.settings.zone)
    zone = core.settings.timezone
    if known is None or known.zone != zone or known.computed_at < until <= core.clock.now():
        return True
    found = analytics_rows.sources(tx, since, until, zone).get(day, _NOTHING)
    return found != (known.source_rows, known.source_changed_at)


def _compute(core: Core, first: date, last: date) -> None:
    with core.begin() as tx:
        now = core.clock.now()
        zone = core.settings.zone
        since, until = bounds(first, last, zone)
        span = Span(
            first=first,
            last=last,
            since=since,
            until=until,
            zone=core.settings.timezone,
            now=now,
            slots=tunables.read(tx).count("dispatch.max_running"),
        )
        # Before, so that a row that comes in between makes the day due again.
        found = analytics_rows.sources(tx, since, until, core.settings.timezone)
        rows.compute(tx, span)
        rows.roll_up(tx, span)
        days = [first + n * _A_DAY for n in range((last - first).days + 1)]
        noted = [(day, *found.get(day, _NOTHING)) for day in days]
        analytics_rows.note_days(tx, noted, core.settings.timezone, now)


def _runs(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """Neighbouring days together."""
    if not days:
        return
    first = days[0]
    for day, following in pairwise(days):
        if following - day != _A_DAY:
            yield first, day
            first = following
    yield first, days[-1]
