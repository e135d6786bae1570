"""Do fewer posts come than usual? The last hours against the rhythm of the weeks before. Pure.

The rhythm is what to expect of each hour of the week, with how restless hours and whole days are; so few posts are told
of when they are rare by it (Poisson-Gamma tail) and the robust z-score of the window against the same hours of the days
before says so too. The fact to know: an hour of the week is seen eight times only. It borrows from its weekday and from
the same hour of other days, by as much as these prove alike (empirical Bayes): that is what finds a silence early.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from math import floor, sqrt
from statistics import median

from forwarder_core.domain import chances
from forwarder_core.domain.anomalies import LEAST_WEEKS, WEEKS, Anomaly, Kind

TRIPS_AT = -3.0  # robust deviations
_ALARMS_OF_SILENCE = 0.01  # false ones a month that an account may cause; see `anomalies`
_WINDOWS = (1, 2, 3, 4, 6, 9, 12, 18, 24, 36, 48, 72)  # hours
_REST = 1e-3  # what is left of a shared silence without its worst account must still be so rare
_UNSTEADY = 0.1  # no account's days are steadier than by this share
_CAPPED = 9.0  # squared deviations count so much at most: a broken day is not restlessness
_DAY, _WEEK = 24, 168
_DAYS_A_MONTH = 30


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What usually comes. `week`: posts by hour of the week, Monday 0:00 first, summed up from there; `scatter`:
    variance of an hour over its mean (chance alone: 1); `unsteady`: share by which whole days differ; `error`: of the
    expectation itself, as a share; `past`: posts by number of hour; `days`: first and last number of a day."""

    week: tuple[float, ...]
    scatter: float
    unsteady: float
    error: float
    past: Mapping[int, int]
    days: tuple[int, int]

    def expected(self, start: float, end: float) -> float:
        """Posts between these hours."""
        return self._until(end) - self._until(start)

    def _until(self, at: float) -> float:
        weeks, hour = divmod(at - _DAY, _WEEK)  # day 1 was a Monday
        whole = int(hour)
        here = self.week[whole - 1] if whole else 0.0
        return weeks * self.week[-1] + here + (hour - whole) * (self.week[whole] - here)


def hour_of(day: date, hour: float = 0) -> int:
    """The number of a local hour; the same weekday and hour a week before is 168 less."""
    return day.toordinal() * _DAY + int(hour)


def rhythm(today: int, hours: Mapping[int, int]) -> Rhythm | None:
    """From the posts by number of hour before the day `today` (its first hour). None: too little is known."""
    past = {hour: n for hour, n in hours.items() if today - WEEKS * _WEEK <= hour < today and n}
    weeks = (today - min(past, default=today)) // _WEEK
    if weeks < LEAST_WEEKS:
        return None
    first = today - weeks * _WEEK
    days = _ordinary_days(first, today, past)
    by_day = {day: [past.get(day + hour, 0) for hour in range(_DAY)] for day in days}
    level = _levels(by_day)
    usual = _shrunk(by_day, level)
    scatter, unsteady = _restlessness(by_day, usual)
    posts = max(1.0, sum(map(sum, by_day.values())))
    summed = tuple(accumulate(one for weekday in range(7) for one in usual[weekday]))
    return Rhythm(summed, scatter, unsteady, sqrt(7 / posts), past, (first, today - _DAY))


def volume(now: float, times: Sequence[float], usual: Rhythm, since: float = 0.0) -> Anomaly | None:
    """Too few posts before `now`? `times`: hour numbers, as fractions, of the posts of the last 72 hours, in order;
    `since`: what was before has been told."""
    limit = _ALARMS_OF_SILENCE / max(1.0, usual.week[-1] / 7 * _DAYS_A_MONTH)
    found = [_window(now, length, times, usual, limit) for length in _WINDOWS if now - length >= since]
    return min((one for one in found if one), key=lambda one: one.chance, default=None)


def together(rhythms: Iterable[Rhythm]) -> Rhythm | None:
    """The rhythm of what several do in sum."""
    past: dict[int, int] = {}
    every = list(rhythms)
    for one in every:
        for hour, n in one.past.items():
            past[hour] = past.get(hour, 0) + n
    return rhythm(every[0].days[1] + _DAY, past) if every else None


def shared(
    now: float, times: Mapping[int, Sequence[float]], usual: Mapping[int, Rhythm], whole: Rhythm, since: float = 0.0
) -> Anomaly | None:
    """Too few posts of accounts that have something in common; `whole`: their rhythm `together`. Told only where the
    others fell silent, too, without the account that is missed most."""
    found = volume(now, sorted(at for id_ in usual for at in times.get(id_, ())), whole, since)
    if found is None:
        return None
    start = now - found.hours
    missed = {id_: one.expected(start, now) - _count(times.get(id_, ()), start, now) for id_, one in usual.items()}
    others = [id_ for id_ in usual if id_ != max(missed, key=lambda one: missed[one])]
    rest = together(usual[id_] for id_ in others)
    if rest is None or rest.expected(start, now) <= 0:
        return None
    left = sorted(at for id_ in others for at in times.get(id_, ()))
    return found if _window(now, found.hours, left, rest, _REST) else None


