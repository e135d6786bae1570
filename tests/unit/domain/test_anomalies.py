"""Planted anomalies among ordinary days, on histories made anew from a seed; the whole table is `bench.anomalies`."""

from __future__ import annotations

from datetime import date

import pytest

from bench import anomalies as made
from forwarder_core.domain import anomalies
from forwarder_core.domain.anomalies import Kind, Outcome, Week

FAILED, WELL = Outcome("auth_expired"), Outcome()
DAY = date(2026, 3, 2)


def weeks(posts: int = 168, **failed: int) -> list[Week]:
    return [Week(posts, failed) for _ in range(8)]


def test_among_ordinary_days_there_is_no_false_alarm() -> None:
    assert made.false_alarms(2.0, accounts=8) == 0


@pytest.mark.parametrize(("n", "traffic"), [(0, 4.0), (1, 4.0), (2, 16.0), (3, 16.0)])
def test_a_breakdown_of_an_account_with_enough_traffic_is_found_within_two_hours(n: int, traffic: float) -> None:
    waits = made.planted(made.KINDS[n], traffic, 20)
    assert sum(wait is not None and wait <= 2 for wait in waits) >= 19


@pytest.mark.parametrize(
    ("recent", "history", "chance"),
    [
        ([FAILED] * 4, weeks(auth_expired=3, network_error=4), (22 / 1_177) ** 4),
        ([FAILED] * 3, weeks(auth_expired=3, network_error=4), None),
        ([WELL] * 20 + [FAILED] * 2, weeks(auth_expired=0, network_error=7), (1 / 1_177) ** 2),
        ([WELL, FAILED] * 3, weeks(auth_expired=3, network_error=4), None),
        ([FAILED] * 9, weeks()[:3], None),
        ([], weeks(), None),
    ],
    ids=["four in a row", "three", "two of a cause it never had", "every second", "a short history", "nothing"],
)
def test_so_many_failures_are_rarer_than_chance(
    recent: list[Outcome], history: list[Week], chance: float | None
) -> None:
    found = anomalies.success(recent, history)
    assert (found is None) if chance is None else (found is not None and found.chance == pytest.approx(chance, rel=0.2))


def test_one_bad_week_before_hides_no_second_one() -> None:
    history = [*weeks(auth_expired=3)[:7], Week(168, {"auth_expired": 168})]
    found = anomalies.success([FAILED] * 6, history)
    assert found is not None and (found.kind, found.value, found.posts) == (Kind.SUCCESS_DROP, 0.0, 6)
    # (7 × 3 + 1) of (7 × 168 + 1) usually fail.
    assert found.usual == 98.1


def test_silence_is_told_of_where_posts_were_due() -> None:
    now = anomalies.hour_of(DAY, 12)
    hours = {now - 168 * week - back: 10 for week in range(1, 9) for back in range(1, 13)}
    found = anomalies.volume(now, hours)
    assert found is not None and (found.value, found.usual, found.hours) == (0, 120, 12)
    assert anomalies.volume(now, hours | {now - back: 10 for back in range(1, 13)}) is None
    assert anomalies.volume(now, {hour: 1 for hour in hours if now - hour < 168 * 3}) is None


def test_chances_are_those_of_the_tables() -> None:
    assert anomalies.chance_of_so_many(2, 2, 0.1) == pytest.approx(0.01)
    # With hardly more variance than its mean it is Poisson's: exp(-10).
    assert anomalies.chance_of_so_few(0, 10, 10.001) == pytest.approx(4.54e-5, rel=0.01)
    assert anomalies.chance_of_so_few(0, 10, 20) == pytest.approx(2**-10)
