"""The calendar: which post went, or goes, on which day. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum


class Mark(StrEnum):
    """What a post is on its day."""

    PUBLISHED = "published"
    FAILED = "failed"
    PLANNED = "planned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One post. `at`: when it arrived, failed for good, or is due."""

    at: datetime
    mark: Mark
    job_id: int
    connection_id: int
    connection: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    day: date
    connection_id: int
    connection: str
    mark: Mark
    count: int


def week_of(day: date) -> tuple[date, date]:
    """Its Monday, and the Monday after it."""
    monday = day - timedelta(days=day.weekday())
    return monday, monday + timedelta(days=7)


def month_of(day: date) -> tuple[date, date]:
    """Its first day, and the first day of the month after it."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)
