"""Events beside failures: ratios and chances worked out by hand, and the words for their strength."""

from __future__ import annotations

import pytest

from forwarder_core.domain import coincidences
from forwarder_core.domain.coincidences import Hour, Strength, coincide

CALM = Hour(10, 0)


def hours(length: int, **bad: int) -> list[Hour]:
    made = [CALM] * length
    for at, failed in bad.items():
        made[int(at[1:])] = Hour(10, failed)
    return made


def test_failures_after_every_event_are_strong_evidence() -> None:
    found = coincide("token", [10, 50, 130], hours(200, h10=8, h51=8, h130=8, h170=1))
    assert (found.events, found.followed, found.spikes, found.strength) == (3, 3, 3, Strength.STRONG)
    # 24.5 failures of 90 attempts against 1.5 of 1,910; times or by exp(1.96 × √(1/24.5 + 1/1.5)).
    assert found.ratio == pytest.approx((24.5 / 90) / (1.5 / 1_910), rel=0.001)
    assert found.low == pytest.approx(found.ratio / 5.2002, rel=0.01)
    assert found.high == pytest.approx(found.ratio * 5.2002, rel=0.01)
    # No shift but the real one, and the two that still keep every failure in its three hours.
    assert found.p == pytest.approx(2 / 200)


def test_events_without_failures_are_no_evidence() -> None:
    found = coincide("setting", [10, 50, 130], hours(200, h90=8, h91=8))
    assert (found.followed, found.strength) == (0, Strength.NONE) and found.p == 1.0


def test_two_events_are_too_few_to_say() -> None:
    assert coincide("release", [10, 50], hours(200, h10=8, h50=8)).strength is Strength.TOO_FEW


def test_without_attempts_or_events_nothing_is_known() -> None:
    found = coincide("proxy", [], hours(24, h3=5))
    assert (found.ratio, found.p, found.strength) == (None, None, Strength.TOO_FEW)
    assert coincide("proxy", [1, 2, 3], [Hour(0, 0)] * 24).ratio is None


def test_an_event_at_the_end_of_the_period_counts_the_hours_there_are() -> None:
    assert coincide("proxy", [23], hours(24, h23=9)).followed == 1


@pytest.mark.parametrize(
    ("hour", "share", "is_spike"), [(Hour(10, 4), 0.04, True), (Hour(10, 2), 0.01, False), (Hour(100, 7), 0.04, False)]
)
def test_a_spike_is_more_than_chance_explains(hour: Hour, share: float, is_spike: bool) -> None:
    assert coincidences.is_spike(hour, share) is is_spike
