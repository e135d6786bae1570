"""The meter beside a new password."""

from __future__ import annotations

import pytest

from forwarder_core.domain.passwords import Strength, strength


@pytest.mark.parametrize(
    ("password", "found"),
    [
        ("", Strength.WEAK),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", Strength.WEAK),
        ("abcdefghijklmnop", Strength.WEAK),
        ("12345678", Strength.WEAK),
        ("Sunset26!", Strength.GOOD),
        ("harbour7", Strength.FAIR),
        ("Sunset-over-2-harbours!", Strength.STRONG),
    ],
)
def test_repetitions_and_runs_add_nothing(password: str, found: Strength) -> None:
    assert strength(password) is found


def test_the_meter_fills_in_four_steps() -> None:
    assert [one.share for one in Strength] == [0.25, 0.5, 0.75, 1.0]
