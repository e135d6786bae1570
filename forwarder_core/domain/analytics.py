"""The figures of the analytics, each as one formula. docs/analytics.md says the same in words. Pure.

Shares are percent with one decimal. The fact to know: a figure nothing is known of is None, never 0 and never 100.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

GOOD, FAIR = 95.0, 80.0  # functional specification 4.8.2: green above 95, yellow from 80, red below
_FORGIVEN_DAYS = 5.0  # a failure so long ago costs no health any more
_A_DAY = timedelta(days=1)


class Grade(StrEnum):
    """How good a day was."""

    GOOD = "good"
    FAIR = "fair"
    BAD = "bad"
    IDLE = "idle"  # nothing was to do


@dataclass(frozen=True, slots=True)
class Period:
    """Calendar days, both ends included."""

    first: date
    last: date

    @property
    def days(self) -> tuple[date, ...]:
        return tuple(self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts of one day or of many. `retries` and `duration_s` are those of the jobs that succeeded, `wait_s` that of
    the `started` ones, all of them together."""

    succeeded: int = 0
    failed: int = 0
    attempts_succeeded: int = 0
    attempts_failed: int = 0
    blocked: int = 0
    retries: int = 0
    succeeded_after_retry: int = 0
    duration_s: float = 0.0
    wait_s: float = 0.0
    started: int = 0
    busy_s: float = 0.0
    bytes_fetched: int = 0
    bytes_sent: int = 0

    @property
    def total(self) -> int:
        """Jobs that ended."""
        return self.succeeded + self.failed

    @property
    def success_rate(self) -> float | None:
        """Per post."""
        return percent(self.succeeded, self.total)

    @property
    def attempt_rate(self) -> float | None:
        """Per attempt."""
        return percent(self.attempts_succeeded, self.attempts_succeeded + self.attempts_failed)

    @property
    def avg_retries(self) -> float | None:
        """Retries a success took."""
        return average(self.retries, self.succeeded, 2)

    @property
    def avg_duration_s(self) -> float | None:
        return average(self.duration_s, self.succeeded, 1)

    @property
    def avg_wait_s(self) -> float | None:
        return average(self.wait_s, self.started, 1)

    @property
    def is_expected(self) -> bool:
        """Was there anything to do? A job ended, an attempt failed, or a job stood still all day."""
        return bool(self.total or self.attempts_failed or self.attempts_succeeded or self.blocked)

    @property
    def is_up(self) -> bool:
        return self.succeeded > 0


def percent(part: float, whole: float) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def average(total: float, count: int, digits: int) -> float | None:
    return round(total / count, digits) if count else None


def uptime(days: Iterable[Tally]) -> float | None:
    """Days with a success, of the days on which something was to do; percent."""
    expected = [day for day in days if day.is_expected]
    return percent(sum(day.is_up for day in expected), len(expected))


def grade(day: Tally) -> Grade:
    """A day with work and no success is bad, whatever else is known of it."""
    if not day.is_expected:
        return Grade.IDLE
    rate = day.success_rate or 0.0
    return Grade.GOOD if rate > GOOD else Grade.FAIR if rate >= FAIR else Grade.BAD


# ---- health --------------------------------------------------------------------------------------------------------

HEALTH_PARTS: Mapping[str, float] = {"success_rate": 40.0, "uptime": 30.0, "token": 20.0, "last_failure": 10.0}


@dataclass(frozen=True, slots=True)
class Health:
    """0 to 100; `parts`: the points of each of HEALTH_PARTS, None where nothing is known of it."""

    score: int | None
    parts: Mapping[str, float | None]


