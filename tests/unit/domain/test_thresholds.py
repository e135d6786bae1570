"""Thresholds: said once when it starts, once when it ends, whatever happens between the two marks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from forwarder_core.domain.thresholds import Metric, Reading, crossings, long_pause

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def high(value: float | None, subject: str = "") -> Reading:
    return Reading(metric=Metric.QUEUE_AGE, subject=subject, value=value, trips_at=30, clears_at=15)


def low(value: float | None) -> Reading:
    return Reading(metric=Metric.SUCCESS_RATE, value=value, trips_at=80, clears_at=85)


def told(readings: list[Reading]) -> list[bool]:
    """The starts (True) and ends (False) of one value over time."""
    beyond: set[tuple[str, str]] = set()
    said = []
    for reading in readings:
        for crossing in crossings([reading], beyond):
            said.append(crossing.is_start)
            (beyond.add if crossing.is_start else beyond.discard)(reading.key)
    return said


def test_a_value_that_swings_around_its_mark_is_one_start_and_one_end() -> None:
    assert told([high(v) for v in (0, 29, 30, 29, 31, 16, 30, 15.5, 31, 15, 16, 29)]) == [True, False]


def test_a_low_value_is_trouble_where_it_clears_above_its_mark() -> None:
    assert told([low(v) for v in (100, 81, 80, 84, 79, 84.9, 85, 81, 100)]) == [True, False]


@pytest.mark.parametrize("read", [high, low])
def test_a_value_nobody_measured_changes_nothing(read: Callable[[float | None], Reading]) -> None:
    assert crossings([read(None)], set()) == []
    assert crossings([read(None)], {read(None).key}) == []


def test_each_subject_has_a_state_of_its_own() -> None:
    (only,) = crossings([high(40, "a"), high(40, "b")], {high(0, "a").key})
    assert (only.reading.subject, only.is_start) == ("b", True)


def test_a_pause_is_unusual_only_against_a_history_of_its_own() -> None:
    daily = [NOW + timedelta(days=n) for n in range(10)]
    assert long_pause(daily[:4], timedelta(hours=24)) is None, "four forwards say nothing yet"
    assert long_pause(daily, timedelta(hours=24)) == timedelta(days=3)
    assert long_pause(daily[::-1], timedelta(days=5)) == timedelta(days=5), "never shorter than the least"
    hourly = [NOW + timedelta(hours=n) for n in range(10)]
    assert long_pause(hourly, timedelta(hours=24)) == timedelta(hours=24)
