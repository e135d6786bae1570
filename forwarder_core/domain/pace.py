"""Pace: how many posts a destination account gets a day, how far apart, and when each waiting one will go. Pure.

The ramp is a published rate budget for a new account (so many on its first day, so many on its second …); nothing here
makes a time look like anybody's habit.
The fact to know: `plan` is a forecast. It is written down so that everybody can see when a post will go; at that time
the same rules are asked again, and a queue that changed meanwhile is planned anew.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from forwarder_core.domain.jobs import WaitReason
from forwarder_core.domain.schedules import Schedule, day_of, midnight_after

MOST_PER_DAY = 10_000
MOST_SPACING_MIN = 7 * 24 * 60
MOST_RAMP_DAYS = 90
_MOST_LOOKS = 1_000  # at one job's place in the plan: three years of days on which nothing may go


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """`ramp`: the most posts on the first, second, third … day from `ramp_from` on; afterwards it says nothing."""

    posts_per_day: int | None = None
    spacing_s: float = 0.0
    ramp: tuple[int, ...] = ()
    ramp_from: date | None = None

    def most_on(self, day: date, usual: int) -> int:
        """The most posts on this day; `usual` is what the platform allows."""
        most = usual if self.posts_per_day is None else min(usual, self.posts_per_day)
        if self.ramp and self.ramp_from is not None:
            number = (day - self.ramp_from).days
            if number < len(self.ramp):
                most = min(most, self.ramp[max(number, 0)])
        return most


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A destination account at an instant. `taken` counts this day's posts, those on their way included.

    `last_at`: when it last got a post. `closed_until`: a platform said that it, or its project, takes no more before.
    """

    pace: Pace = field(default_factory=Pace)
    usual: int = MOST_PER_DAY
    taken: int = 0
    last_at: datetime | None = None
    closed_until: datetime | None = None
    closed_for: WaitReason = WaitReason.DAILY_LIMIT
    zone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A job in the queue of its destination. `is_urgent`: a person asked for it now, so it waits for no window."""

    job_id: int
    schedule: Schedule = field(default_factory=Schedule)
    is_old: bool = False
    is_urgent: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """When a job may go and, where that is later than now, what it waits for."""

    job_id: int
    at: datetime
    reason: WaitReason | None


def plan(queue: Iterable[Waiting], standing: Standing, now: datetime) -> list[Turn]:
    """The turn of every job of one destination's queue, given in the order of their urgency."""
    taken: Counter[date] = Counter({day_of(now, standing.zone): standing.taken})
    given: list[datetime] = [standing.last_at] if standing.last_at else []
    turns = []
    last: dict[tuple[Schedule, bool, bool], Turn] = {}  # jobs of one kind never overtake each other
    for job in queue:
        kind = (job.schedule, job.is_old, job.is_urgent)
        before = last.get(kind)
        turn = _turn(job, standing, before.at if before else now, before.reason if before else None, taken, given)
        turns.append(turn)
        last[kind] = turn
        taken[day_of(turn.at, standing.zone)] += 1
        insort(given, turn.at)
    return turns


def _turn(
    job: Waiting,
    standing: Standing,
    at: datetime,
    reason: WaitReason | None,
    taken: Mapping[date, int],
    given: list[datetime],
) -> Turn:
    """The earliest instant from `at` on at which nothing speaks against the job, and what spoke last."""
    for _ in range(_MOST_LOOKS):
        later, because = _obstacle(job, standing, at, taken, given)
        if later <= at:
            break
        at, reason = later, because
    return Turn(job.job_id, at, reason)


def _obstacle(
    job: Waiting, standing: Standing, at: datetime, taken: Mapping[date, int], given: list[datetime]
) -> tuple[datetime, WaitReason]:
    """Until when it cannot go for the first thing in its way, and that thing; `at` itself where there is none."""
    if standing.closed_until is not None and standing.closed_until > at:
        return standing.closed_until, standing.closed_for
    opens = at if job.is_urgent else job.schedule.may_go_at(at, is_old=job.is_old)
    if opens > at:
        return opens, WaitReason.WINDOW
    day = day_of(at, standing.zone)
    if taken.get(day, 0) >= standing.pace.most_on(day, standing.usual):
        return midnight_after(at, standing.zone), WaitReason.DAILY_LIMIT
    return _after_neighbours(at, given, timedelta(seconds=standing.pace.spacing_s)), WaitReason.SPACING


def _after_neighbours(at: datetime, given: list[datetime], spacing: timedelta) -> datetime:
    """`at`, or the end of the rest after a post too near to it, before or after."""
    if not spacing:
        return at
    place = bisect_left(given, at)
    near = [other for other in given[max(0, place - 1) : place + 1] if abs(other - at) < spacing]
    return max(near) + spacing if near else at


def read(stored: Mapping[str, Any]) -> Pace:
    """Raises ValueError, with a sentence, for a pace that makes no sense."""
    ramp = stored.get("ramp") or ()
    if isinstance(ramp, str) or len(ramp) > MOST_RAMP_DAYS:
        raise ValueError(f"ramp must be a list of at most {MOST_RAMP_DAYS} whole numbers")
    per_day = stored.get("posts_per_day")
    return Pace(
        posts_per_day=None if per_day is None else int(_within("posts_per_day", per_day, 1, MOST_PER_DAY, whole=True)),
        spacing_s=60 * _within("spacing_minutes", stored.get("spacing_minutes") or 0, 0, MOST_SPACING_MIN),
        ramp=tuple(int(_within("ramp", number, 0, MOST_PER_DAY, whole=True)) for number in ramp),
        ramp_from=date.fromisoformat(stored["ramp_from"]) if stored.get("ramp_from") else None,
    )


def write(pace: Pace) -> dict[str, Any]:
    return {
        "posts_per_day": pace.posts_per_day,
        "spacing_minutes": pace.spacing_s / 60,
        "ramp": list(pace.ramp),
        "ramp_from": pace.ramp_from.isoformat() if pace.ramp_from else None,
    }


def _within(name: str, value: Any, least: float, most: float, *, whole: bool = False) -> float:
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
        raise ValueError(f"{name} must be a{' whole' if whole else ''} number from {least:,} to {most:,}")
    return float(value)
