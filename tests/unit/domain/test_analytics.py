"""The formulas of docs/analytics.md, each with figures worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from forwarder_core.domain import analytics
from forwarder_core.domain.analytics import Grade, Period, Tally

MONDAY = date(2026, 3, 2)


def test_rates_are_percent_and_unknown_is_not_zero() -> None:
    told = Tally(succeeded=1189, failed=58, attempts_succeeded=1189, attempts_failed=311)
    assert (told.success_rate, told.attempt_rate) == (95.3, 79.3)
    assert (Tally().success_rate, Tally().attempt_rate, Tally().avg_retries, Tally().avg_duration_s) == (None,) * 4


def test_uptime_asks_only_for_days_on_which_something_was_to_do() -> None:
    good, idle, retried, blocked = Tally(succeeded=1), Tally(), Tally(attempts_failed=1), Tally(blocked=2)
    assert analytics.uptime([good, idle, idle]) == 100.0
    assert analytics.uptime([good, good, retried, idle, blocked]) == 50.0
    assert analytics.uptime([idle]) is None


@pytest.mark.parametrize(
    ("day", "grade"),
    [
        (Tally(succeeded=96, failed=4), Grade.GOOD),
        (Tally(succeeded=95, failed=5), Grade.FAIR),
        (Tally(succeeded=80, failed=20), Grade.FAIR),
        (Tally(succeeded=79, failed=21), Grade.BAD),
        (Tally(blocked=1), Grade.BAD),
        (Tally(), Grade.IDLE),
    ],
)
def test_the_heat_map_has_the_marks_of_the_specification(day: Tally, grade: Grade) -> None:
    assert analytics.grade(day) is grade


def test_health_is_the_sum_of_its_parts() -> None:
    """The example of the functional specification, 4.8.3: 92 of 100."""
    found = analytics.health(
        success_rate=95.3, uptime_percent=98.5, is_token_valid=True, since_failure=timedelta(days=2)
    )
    assert found.parts == {"success_rate": 38.1, "uptime": 29.6, "token": 20.0, "last_failure": 4.0}
    assert found.score == 92


def test_an_account_that_did_nothing_has_no_score() -> None:
    found = analytics.health(success_rate=None, uptime_percent=None, is_token_valid=True, since_failure=None)
    assert found.score is None and found.parts["success_rate"] is None


def test_a_cause_says_what_its_end_would_gain() -> None:
    causes = analytics.ranked({"network_error": (1, 9), "auth_expired": (3, 3)}, Tally(succeeded=96, failed=4))
    assert [(c.code, c.percent, c.gain) for c in causes] == [("auth_expired", 75.0, 3.0), ("network_error", 25.0, 1.0)]


def test_what_next_is_ranked_by_the_days_it_gives_back() -> None:
    days = [MONDAY, MONDAY + timedelta(days=1)]
    fixes = analytics.what_next(
        {("a", 1): (9, []), ("b", 2): (1, days), ("c", 3): (2, days[:1]), ("d", 4): (1, [])}, 40
    )
    assert [(f.code, f.gain) for f in fixes] == [("b", 5.0), ("c", 2.5), ("a", 0.0)]


def test_use_of_workers_and_peak_hours() -> None:
    assert analytics.utilisation(3_600, [(2, 3_600), (2, 3_600)]) == 25.0
    assert analytics.utilisation(0, []) is None
    assert analytics.peak_hours({15: 4, 16: 3, 23: 5}) == (15, 17)
    assert analytics.peak_hours({23: 5, 0: 4, 15: 6}) == (23, 1)
    assert analytics.peak_hours({}) is None


def test_days_of_a_clock_change_have_23_and_25_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    for day, hours in ((date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)):
        since, until = analytics.bounds(day, day, berlin)
        assert (until - since) == timedelta(hours=hours)
    assert analytics.day_of(datetime(2026, 3, 28, 23, 30, tzinfo=UTC), berlin) == date(2026, 3, 29)


def test_periods_end_today() -> None:
    thursday = date(2026, 3, 5)
    assert analytics.period_of("weekly", thursday) == Period(MONDAY, thursday)
    assert analytics.period_of("monthly", thursday) == Period(date(2026, 3, 1), thursday)
    assert len(analytics.period_of("90days", thursday).days) == 90
