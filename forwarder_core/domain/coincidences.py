"""Do failures pile up after events? Counted hour by hour, with the strength of the evidence said. Pure.

Failures in the hours after events of one kind against all other hours: the rate ratio with its 95 % interval, how many
events were followed by a spike, and how often the same pattern of events, moved round the clock of the period, meets as
many failures (an exact permutation over every shift, so the answer is the same each time it is asked). The fact to
know: it is a coincidence that is measured; an incident, which is made of failures, is never asked for its cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import exp, lgamma, log, sqrt

AFTER_HOURS = 3  # an event's own hour and the two after it
_LEAST_EVENTS = 3
_SPIKE_CHANCE = 1e-3
_LEAST_IN_SPIKE = 3
_NORMAL_95 = 1.96


class Strength(StrEnum):
    STRONG = "strong"
    SOME = "some"
    NONE = "none"
    TOO_FEW = "too_few"


@dataclass(frozen=True, slots=True)
class Hour:
    """Attempts that ended in one hour, and those of them that failed."""

    attempts: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Coincidence:
    """`ratio`: failures an attempt after such events over those of the other hours, from `low` to `high`; None where
    one side saw no attempt. `followed`: events with a spike in their hours. `p`: of the permutation."""

    kind: str
    events: int
    followed: int
    spikes: int
    ratio: float | None
    low: float | None
    high: float | None
    p: float | None
    strength: Strength


def is_spike(hour: Hour, share: float) -> bool:
    """More failed than chance explains, where this share of attempts usually does (Poisson)."""
    expected = hour.attempts * share
    if hour.failed < _LEAST_IN_SPIKE or expected <= 0:
        return False
    fewer = sum(exp(n * log(expected) - expected - lgamma(n + 1)) for n in range(hour.failed))
    return 1 - fewer <= _SPIKE_CHANCE


def coincide(kind: str, events: Sequence[int], hours: Sequence[Hour]) -> Coincidence:
    """`events`: the hours of the period (indices into `hours`) in which an event of this kind was."""
    attempts, failed = sum(hour.attempts for hour in hours), sum(hour.failed for hour in hours)
    share = failed / attempts if attempts else 0.0
    spikes = {n for n, hour in enumerate(hours) if is_spike(hour, share)}
    followed = sum(any(event + n in spikes for n in range(AFTER_HOURS)) for event in events)
    after = _after(events, len(hours))
    ratio, low, high = _ratio(hours, after, attempts, failed)
    p = _permuted(hours, after)
    return Coincidence(
        kind=kind,
        events=len(events),
        followed=followed,
        spikes=len(spikes),
        ratio=ratio,
        low=low,
        high=high,
        p=p,
        strength=_strength(len(events), followed, low, p),
    )


def _after(events: Sequence[int], length: int) -> set[int]:
    return {event + n for event in events for n in range(AFTER_HOURS) if event + n < length}


def _ratio(
    hours: Sequence[Hour], after: set[int], attempts: int, failed: int
) -> tuple[float | None, float | None, float | None]:
    """With half a failure added to each side, so that none is not infinitely few (Haldane)."""
    tried, bad = sum(hours[n].attempts for n in after), sum(hours[n].failed for n in after)
    if not tried or tried == attempts:
        return None, None, None
    here, elsewhere = bad + 0.5, failed - bad + 0.5
    ratio = (here / tried) / (elsewhere / (attempts - tried))
    width = exp(_NORMAL_95 * sqrt(1 / here + 1 / elsewhere))
    return round(ratio, 2), round(ratio / width, 2), round(ratio * width, 2)


def _permuted(hours: Sequence[Hour], after: set[int]) -> float | None:
    """The share of all shifts of the events round the period with as high a failure rate in their hours."""
    if not after:
        return None
    rates = [_rate(hours, [(n + shift) % len(hours) for n in after]) for shift in range(len(hours))]
    return round(sum(rate >= rates[0] for rate in rates) / len(rates), 4)


def _rate(hours: Sequence[Hour], which: Sequence[int]) -> float:
    tried = sum(hours[n].attempts for n in which)
    return sum(hours[n].failed for n in which) / tried if tried else 0.0


def _strength(events: int, followed: int, low: float | None, p: float | None) -> Strength:
    if events < _LEAST_EVENTS or low is None or p is None:
        return Strength.TOO_FEW
    if low >= 2 and p <= 0.01 and followed >= _LEAST_EVENTS:
        return Strength.STRONG
    return Strength.SOME if low > 1 and p <= 0.05 else Strength.NONE
