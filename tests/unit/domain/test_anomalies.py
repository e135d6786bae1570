"""Planted anomalies among ordinary days: how many are found, how soon, and how many alarms are false."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

import pytest

from forwarder_core.domain import anomalies
from forwarder_core.domain.anomalies import Kind

FIRST = date(2026, 1, 5)
WEEKS = 9
HOURS = range(8, 20)  # two posts an hour, give or take
Day = dict[int, tuple[int, int]]


def ordinary(dice: Random, day: date, *, success: float = 0.96, volume: float = 1.0) -> Day:
    """About 24 posts over the day, fewer at the weekend."""
    usual = (2.0 if day.weekday() < 5 else 1.6) * volume
    hours: Day = {}
    for hour in HOURS:
        posts = sum(dice.random() < usual / 4 for _ in range(4))
        good = sum(dice.random() < success for _ in range(posts))
        if posts:
            hours[hour] = (good, posts - good)
    return hours


def history(dice: Random) -> dict[date, Day]:
    return {day: ordinary(dice, day) for day in (FIRST + timedelta(days=n) for n in range(WEEKS * 7))}


def alarms(days: dict[date, Day], last: int) -> Iterator[tuple[date, int, Kind]]:
    """As the schedule asks: every hour of the last so many days; each kind once a day."""
    told = set()
    for day in sorted(days)[-last:]:
        for hour in range(1, 25):
            for found in anomalies.look(day, hour, days):
                if (day, found.kind) not in told:
                    told.add((day, found.kind))
                    yield day, hour, found.kind


def test_among_ordinary_days_of_a_hundred_accounts_there_is_at_most_one_false_alarm_a_month() -> None:
    dice = Random(7)
    false = sum(len(list(alarms(history(dice), 30))) for _ in range(100))
    assert false == 0


@pytest.mark.parametrize(
    ("change", "figures"),
    [({"success": 0.0}, (200, 132, 4)), ({"volume": 0.0}, (200, 0, 8))],
    ids=["success", "volume"],
)
def test_planted_breakdowns_are_found(change: dict[str, float], figures: tuple[int, int, int]) -> None:
    """Everything fails, or nothing comes, from 8 o'clock on a weekday. Figures, as docs/analytics.md has them: found of
    200, found within 2 hours of data, hours within which 95 % are found."""
    dice = Random(11)
    hours = []
    for _ in range(200):
        days = history(dice)
        day = FIRST + timedelta(weeks=WEEKS - 1, days=dice.randrange(5))
        days[day] = ordinary(dice, day, **change)
        only = {d: hours_ for d, hours_ in days.items() if d <= day}
        hours += [hour - HOURS.start for at, hour, _ in list(alarms(only, 1))[:1] if at == day]
    within = sorted(hours)[int(0.95 * 200) - 1]
    assert (len(hours), sum(hour <= 2 for hour in hours), within) == figures


def test_a_short_history_says_nothing() -> None:
    dice = Random(3)
    days = {FIRST + timedelta(days=n): ordinary(dice, FIRST) for n in range(21)}
    last = max(days)
    days[last] = ordinary(dice, last, success=0.0)
    assert anomalies.look(last, 24, days) == []


def test_one_bad_week_before_hides_no_second_one() -> None:
    days: dict[date, Day] = {FIRST + timedelta(weeks=n): {9: (20, 0)} for n in range(9)}
    days[FIRST + timedelta(weeks=5)] = {9: (0, 20)}
    days[FIRST + timedelta(weeks=8)] = {9: (2, 18)}
    (found,) = anomalies.look(FIRST + timedelta(weeks=8), 24, days)
    assert found.kind is Kind.SUCCESS_DROP and (found.value, found.usual) == (10.0, 100.0)
