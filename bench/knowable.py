"""The most any rule could find of a planted anomaly, given how few false alarms it may cause: what ours is held to.

A rule that sees only the two hours after an anomaly began, and may cause one false alarm a month among 100 accounts,
can find no more than the likelihood-ratio test that is told beforehand what will happen (Neyman and Pearson). The fact
to know: windows that do not overlap are counted, so a rule that looks more often must be stricter still.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, inf, lgamma, log, sqrt

_WINDOWS = 100 * 28 * 6  # of two hours, in a month of 100 accounts that are awake twelve hours a day
_ALARM = 1 / _WINDOWS
Case = tuple[float, float, float]  # likelihood ratio, chance on an ordinary day, chance when it happened


def of_failures(due: float, usual: float, planted: float) -> float:
    """`due` posts are expected in the two hours; these shares of them fail of the cause, usually and when planted."""
    return _power(_counts(due, usual, planted))


def of_silence(due: float, volume: float) -> float:
    """This share of the posts that are due comes."""
    cases = ((_poisson(n, due), _poisson(n, volume * due)) for n in range(_most(due)))
    return _power((b / a if a else inf, a, b) for a, b in cases)


def _counts(due: float, usual: float, planted: float) -> Iterable[Case]:
    for n in range(_most(due)):
        came = _poisson(n, due)
        for bad in range(n + 1):
            a, b = _binomial(bad, n, usual), _binomial(bad, n, planted)
            yield (b / a if a else inf), came * a, came * b


def _power(cases: Iterable[Case]) -> float:
    """Of the test that takes the likeliest cases first until its false alarms are used up."""
    left, found = _ALARM, 0.0
    for _, usual, planted in sorted(cases, reverse=True):
        taken = min(1.0, left / usual) if usual else 1.0
        found += taken * planted
        left -= taken * usual
        if left <= 0:
            break
    return found


def _most(due: float) -> int:
    return int(due + 10 * sqrt(due) + 10)


def _poisson(n: int, mean: float) -> float:
    if mean <= 0:
        return 1.0 if n == 0 else 0.0
    return exp(n * log(mean) - mean - lgamma(n + 1))


def _binomial(bad: int, n: int, share: float) -> float:
    if not 0 < share < 1:
        return 1.0 if bad == round(n * share) else 0.0
    ways = lgamma(n + 1) - lgamma(bad + 1) - lgamma(n - bad + 1)
    return exp(ways + bad * log(share) + (n - bad) * log(1 - share))
