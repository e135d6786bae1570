"""When a source is asked next: the most eager connection decides, trouble makes it rarer, and never too often."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder_core.domain.schedules import DEFAULT_INTERVAL_S, Schedule, next_poll

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def wait_s(*intervals_s: float, failures: int = 0, least_s: float = 60.0) -> float:
    schedules = [Schedule(check_interval_s=s) for s in intervals_s]
    return (next_poll(NOW, schedules, failures=failures, least_s=least_s) - NOW).total_seconds()


@pytest.mark.parametrize(
    ("intervals", "failures", "expected"),
    [
        ((), 0, DEFAULT_INTERVAL_S),
        ((300,), 0, 300),
        ((900, 300, 600), 0, 300),
        ((5,), 0, 60),
        ((300,), 1, 600),
        ((300,), 2, 1_200),
        ((300,), 3, 2_400),
        ((300,), 4, 3_600),
        ((300,), 5_000, 3_600),
        ((5,), 1, 120),
        ((7_200,), 0, 7_200),
        ((7_200,), 3, 7_200),
    ],
)
def test_the_wait_until_the_next_look(intervals: tuple[float, ...], failures: int, expected: float) -> None:
    assert wait_s(*intervals, failures=failures) == expected


def test_a_schedule_says_five_minutes_unless_told_otherwise() -> None:
    assert Schedule().check_interval_s == DEFAULT_INTERVAL_S == 300


@given(st.lists(st.floats(0.1, 90_000), max_size=5), st.integers(0, 30), st.floats(1, 600))
def test_a_source_is_never_asked_sooner_than_the_least_and_never_sooner_for_failing(
    intervals: list[float], failures: int, least_s: float
) -> None:
    troubled = wait_s(*intervals, failures=failures, least_s=least_s)
    assert troubled >= least_s - 1e-6
    assert troubled >= wait_s(*intervals, least_s=least_s) - 1e-6
    assert troubled <= max(3_600, *intervals, DEFAULT_INTERVAL_S) + 1e-6
