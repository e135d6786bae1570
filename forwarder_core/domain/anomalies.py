"""Is an account out of its ordinary? Two tests on what it did of late against what it usually does. Pure.

Success: the last posts, one by one, and how rare so many failures among them are (a binomial tail), of any cause and of
each cause by itself: two failures in a row of a cause an account has not met in eight weeks say more than four of the
common ones. Volume: the posts of the last hours against the same hours of the same weekday (a Poisson-Gamma tail, and a
robust z-score). The fact to know: medians, and the worst week left out, so that one bad week hides no second one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from math import comb, exp, lgamma, log, sqrt
from statistics import median

WEEKS = 8  # so many weeks before are the usual
LOOKS_BACK = timedelta(hours=24)  # for the last posts
LEAST_WEEKS = 4
TRIPS_AT = 3.4
# 100 accounts with 24 posts a day make 72,000 posts and 72,000 hours a month; these chances, found by simulation
# (bench/anomalies.py), leave at most one false alarm among them. Who posts more is looked at more often.
_CHANCE_OF_FAILURES = 4e-6
_CHANCE_OF_A_CAUSE = 8e-7  # of one cause alone; there are many causes
_CHANCE_OF_SILENCE = 2e-6
_POSTS_A_WEEK = 168
_MOST_POSTS = 60
_WINDOWS = (1, 2, 3, 6, 12)  # hours
_SCALE = 1.4826  # makes a median deviation of a normal distribution its standard deviation
_UNSTEADY = 0.1  # no account's volume is steadier from week to week than by this share


class Kind(StrEnum):
    SUCCESS_DROP = "success_drop"
    VOLUME_DROP = "volume_drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """`value` and `usual`: percent of success among the last `posts`, or posts of the last `hours`. `chance`: that an
    ordinary day looks like this. `code`: the cause, where it is one cause that is rare."""

    kind: Kind
    value: float
    usual: float
    z: float
    chance: float
    posts: int = 0
    hours: int = 0
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one post at this account. `code`: None = it went well."""

    code: str | None = None


@dataclass(frozen=True, slots=True)
class Week:
    """Posts that ended in one week before, and what failed at this account's end, by cause."""

    posts: int
    failed: Mapping[str, int]


def success(recent: Sequence[Outcome], weeks: Sequence[Week]) -> Anomaly | None:
    """The rarest run of failures among the last posts (oldest first), where it is rare enough to be told."""
    busy = [week for week in weeks if week.posts]
    if len(busy) < LEAST_WEEKS:
        return None
    last = recent[-_MOST_POSTS:]
    causes = sorted({one.code for one in last if one.code})
    found = [_rarest(last, busy, {code}, _CHANCE_OF_A_CAUSE, code) for code in causes]
    found.append(_rarest(last, busy, set(causes), _CHANCE_OF_FAILURES, None))
    return min((one for one in found if one), key=lambda one: one.chance, default=None)


def _rarest(
    last: Sequence[Outcome], weeks: Sequence[Week], causes: set[str], limit: float, code: str | None
) -> Anomaly | None:
    """Over every run that begins with a failure and ends now."""
    limit *= min(1.0, _POSTS_A_WEEK / median(week.posts for week in weeks))
    usual = usual_share(weeks, causes if code else None)
    bad, best = 0, (1.0, 0, 0)
    for n, one in enumerate(reversed(last), 1):
        if one.code in causes:
            bad += 1
            best = min(best, (chance_of_so_many(bad, n, usual), n, bad))
    chance, n, bad = best
    if chance > limit:
        return None
    shares = [sum(k for c, k in week.failed.items() if not code or c == code) / week.posts for week in weeks]
    z = -score(bad / n, shares, floor=sqrt(usual * (1 - usual) / n))
    value, normal = round(100 * (1 - bad / n), 1), round(100 * (1 - usual), 1)
    kind = Kind.SUCCESS_DROP
    return Anomaly(kind=kind, value=value, usual=normal, z=round(z, 1), chance=chance, posts=n, code=code)


