"""Computing days: one by hand, those that are due, or all of them. Only days whose rows changed are computed anew.

The fact to know: whoever reads the analytics asks for the due days first, so no figure depends on a schedule having
run; but a reader computes only as much as half a second allows, the newest days first, and says which are left. The
keeper computes those, a piece at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

from forwarder_core.db import analytics as rows
from forwarder_core.db import analytics_rows
from forwarder_core.db.analytics import Span
from forwarder_core.db.engine import Tx
from forwarder_core.domain.analytics import Period, bounds, day_of, start_of
from forwarder_core.services import tunables
from forwarder_core.services.context import Core

# A transaction that wrote `changed_at` may become visible only later.
_OVERLAP = timedelta(minutes=10)
_A_DAY = timedelta(days=1)
_NOTHING: tuple[int, datetime | None] = (0, None)
_MOST_AT_ONCE = 183  # days a transaction: seconds of the lock; in four, a year costs a quarter more
_MOST_ROWS = 60_000  # of jobs, attempts and the like that a reader counts: half a second of PostgreSQL's
_AHEAD = 10  # days whose rows are numbered in one question


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Days that were computed, and those that are still to be; `missing`: of these the ones that never were."""

    computed: tuple[date, ...]
    left: tuple[date, ...] = ()
    missing: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What of a period can be told. `days`: those that were counted; `uncounted`: those that are to be, again or for
    the first time; `left`: the same of all days there are; `is_lacking`: a day of the period was never counted."""

    days: tuple[date, ...]
    uncounted: tuple[date, ...]
    left: tuple[date, ...]
    is_lacking: bool

    def whole(self, rolled_up: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Of the rows of `rollups` those in which no day is left."""
        touched = {(kind, start_of(kind, day)) for kind in ("week", "month") for day in self.left}
        return [one for one in rolled_up if (one["period"], one["starts_on"]) not in touched]


def count_for(core: Core, chosen: Period) -> Counted:
    """What can be told of the period after as much counting as a reader may wait for."""
    done = refresh_due(core)
    left, missing = set(done.left), set(done.missing)
    days = tuple(day for day in chosen.days if day not in missing)
    uncounted = tuple(day for day in chosen.days if day in left)
    return Counted(days=days, uncounted=uncounted, left=done.left, is_lacking=days != chosen.days)


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
    """Compute the newest of the days whose rows changed since they were computed, or that never were: as many as a
    reader may wait for, and none while somebody else computes."""
    return _refresh_due(core, waits=False)


def catch_up(core: Core, *, is_stopping: Callable[[], bool] = lambda: False) -> tuple[date, ...]:
    """Compute every day that is due, the newest first, in pieces between which readers come to their turn."""
    computed: set[date] = set()
    while not is_stopping():
        done = _refresh_due(core, waits=True)
        computed.update(done.computed)
        if not done.left:
            break
    return tuple(sorted(computed))


def _refresh_due(core: Core, *, waits: bool) -> Refreshed:
    """Who `waits` computes one day at least, however many rows it has."""
    now = core.clock.now()
    with core.begin() as tx:
        known = analytics_rows.computed_days(tx)
        due = _due(tx, core, known, now)
        if due and analytics_rows.mark(tx) is None:
            analytics_rows.keep_mark(tx, now)  # before anything is computed: what changes from now on is found
        chosen, left = _choose(tx, core, known, due, least=1 if waits else 0)
    for first, last in reversed(list(_runs(chosen))):
        if not _compute(core, first, last, waits=waits):
            left = [day for day in chosen if day <= last] + left
            chosen = [day for day in chosen if day > last]
            break
    if due and not left:
        with core.begin() as tx:
            analytics_rows.keep_mark(tx, now)
    return Refreshed(tuple(chosen), tuple(sorted(left)), tuple(sorted(day for day in left if day not in known)))


def counted_since(core: Core, since: datetime) -> dict[date, datetime]:
    """Days that were computed from then on, and when, in order."""
    with core.begin() as tx:
        known = analytics_rows.computed_days(tx)
    return {day: known[day].computed_at for day in sorted(known) if known[day].computed_at >= since}


def stale(core: Core, most: int) -> list[date]:
    """The newest of the days that are to be computed, so many at most, in order."""
    with core.begin() as tx:
        known = analytics_rows.computed_days(tx)
        due = _due(tx, core, known, core.clock.now())
        return sorted(day for day, _ in islice(_stale(tx, core, known, due), most))


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


def _choose(
    tx: Tx, core: Core, known: Mapping[date, Any], due: Sequence[date], *, least: int
) -> tuple[list[date], list[date]]:
    """Of the due days the newest that have no more than _MOST_ROWS together, but `least` of them; and what is left."""
    chosen: list[date] = []
    rows_of_all = 0
    for day, count in _stale(tx, core, known, due):
        rows_of_all += count
        if rows_of_all > _MOST_ROWS and len(chosen) >= least:
            return sorted(chosen), [one for one in due if one <= day]
        chosen.append(day)
    return sorted(chosen), []


def _stale(tx: Tx, core: Core, known: Mapping[date, Any], due: Sequence[date]) -> Iterator[tuple[date, int]]:
    """The newest first: of the due days those never computed, computed before their end, or from other rows; each with
    the number of its rows. `known`: the rows of `analytics_days`."""
    zone, now = core.settings.timezone, core.clock.now()
    newest_first = sorted(due, reverse=True)
    for start in range(0, len(newest_first), _AHEAD):
        block = newest_first[start : start + _AHEAD]
        found = analytics_rows.sources(tx, block, zone)
        for day in block:
            row, from_rows = known.get(day), found.get(day, _NOTHING)
            is_current = (
                row is not None
                and row.zone == zone
                and not row.computed_at < bounds(day, day, core.settings.zone)[1] <= now
                and (row.source_rows, row.source_changed_at) == from_rows
            )
            if not is_current:
                yield day, from_rows[0]


def _compute(core: Core, first: date, last: date, *, waits: bool = True) -> bool:
    """False = somebody else computes at this moment, and nobody `waits` for them."""
    with core.begin() as tx:
        if not rows.lock(tx, waits=waits):
            return False
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
        days = [first + n * _A_DAY for n in range((last - first).days + 1)]
        found = analytics_rows.sources(tx, days, core.settings.timezone)
        rows.compute(tx, span)
        rows.roll_up(tx, span)
        noted = [(day, *found.get(day, _NOTHING)) for day in days]
        analytics_rows.note_days(tx, noted, core.settings.timezone, now)
    return True


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
