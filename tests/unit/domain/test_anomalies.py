"""Failures rarer than chance: planted ones on histories made from a seed; the whole table is `bench.anomalies`."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import anomalies as made
from bench import knowable
from forwarder_core.domain import anomalies
from forwarder_core.domain.anomalies import Kind, Outcome, Usual, Week

FAILED, WELL = Outcome("auth_expired"), Outcome()
CODES = ("auth_expired", "network_error", None)


def weeks(posts: int = 168, **failed: int) -> list[Week]:
    return [Week(posts, failed) for _ in range(8)]


def usual(posts: int = 168, **failed: int) -> Usual:
    return Usual(weeks(posts, **failed))


def test_among_ordinary_days_there_is_no_false_alarm() -> None:
    assert made.false_alarms(2.0, 3, seed=7) == 0
    assert made.false_alarms(0.5, 1, seed=7, together=4) == 0


@pytest.mark.parametrize(("n", "traffic"), [(0, 4.0), (1, 4.0), (2, 16.0), (3, 16.0)])
def test_a_breakdown_of_an_account_with_enough_traffic_is_found_within_two_hours(n: int, traffic: float) -> None:
    waits = made.planted(made.KINDS[n], traffic, 10, seed=11)
    assert sum(wait is not None and wait <= 2 for wait in waits) >= 9


@pytest.mark.parametrize(("n", "traffic"), [(0, 0.5), (1, 0.5), (2, 1.0), (3, 2.0)])
def test_what_accounts_share_is_found_where_each_alone_is_too_quiet(n: int, traffic: float) -> None:
    waits = made.planted(made.KINDS[n], traffic, 3, seed=11, together=10)
    assert sum(wait is not None and wait <= 2 for wait in waits) >= 3


@pytest.mark.parametrize(
    ("recent", "history", "chance"),
    [
        ([FAILED] * 4, weeks(auth_expired=3, network_error=4), (24.5 / 1_345) ** 4),
        ([FAILED] * 3, weeks(auth_expired=3, network_error=4), None),
        ([WELL] * 20 + [FAILED] * 2, weeks(auth_expired=0, network_error=7), 0.75 * (1 / 1_345) ** 2),
        ([WELL, FAILED] * 3, weeks(auth_expired=3, network_error=4), None),
        ([FAILED] * 9, weeks()[:3], None),
        ([], weeks(), None),
    ],
    ids=["four in a row", "three", "two of a cause it never had", "every second", "a short history", "nothing"],
)
def test_so_many_failures_are_rarer_than_chance(
    recent: list[Outcome], history: list[Week], chance: float | None
) -> None:
    found = anomalies.success(recent, Usual(history))
    # The share is itself learnt from few: what is rare is a little less rare than by the plain binomial.
    assert (found is None) if chance is None else (found is not None and 0.99 * chance <= found.chance <= 1.4 * chance)


def test_one_bad_week_before_hides_no_second_one() -> None:
    history = [*weeks(auth_expired=3)[:7], Week(168, {"auth_expired": 168})]
    found = anomalies.success([FAILED] * 6, Usual(history))
    assert found is not None and (found.kind, found.value, found.posts) == (Kind.SUCCESS_DROP, 0.0, 6)
    # (7 × 3 + ½) of (7 × 168 + 1) usually fail; a week like the others is not left out: (8 × 3 + ½) of (8 × 168 + 1).
    assert found.usual == 98.2
    assert anomalies.usual_share(weeks(auth_expired=3), "auth_expired") == 24.5 / 1_345


def test_who_posts_twice_as_often_must_show_something_twice_as_rare() -> None:
    recent = [FAILED] * 3
    assert anomalies.success(recent, usual(40, auth_expired=0, network_error=1)) is not None
    assert anomalies.success(recent, usual(4_000, auth_expired=60, network_error=40)) is None


@settings(max_examples=50, deadline=None)
@given(recent=st.lists(st.sampled_from(CODES), max_size=30), failing=st.integers(0, 20))
def test_one_more_failure_is_never_less_alarming(recent: list[str | None], failing: int) -> None:
    before = usual(168, auth_expired=failing, network_error=2)
    found = anomalies.success([Outcome(code) for code in recent], before)
    more = anomalies.success([Outcome(code) for code in [*recent, "auth_expired"]], before)
    assert found is None or found.chance <= 0.003 / before.posts_a_month
    if found is not None and found.code in (None, "auth_expired"):
        assert more is not None and more.chance <= found.chance


@settings(max_examples=50, deadline=None)
@given(recent=st.lists(st.sampled_from(CODES), min_size=1, max_size=30))
def test_a_post_that_went_well_never_raises_an_alarm(recent: list[str | None]) -> None:
    before = usual(168, auth_expired=3, network_error=2)
    if anomalies.success([Outcome(code) for code in recent], before) is None:
        assert anomalies.success([Outcome(code) for code in [*recent, None]], before) is None


@settings(max_examples=50, deadline=None)
@given(failed=st.lists(st.integers(1, 5), min_size=1, max_size=20))
def test_what_is_shared_is_never_the_trouble_of_one(failed: list[int]) -> None:
    """Four failures of one among many that went well are its own; of several they are everybody's."""
    before = {id_: usual(40, auth_expired=1) for id_ in range(1, 6)}
    found = anomalies.shared([Outcome("auth_expired", id_) for id_ in failed], before)
    if len(set(failed)) == 1:
        assert found is None
    elif found is not None:
        assert found.kind is Kind.SUCCESS_DROP and len(set(failed[-found.posts :])) > 1


def test_no_rule_finds_what_cannot_be_known() -> None:
    """The best test there is: nothing to find before posts are due, everything once enough of them are."""
    assert knowable.of_silence(2.0, 0.0) < 0.01 and knowable.of_silence(16.0, 0.0) == pytest.approx(1)
    assert knowable.of_failures(1.0, 0.04, 1.0) < 0.3 and knowable.of_failures(30.0, 0.04, 1.0) > 0.999
    assert knowable.of_failures(8.0, 0.04, 0.04) == pytest.approx(1 / 16_800, rel=0.01), (
        "nothing planted, nothing found"
    )