def usual_share(weeks: Sequence[Week], causes: set[str] | None) -> float:
    """Failures of these causes (None = any) a post, without their worst week; never 0: one more is always possible."""
    counted = sorted((sum(n for c, n in w.failed.items() if causes is None or c in causes), w.posts) for w in weeks)
    kept = counted[:-1]
    return min(1.0, (sum(bad for bad, _ in kept) + 1) / (sum(posts for _, posts in kept) + 1))


def volume(now: int, hours: Mapping[int, int]) -> Anomaly | None:
    """Too few posts before the hour `now`? `hours`: posts by hour, each the number `hour_of` gives it."""
    begun = min(hours, default=now)
    found = [_window(now, length, hours, begun) for length in _WINDOWS]
    return min((one for one in found if one), key=lambda one: one.chance, default=None)


def _window(now: int, length: int, hours: Mapping[int, int], begun: int) -> Anomaly | None:
    count = _sum(hours, now, length)
    usual = _same_weekdays(now, length, hours, begun)
    if len(usual) < LEAST_WEEKS or not (expected := median(usual)):
        return None
    spread = _restlessness(now, length, hours, begun) * expected
    variance = max(expected, spread) + expected / len(usual) + (_UNSTEADY * expected) ** 2
    chance = chance_of_so_few(count, expected, variance)
    z = score(count, usual, floor=max(1.0, sqrt(expected)))
    if chance > _CHANCE_OF_SILENCE or z > -TRIPS_AT:
        return None
    kind = Kind.VOLUME_DROP
    return Anomaly(kind=kind, value=count, usual=expected, z=round(z, 1), chance=chance, hours=length)


def _same_weekdays(end: int, length: int, hours: Mapping[int, int], begun: int) -> list[float]:
    """Posts of these hours on the same weekdays before, as far back as anything is known."""
    ends = [end - 168 * week for week in range(1, WEEKS + 1)]
    return [float(_sum(hours, one, length)) for one in ends if one - length >= begun]


def _restlessness(now: int, length: int, hours: Mapping[int, int], begun: int) -> float:
    """Variance of the weeks over their mean (chance alone: 1), from these hours and the ones beside them: eight weeks
    of one window are too few to tell a scatter from."""
    apart = []
    for shift in range(-2, 3):
        usual = _same_weekdays(now + shift * length, length, hours, begun)
        middle = median(usual) if usual else 0
        if middle:
            apart += [abs(x - middle) / sqrt(middle) for x in usual]
    return (_SCALE * median(apart)) ** 2 if apart else 1.0


def hour_of(day: date, hour: int) -> int:
    """The number of a local hour; the same weekday and hour a week before is 168 less."""
    return day.toordinal() * 24 + hour


def score(value: float, history: Sequence[float], *, floor: float) -> float:
    """How many robust deviations `value` lies from the usual; `floor`: the least deviation that is taken for usual."""
    middle = median(history)
    spread = _SCALE * median(abs(x - middle) for x in history)
    return (value - middle) / max(spread, floor)


def chance_of_so_few(count: int, expected: float, variance: float) -> float:
    """That no more than `count` come where `expected` usually do, with this variance (negative binomial)."""
    shape = expected**2 / (variance - expected)
    stay, go = log(shape / (shape + expected)), log(expected / (shape + expected))
    ways = (lgamma(shape + n) - lgamma(shape) - lgamma(n + 1) + n * go for n in range(count + 1))
    return min(1.0, sum(exp(shape * stay + way) for way in ways))


def chance_of_so_many(bad: int, total: int, share: float) -> float:
    """That at least `bad` of `total` fail where this share usually does (binomial)."""
    return sum(comb(total, n) * share**n * (1 - share) ** (total - n) for n in range(bad, total + 1))


def _sum(hours: Mapping[int, int], end: int, length: int) -> int:
    return sum(hours.get(hour, 0) for hour in range(end - length, end))
