"""How rare is that? The tails of distributions, and the robust z-score. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, lgamma, log
from statistics import median

SCALE = 1.4826  # makes a median deviation of a normal distribution its standard deviation
_NEGLIGIBLE = 1e-9  # a term this small beside the sum ends it


def of_so_many(bad: int, total: int, share: float, seen: float) -> float:
    """That at least `bad` of `total` fail where this share of the `seen` ones before did: beta-binomial, so that a
    share learnt from few is trusted less. Where shares differ from one to the next, their mean serves: it gives no
    smaller a chance (Hoeffding 1956)."""
    if bad <= 0 or share >= 1:
        return 1.0
    if share <= 0:
        return 0.0
    failing, well = share * seen, (1 - share) * seen
    ways = lgamma(total + 1) - _log_beta(failing, well)
    chance = 0.0
    for n in range(bad, total + 1):
        together = _log_beta(failing + n, well + total - n)
        term = exp(ways - lgamma(n + 1) - lgamma(total - n + 1) + together)
        chance += term
        if n > share * total and term < _NEGLIGIBLE * chance:
            break
    return min(1.0, chance)


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def of_so_few(count: int, expected: float, variance: float) -> float:
    """That no more than `count` come where `expected` usually do, with this variance, which is above the mean (negative
    binomial)."""
    shape = expected**2 / (variance - expected)
    stay, go = log(shape / (shape + expected)), log(expected / (shape + expected))
    ways = (lgamma(shape + n) - lgamma(shape) - lgamma(n + 1) + n * go for n in range(count + 1))
    return min(1.0, sum(exp(shape * stay + way) for way in ways))


def of_more(count: int, expected: float) -> float:
    """That at least `count` come where `expected` usually do (Poisson)."""
    if expected <= 0:
        return 1.0 if count <= 0 else 0.0
    fewer = sum(exp(n * log(expected) - expected - lgamma(n + 1)) for n in range(count))
    return max(0.0, 1 - fewer)


def score(value: float, history: Sequence[float], *, floor: float) -> float:
    """How many robust deviations `value` lies from the usual; `floor`: the least deviation that is taken for usual."""
    middle = median(history)
    spread = SCALE * median(abs(x - middle) for x in history)
    return (value - middle) / max(spread, floor)
