"""Schedules: how often a source is asked, and when a connection may publish. Pure.

The fact to know: a daily window is one span of instants per calendar day of its time zone, found for each day anew.
So it opens exactly once on every day, those of a clock change included: a time the clock skips is the moment of the
change, a time it shows twice is the first of the two, and a window that lies wholly in skipped time keeps its length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo

DEFAULT_INTERVAL_S = 300.0  # functional specification 4.3.1, step 5: every 5 minutes
_A_DAY = timedelta(days=1)


class WindowsFor(StrEnum):
    """Which posts wait for a window; the others go whenever they come."""

    ALL = "all"
    OLD_POSTS = "old_posts"


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Open from `start` to before `end`, local time; an `end` not after `start` lies on the next day."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Span:
    """One opening of a window: from `start` to before `end`, UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The daily windows of a connection in the time zone `zone` (an IANA name). None at all = always open."""

    daily: tuple[Window, ...] = ()
    zone: str = "UTC"

    def opens_at(self, now: datetime) -> datetime:
        """`now` where a window is open, else the instant the next one opens."""
        if not self.daily:
            return now
        return next(max(span.start, now) for span in self.spans(now) if span.end > now)

    def spans(self, since: datetime) -> Iterator[Span]:
        """Every opening from the day before `since` on, day by day and in order of their start. Endless."""
        zone = ZoneInfo(self.zone)
        day = since.astimezone(zone).date() - _A_DAY
        while self.daily:
            yield from self.spans_of(day)
            day += _A_DAY

    def spans_of(self, day: date) -> list[Span]:
        """The openings that begin on this calendar day of the zone, overlapping ones made one."""
        zone = ZoneInfo(self.zone)
        merged: list[Span] = []
        for span in sorted((_span(window, day, zone) for window in self.daily), key=lambda s: s.start):
            if merged and span.start <= merged[-1].end:
                merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
            else:
                merged.append(span)
        return merged


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """`check_interval_s`: seconds between two looks at the source, in a window or not: finding posts is never late."""

    check_interval_s: float = DEFAULT_INTERVAL_S
    windows: Windows = Windows()
    windows_for: WindowsFor = WindowsFor.ALL

    def may_go_at(self, now: datetime, *, is_old: bool) -> datetime:
        """The instant from which a post may be published, `now` at the earliest. `is_old`: from before the start."""
        waits = is_old or self.windows_for is WindowsFor.ALL
        return self.windows.opens_at(now) if waits else now


def next_poll(now: datetime, schedules: Iterable[Schedule], *, failures: int, least_s: float) -> datetime:
    """When a source shared by these connections is asked next.

    The most eager connection decides, but never sooner than `least_s`; each failure in a row doubles the wait, to
    at most an hour, so that a source in trouble is left in peace.
    """
    eager = min((s.check_interval_s for s in schedules), default=DEFAULT_INTERVAL_S)
    wait = max(eager, least_s)
    if failures:
        wait = max(wait, min(wait * 2 ** min(failures, 10), 3600.0))
    return now + timedelta(seconds=wait)


def midnight_after(now: datetime, zone: str) -> datetime:
    """When the next calendar day of `zone` begins, UTC."""
    local = ZoneInfo(zone)
    return _instant(now.astimezone(local).date() + _A_DAY, time(), local)


def day_of(now: datetime, zone: str) -> date:
    return now.astimezone(ZoneInfo(zone)).date()


def _span(window: Window, day: date, zone: tzinfo) -> Span:
    last_day = day if window.end > window.start else day + _A_DAY
    start, end = _instant(day, window.start, zone), _instant(last_day, window.end, zone)
    if end <= start:
        length = datetime.combine(last_day, window.end) - datetime.combine(day, window.start)
        end = start + length
    return Span(start, end)


def _instant(day: date, at: time, zone: tzinfo) -> datetime:
    """The instant a wall clock of `zone` shows this; the first of two, and the change itself where it skips it."""
    local = datetime.combine(day, at, tzinfo=zone)
    early, late = local.replace(fold=1).astimezone(UTC), local.astimezone(UTC)
    if early >= late:  # an ordinary time, or one shown twice, whose first is told by fold 0
        return late
    before = early.astimezone(zone).utcoffset()  # a skipped time: the change lies between the two readings of it
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) // 2
        early, late = (middle, late) if middle.astimezone(zone).utcoffset() == before else (early, middle)
    return late.replace(microsecond=0)
