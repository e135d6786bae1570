"""Old posts: which of them, in which order, and how they are spread over the days."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder_core.domain.backlog import BacklogRule, OldPost, Order, choose, plan
from forwarder_core.domain.schedules import Window, Windows

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
ALWAYS = Windows()
BERLIN_EVENINGS = Windows(daily=(Window(time(18), time(22)),), zone="Europe/Berlin")


def post(id_: int, days_ago: float, views: int | None = None) -> OldPost:
    return OldPost(id=id_, posted_at=NOW - timedelta(days=days_ago), views=views)


POSTS = [post(1, 30, 5), post(2, 3, 900), post(3, 10), post(4, 1, 50)]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (BacklogRule(), [1, 3, 2, 4]),
        (BacklogRule(order=Order.NEWEST), [4, 2, 3, 1]),
        (BacklogRule(order=Order.TOP), [2, 4, 1, 3]),
        (BacklogRule(newest_n=2), [2, 4]),
        (BacklogRule(newest_n=3, order=Order.TOP), [2, 4, 3]),
        (BacklogRule(from_=date(2026, 4, 24), to=date(2026, 5, 1)), [3, 2]),
        (BacklogRule(to=date(2026, 4, 30)), [1, 3]),
    ],
)
def test_the_rule_says_which_posts_and_in_which_order(rule: BacklogRule, expected: list[int]) -> None:
    assert [chosen.id for chosen in choose(POSTS, rule)] == expected


def test_without_a_number_a_day_all_may_go_at_once_or_when_the_window_opens() -> None:
    assert {turn.not_before for turn in plan(POSTS, BacklogRule(), windows=ALWAYS, now=NOW)} == {NOW}
    opens = datetime(2026, 5, 4, 16, 0, tzinfo=UTC)  # 18:00 in Berlin
    assert {turn.not_before for turn in plan(POSTS, BacklogRule(), windows=BERLIN_EVENINGS, now=NOW)} == {opens}


def test_a_drip_is_spread_evenly_and_begins_now() -> None:
    made = plan(POSTS, BacklogRule(per_day=2), windows=ALWAYS, now=NOW)
    assert [turn.not_before - NOW for turn in made] == [timedelta(hours=h) for h in (0, 12, 24, 36)]


def test_a_drip_within_windows_keeps_to_them_and_to_its_number_a_day() -> None:
    made = plan([post(n, n) for n in range(1, 8)], BacklogRule(per_day=3), windows=BERLIN_EVENINGS, now=NOW)
    days = Counter((turn.not_before + timedelta(hours=2)).date() for turn in made)
    assert list(days.values()) == [3, 3, 1]
    assert made[0].not_before == datetime(2026, 5, 4, 16, 0, tzinfo=UTC)
    assert made[1].not_before - made[0].not_before == timedelta(minutes=80)


@given(
    st.lists(st.tuples(st.floats(0.1, 400), st.none() | st.integers(0, 10**9)), max_size=40),
    st.integers(1, 12),
    st.sampled_from(Order),
    st.sampled_from(["Asia/Kolkata", "Europe/Berlin", "America/New_York"]),
    st.integers(0, 365),
    st.tuples(st.integers(0, 23), st.integers(0, 23)),
)
def test_no_day_ever_has_more_than_its_number_and_no_post_goes_twice_or_too_early(
    facts: list[tuple[float, int | None]], per_day: int, order: Order, zone: str, day: int, hours: tuple[int, int]
) -> None:
    now = NOW + timedelta(days=day)
    posts = [OldPost(id=n, posted_at=now - timedelta(days=ago), views=views) for n, (ago, views) in enumerate(facts)]
    windows = Windows(daily=(Window(time(hours[0]), time(hours[1], 30)),), zone=zone)
    made = plan(posts, BacklogRule(per_day=per_day, order=order), windows=windows, now=now)
    assert sorted(turn.post_id for turn in made) == [p.id for p in posts]
    assert all(turn.not_before >= now and windows.opens_at(turn.not_before) == turn.not_before for turn in made)
    openings = Counter(span.start for turn in made for span in [_span_of(windows, turn.not_before)])
    assert all(count <= per_day for count in openings.values())
    assert [turn.not_before for turn in made] == sorted(turn.not_before for turn in made)


def _span_of(windows: Windows, at: datetime):  # type: ignore[no-untyped-def]
    return next(span for span in windows.spans(at) if span.start <= at < span.end)
