"""Chances are those of the tables."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forwarder_core.domain import chances


def test_chances_are_those_of_the_tables() -> None:
    # Of a share learnt from very many it is the binomial's; from none but a guess, it is even.
    assert chances.of_so_many(2, 2, 0.1, 1e6) == pytest.approx(0.01, rel=1e-3)
    assert chances.of_so_many(3, 4, 0.5, 1e6) == pytest.approx(5 / 16, rel=1e-3)
    assert chances.of_so_many(1, 1, 0.5, 2) == pytest.approx(0.5)
    # With hardly more variance than its mean it is Poisson's: exp(-10).
    assert chances.of_so_few(0, 10, 10.001) == pytest.approx(4.54e-5, rel=0.01)
    assert chances.of_so_few(0, 10, 20) == pytest.approx(2**-10)
    assert chances.of_more(1, 2.0) == pytest.approx(1 - 0.1353, abs=1e-4)
    assert chances.of_more(0, 0.0) == 1.0 and chances.of_more(1, 0.0) == 0.0


def test_the_robust_score_heeds_no_outlier() -> None:
    assert chances.score(0, [10, 10, 11, 9, 10, 1_000], floor=1.0) == pytest.approx(-10, abs=0.1)


@settings(max_examples=50, deadline=None)
@given(total=st.integers(1, 60), bad=st.integers(0, 60), share=st.floats(0.001, 0.999), seen=st.floats(1, 1e5))
def test_more_failures_are_rarer_and_a_share_of_few_is_trusted_less(
    total: int, bad: int, share: float, seen: float
) -> None:
    bad = min(bad, total)
    chance = chances.of_so_many(bad, total, share, seen)
    assert 0 <= chance <= 1 and chances.of_so_many(bad + 1, total + 1, share, seen) <= chance + 1e-9
    if bad == total > 1:
        assert chance >= chances.of_so_many(bad, total, share, 10 * seen) - 1e-12
