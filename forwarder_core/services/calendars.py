"""The calendar of posts: what arrived or failed, and what is planned, by the day of the installation's zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time

from forwarder_core.db import calendars
from forwarder_core.domain.calendars import DayCount, Entry
from forwarder_core.services.context import Core

MOST = 500  # entries of one span and kind; the counts are of all


@dataclass(frozen=True, slots=True)
class Span:
    """`entries` by their time; `counts` by day and connection."""

    entries: tuple[Entry, ...]
    counts: tuple[DayCount, ...]


def next_posts(core: Core, *, limit: int = 5) -> list[Entry]:
    """What waits for a moment still to come, on any connection, the soonest first."""
    with core.begin() as tx:
        return calendars.coming(tx, core.clock.now(), most=limit)


def look(core: Core, first: date, after: date, *, connection_id: int | None = None) -> Span:
    """From the beginning of `first` to the beginning of `after`, days of the installation's zone."""
    zone, now = core.settings.zone, core.clock.now()
    since, until = (datetime.combine(day, time(), zone) for day in (first, after))
    with core.begin() as tx:
        done, done_counts = calendars.ended(tx, since, until, zone.key, connection_id, most=MOST)
        to_come, planned_counts = calendars.planned(tx, now, since, until, zone.key, connection_id, most=MOST)
    entries = sorted([*done, *to_come], key=lambda entry: (entry.at, entry.job_id))
    return Span(tuple(entries), tuple(done_counts + planned_counts))