def health(
    *, success_rate: float | None, uptime_percent: float | None, is_token_valid: bool, since_failure: timedelta | None
) -> Health:
    """Points of the parts that are known, scaled to 100. An account that has done nothing has no score.

    `since_failure`: None = it has never failed.
    """
    did_anything = success_rate is not None or uptime_percent is not None
    forgiven = 1.0 if since_failure is None else max(0.0, min(1.0, since_failure / (_FORGIVEN_DAYS * _A_DAY)))
    shares = {
        "success_rate": None if success_rate is None else success_rate / 100,
        "uptime": None if uptime_percent is None else uptime_percent / 100,
        "token": 1.0 if is_token_valid else 0.0,
        "last_failure": forgiven if did_anything else None,
    }
    parts = {name: None if share is None else round(HEALTH_PARTS[name] * share, 1) for name, share in shares.items()}
    most = sum(HEALTH_PARTS[name] for name, share in shares.items() if share is not None)
    points = sum(HEALTH_PARTS[name] * share for name, share in shares.items() if share is not None)
    return Health(round(100 * points / most) if did_anything else None, parts)


# ---- failures ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cause:
    """What jobs failed of. `gain`: without it the success rate per post were so many points higher; `percent`: its
    share of the jobs that failed."""

    code: str
    jobs: int
    attempts: int
    percent: float | None
    gain: float


def ranked(failures: Mapping[str, tuple[int, int]], tally: Tally) -> list[Cause]:
    """Causes, the one that costs most first. `failures`: (jobs, attempts) by code."""
    every = sum(jobs for jobs, _ in failures.values())
    causes = [
        Cause(code, jobs, attempts, percent(jobs, every), round(100 * jobs / tally.total, 1) if tally.total else 0.0)
        for code, (jobs, attempts) in failures.items()
    ]
    return sorted(causes, key=lambda c: (-c.jobs, -c.attempts, c.code))


@dataclass(frozen=True, slots=True)
class Fix:
    """One thing to mend: the cause at one account, and what the uptime of the period gains by it, in points."""

    code: str
    account_id: int
    jobs: int
    days: int
    gain: float


def what_next(
    down: Mapping[tuple[str, int], tuple[int, Sequence[date]]], expected_days: int, most: int = 3
) -> list[Fix]:
    """The fixes with most uptime in them.

    `down`: by code and account, jobs it failed and the (connection's) days without any success on which it was the
    most frequent failure. `expected_days`: connection-days on which something was to do. Those without a gained day
    follow by the jobs they would save.
    """
    fixes = [
        Fix(code, account, jobs, len(days), round(100 * len(days) / expected_days, 1) if expected_days else 0.0)
        for (code, account), (jobs, days) in down.items()
    ]
    return sorted(fixes, key=lambda f: (-f.days, -f.jobs, f.code, f.account_id))[:most]


# ---- load ----------------------------------------------------------------------------------------------------------


def utilisation(busy_s: float, slots: Iterable[tuple[int, float]]) -> float | None:
    """Percent of the slot-seconds there were. `slots`: runs allowed at once, and for how many seconds."""
    return percent(busy_s, sum(count * seconds for count, seconds in slots))


def peak_hours(by_hour: Mapping[int, int], width: int = 2) -> tuple[int, int] | None:
    """The `width` hours together, round the clock, in which most jobs ended: (from, to before), local hours."""
    if not any(by_hour.values()):
        return None
    starts = range(24)
    sums = {start: sum(by_hour.get((start + n) % 24, 0) for n in range(width)) for start in starts}
    best = max(starts, key=lambda start: (sums[start], -start))
    return best, (best + width) % 24


# ---- days ----------------------------------------------------------------------------------------------------------


def day_of(at: datetime, zone: tzinfo) -> date:
    return at.astimezone(zone).date()


def bounds(first: date, last: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """The instants from the first day's beginning to before the end of the last: 23 or 25 hours where clocks change."""
    return _midnight(first, zone), _midnight(last + _A_DAY, zone)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def start_of(kind: str, day: date) -> date:
    """The Monday of its `week`, or the first of its `month`."""
    return day - timedelta(days=day.weekday()) if kind == "week" else day.replace(day=1)


PRESETS: Mapping[str, int] = {"7days": 7, "30days": 30, "90days": 90}


def period_of(name: str, today: date) -> Period:
    """`weekly`: since Monday; `monthly`: since the first; `7days` and the like end today. Raises KeyError."""
    if name == "weekly":
        return Period(start_of("week", today), today)
    if name == "monthly":
        return Period(start_of("month", today), today)
    return Period(today - timedelta(days=PRESETS[name] - 1), today)