def _window(now: float, length: int, times: Sequence[float], usual: Rhythm, limit: float) -> Anomaly | None:
    start = now - length
    expected = usual.expected(start, now)
    count = _count(times, start, now)
    if expected <= 0 or count > expected + TRIPS_AT * sqrt(expected):
        return None
    variance = usual.scatter * expected + (usual.unsteady**2 + usual.error**2) * expected**2
    chance = chances.of_so_few(count, expected, max(variance, 1.001 * expected))
    if chance > limit or (z := _score(count, start, now, usual, expected)) > TRIPS_AT:
        return None
    value, normal = float(count), round(expected, 1)
    return Anomaly(kind=Kind.VOLUME_DROP, value=value, usual=normal, z=round(z, 1), chance=chance, hours=length)


def _count(times: Sequence[float], start: float, end: float) -> int:
    return bisect_right(times, end) - bisect_right(times, start)


def _score(count: int, start: float, now: float, usual: Rhythm, expected: float) -> float:
    """Robust, against the same hours of all days before, each by what its weekday and hours let expect."""
    off = []
    first, last = usual.days
    day = _DAY
    while start - day >= first:
        if now - day <= last + _DAY and (due := usual.expected(start - day, now - day)) > 0:
            off.append((_amount(usual.past, start - day, now - day) - due) / sqrt(due))
        day += _DAY
    return chances.score((count - expected) / sqrt(expected), off or [0.0], floor=1.0)


def _amount(past: Mapping[int, int], start: float, end: float) -> float:
    """Posts between these hours; of an hour that is only touched, its share."""
    inner = sum(past.get(hour, 0) for hour in range(floor(start), floor(end)))
    return inner - (start % 1) * past.get(floor(start), 0) + (end % 1) * past.get(floor(end), 0)


def _ordinary_days(first: int, today: int, past: Mapping[int, int]) -> list[int]:
    """Without the busiest and the quietest week, where there are enough: a week of holidays is not the usual."""
    weeks = sorted(range(first, today, _WEEK), key=lambda week: sum(past.get(week + n, 0) for n in range(_WEEK)))
    kept = weeks[1:-1] if len(weeks) >= LEAST_WEEKS + 2 else weeks
    return sorted(week + n * _DAY for week in kept for n in range(7))


def _weekday(day: int) -> int:
    return (day // _DAY - 1) % 7


def _levels(by_day: Mapping[int, Sequence[int]]) -> list[float]:
    """Posts a day by weekday."""
    weekdays: list[list[int]] = [[sum(n) for day, n in by_day.items() if _weekday(day) == w] for w in range(7)]
    return [sum(one) / len(one) for one in weekdays]


def _shrunk(by_day: Mapping[int, Sequence[int]], level: Sequence[float]) -> list[list[float]]:
    """Posts by weekday and hour: what they were there, drawn towards what weekday and hour of day let expect."""
    every = sum(map(sum, by_day.values())) or 1
    shape = [sum(n[hour] for n in by_day.values()) / every for hour in range(_DAY)]
    weeks = len(by_day) / 7
    own = [[0.0] * _DAY for _ in range(7)]
    for day, n in by_day.items():
        for hour in range(_DAY):
            own[_weekday(day)][hour] += n[hour] / weeks
    model = [[level[w] * shape[hour] for hour in range(_DAY)] for w in range(7)]
    cells = [(own[w][hour], model[w][hour]) for w in range(7) for hour in range(_DAY)]
    unlike = max(0.0, sum((a - m) ** 2 - m / weeks for a, m in cells)) / (sum(m * m for _, m in cells) or 1)
    trust = [[1 / (1 + weeks * unlike * m) for m in row] for row in model]
    return [
        [t * m + (1 - t) * a for t, m, a in zip(*rows, strict=True)] for rows in zip(trust, model, own, strict=True)
    ]


def _restlessness(by_day: Mapping[int, Sequence[int]], usual: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Variance of hours over their mean, at least that of chance; and the share by which whole days differ besides, by
    their median deviation."""
    hours, days = [], []
    for day, n in by_day.items():
        due = usual[_weekday(day)]
        hours += [min(_CAPPED, (a - m) ** 2 / m) for a, m in zip(n, due, strict=True) if m > 0]
        if sum(due) > 0:
            days.append(abs(sum(n) / sum(due) - 1))
    if not days:
        return 1.0, _UNSTEADY
    scatter = max(1.0, sum(hours) / len(hours))
    typical = sum(map(sum, usual)) / 7
    beyond = (chances.SCALE * median(days)) ** 2 - scatter / typical
    return scatter, max(_UNSTEADY, sqrt(max(0.0, beyond)))
