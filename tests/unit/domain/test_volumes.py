"""Fewer posts than usual: rhythms of days and weeks, silences, and what is no silence."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forwarder_core.domain import volumes
from forwarder_core.domain.anomalies import Kind
from forwarder_core.domain.volumes import Rhythm, hour_of, rhythm, volume

DAY = date(2026, 3, 2)  # a Monday
TODAY = hour_of(DAY)


def past(posts: int, hours: range = range(8, 20), weeks: int = 8, weekdays: range = range(7)) -> dict[int, int]:
    """So many posts in each of these hours."""
    days = [DAY - timedelta(days=n) for n in range(1, 7 * weeks + 1)]
    return {hour_of(day, hour): posts for day in days if day.weekday() in weekdays for hour in hours}


def known(hours: dict[int, int]) -> Rhythm:
    made = rhythm(TODAY, hours)
    assert made is not None
    return made


def test_what_is_expected_is_what_used_to_come() -> None:
    steady = known(past(10))
    assert steady.expected(TODAY + 8, TODAY + 10) == pytest.approx(20)
    assert steady.expected(TODAY + 8.5, TODAY + 8.75) == pytest.approx(2.5)
    assert steady.expected(TODAY - 24 + 12, TODAY + 12) == pytest.approx(120)
    assert (steady.scatter, steady.unsteady) == (1.0, 0.1)
    # Only on Mondays: nothing of it is lent to the other days.
    mondays = known(past(10, weekdays=range(1)))
    assert mondays.expected(TODAY + 8, TODAY + 10) == pytest.approx(20)
    assert mondays.expected(TODAY + 32, TODAY + 34) == pytest.approx(0, abs=1e-6)


def test_silence_is_told_of_where_posts_were_due_and_nowhere_else() -> None:
    steady = known(past(10))
    found = volume(TODAY + 10, [], steady)
    assert found is not None and (found.kind, found.value, found.z < -3) == (Kind.VOLUME_DROP, 0, True)
    ordinary = [TODAY - 72 + n / 10 for n in range(720) if 8 <= n / 10 % 24 < 20] + [
        TODAY + 8 + n / 10 for n in range(20)
    ]
    assert volume(TODAY + 10, ordinary, steady) is None
    assert volume(TODAY + 10, [], steady, since=TODAY + 9.5) is None, "what was told is spent"
    assert volume(TODAY + 8, ordinary, known(past(1, range(8, 9)))) is None


def test_too_little_past_says_nothing() -> None:
    assert rhythm(TODAY, past(10, weeks=3)) is None and rhythm(TODAY, {}) is None
    assert volumes.together([]) is None


def test_a_silent_week_before_hides_no_second_silence() -> None:
    holidays = {hour: n for hour, n in past(10).items() if not TODAY - 336 <= hour < TODAY - 168}
    assert volume(TODAY + 10, [], known(holidays)) is not None


def test_restless_days_are_given_room() -> None:
    dice = Random(5)
    factors = {TODAY - day * 24: dice.choice((0, 1, 3)) for day in range(1, 57)}
    wild = {hour: n * factors[hour - hour % 24] for hour, n in past(5).items()}
    assert known(wild).unsteady > 0.5 and volume(TODAY + 10, [TODAY - 12.5], known(wild)) is None


def test_a_shared_silence_is_not_that_of_the_loudest() -> None:
    usual = {1: known(past(30)), 2: known(past(6)), 3: known(past(6))}
    whole = volumes.together(usual.values())
    assert whole is not None and whole.expected(TODAY + 8, TODAY + 9) == pytest.approx(42)
    now = TODAY + 10
    of_the_others = [TODAY - 72 + n / 6 for n in range(6 * 82) if 8 <= n / 6 % 24 < 20]
    assert volumes.shared(now, {2: of_the_others, 3: of_the_others}, usual, whole) is None
    assert volumes.shared(now, {}, usual, whole) is not None


@settings(max_examples=25, deadline=None)
@given(posts=st.integers(1, 40), came=st.lists(st.floats(0, 12), max_size=40))
def test_one_post_more_is_never_more_alarming(posts: int, came: list[float]) -> None:
    steady, now = known(past(posts)), TODAY + 20
    times = sorted(TODAY + 8 + at for at in came)
    fewer = volume(now, times[1:], steady)
    more = volume(now, times, steady)
    assert more is None or (fewer is not None and fewer.chance <= more.chance)
