"""Is today out of the ordinary? A robust z-score against the same weekdays and hours before. Pure.

Median and median deviation instead of mean and deviation: one bad week in the history hides no second one. Counts of a
few hours are small, and a score alone would call chance an anomaly: what is told must also be rare by its own count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from math import comb, exp, lgamma, log, sqrt
from statistics import median

WEEKS = 8  # so many same weekdays are the usual
_LEAST_WEEKS = 4
TRIPS_AT = 3.4
# 100 accounts are looked at some 36,000 times a month while they work: so rare a chance stays below one false alarm.
_CHANCE = 1e-5
_LEAST_FAILING = 0.05  # a success rate above 95 % is not relied upon
_SCALE = 1.4826  # makes a median deviation of a normal distribution its standard deviation

Hours = Mapping[int, tuple[int, int]]  # succeeded and failed, by local hour


class Kind(StrEnum):
    SUCCESS_DROP = "success_drop"
    VOLUME_DROP = "volume_drop"


@dataclass(frozen=True, slots=True)
class Anomaly:
    kind: Kind
    value: float  # percent of success, or jobs
    usual: float
    z: float


def score(value: float, history: Sequence[float], *, floor: float) -> float:
    """How many robust deviations `value` lies from the usual; `floor`: the least deviation that is taken for usual."""
    middle = median(history)
    spread = _SCALE * median(abs(x - middle) for x in history)
    return (value - middle) / max(spread, floor)


def same_weekdays(day: date, days: Mapping[date, Hours]) -> list[Hours]:
    """The same weekdays before that had any work."""
    before = (day - timedelta(weeks=n) for n in range(1, WEEKS + 1))
    return [days[d] for d in before if days.get(d)]


def look(day: date, until_hour: int, days: Mapping[date, Hours]) -> list[Anomaly]:
    """What is odd about `day` up to before the local hour `until_hour` (24 = all of it)."""
    history = same_weekdays(day, days)
    if len(history) < _LEAST_WEEKS:
        return []
    usual = [_sums(hours, until_hour) for hours in history]
    good, bad = _sums(days.get(day, {}), until_hour)
    found = []
    volumes = [float(g + b) for g, b in usual]
    expected = median(volumes)
    # A count's own scatter is its root; no history is quieter than that.
    z = score(good + bad, volumes, floor=max(1.0, sqrt(expected)))
    if z <= -TRIPS_AT and chance_of_so_few(good + bad, expected) <= _CHANCE:
        found.append(Anomaly(Kind.VOLUME_DROP, good + bad, expected, round(z, 1)))
    rates = [100 * g / (g + b) for g, b in usual if g + b]
    if good + bad and len(rates) >= _LEAST_WEEKS:
        rate, middle = 100 * good / (good + bad), median(rates)
        share = max(_LEAST_FAILING, 1 - middle / 100)
        z = score(rate, rates, floor=100 * sqrt(share * (1 - share) / (good + bad)))
        if z <= -TRIPS_AT and chance_of_so_many(bad, good + bad, share) <= _CHANCE:
            found.append(Anomaly(Kind.SUCCESS_DROP, round(rate, 1), round(middle, 1), round(z, 1)))
    return found


def chance_of_so_few(count: int, expected: float) -> float:
    """That no more than `count` come where `expected` usually do (Poisson)."""
    return sum(exp(n * log(expected) - expected - lgamma(n + 1)) for n in range(count + 1)) if expected > 0 else 1.0


def chance_of_so_many(bad: int, total: int, share: float) -> float:
    """That at least `bad` of `total` fail where this share usually does (binomial)."""
    return sum(comb(total, n) * share**n * (1 - share) ** (total - n) for n in range(bad, total + 1))


def _sums(hours: Hours, until_hour: int) -> tuple[int, int]:
    within = [counts for hour, counts in hours.items() if hour < until_hour]
    return sum(good for good, _ in within), sum(bad for _, bad in within)
