"""What a connection forwards and what it leaves, and the reason it gives: the first rule that speaks decides."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder_core.domain.filters import FilterMode, Filters, decide
from forwarder_core.domain.posts import Decision, SeenPost, Verdict

START = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
OLD = Filters(include_old_posts=True)
RANGE = Filters(include_old_posts=True, old_from=date(2026, 3, 1), old_to=date(2026, 3, 31))
WORDS = Filters(mode=FilterMode.KEYWORDS, caption_keywords=("Sunset", "straße"))


def post(at: datetime = START, caption: str = "", **more: Any) -> SeenPost:
    return SeenPost(platform_post_id="1", url="https://x.example/1", caption=caption, posted_at=at, **more)


def march(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seen", "filters", "verdict", "rule"),
    [
        (post(START), Filters(), Verdict.FORWARD, "matches"),
        (post(START + timedelta(days=9)), Filters(), Verdict.FORWARD, "matches"),
        (post(START - timedelta(seconds=1)), Filters(), Verdict.BEFORE_START, "posted_before_start"),
        (post(START - timedelta(days=900)), OLD, Verdict.FORWARD, "matches"),
        (post(march(1, 0)), RANGE, Verdict.FORWARD, "matches"),
        (post(march(31, 23)), RANGE, Verdict.FORWARD, "matches"),
        (post(march(1, 0) - timedelta(seconds=1)), RANGE, Verdict.FILTERED, "date_range"),
        (post(datetime(2026, 4, 1, tzinfo=UTC)), RANGE, Verdict.FILTERED, "date_range"),
        (post(START), RANGE, Verdict.FORWARD, "matches"),
        (post(START, is_video=False), Filters(), Verdict.FILTERED, "not_a_video"),
        (post(START - timedelta(days=1), is_video=False), Filters(), Verdict.FILTERED, "not_a_video"),
        (post(START, "A SUNSET over the bay"), WORDS, Verdict.FORWARD, "matches"),
        (post(START, "Auf der STRASSE"), WORDS, Verdict.FORWARD, "matches"),
        (post(START, "#sunsets"), WORDS, Verdict.FORWARD, "matches"),
        (post(START, "A sunrise"), WORDS, Verdict.FILTERED, "caption_keywords"),
        (post(START, ""), WORDS, Verdict.FILTERED, "caption_keywords"),
        (post(START - timedelta(days=1), "Sunset"), WORDS, Verdict.BEFORE_START, "posted_before_start"),
    ],
)
def test_each_rule_says_what_it_decides(seen: SeenPost, filters: Filters, verdict: Verdict, rule: str) -> None:
    decision = decide(seen, filters, started_at=START)
    assert (decision.verdict, decision.rule) == (verdict, rule)


def test_a_refusal_keeps_the_value_it_looked_at() -> None:
    before = post(START - timedelta(minutes=1))
    assert decide(before, Filters(), started_at=START).value == before.posted_at.isoformat()
    assert decide(post(march(1) - timedelta(days=1)), RANGE, started_at=START).value == "2026-02-28"
    assert decide(post(), WORDS, started_at=START).value == "Sunset, straße"


def test_an_open_end_of_the_range_lets_everything_on_that_side_through() -> None:
    until = Filters(include_old_posts=True, old_to=date(2026, 3, 31))
    since = Filters(include_old_posts=True, old_from=date(2026, 3, 1))
    assert decide(post(datetime(1999, 1, 1, tzinfo=UTC)), until, started_at=START).verdict is Verdict.FORWARD
    assert decide(post(START - timedelta(hours=1)), since, started_at=START).verdict is Verdict.FORWARD


def test_keywords_are_looked_at_only_in_their_mode() -> None:
    filters = Filters(caption_keywords=("sunset",))
    assert decide(post(START, "a sunrise"), filters, started_at=START) == Decision(Verdict.FORWARD, "matches")


@given(
    st.integers(-400, 400).map(lambda hours: START + timedelta(hours=hours)),
    st.text(max_size=60),
    st.builds(
        Filters,
        mode=st.sampled_from(FilterMode),
        caption_keywords=st.lists(st.text(min_size=1, max_size=5), max_size=3).map(tuple),
        include_old_posts=st.booleans(),
        old_from=st.none() | st.dates(),
        old_to=st.none() | st.dates(),
    ),
)
def test_every_post_gets_one_decision_and_no_old_one_passes_unasked(
    at: datetime, caption: str, filters: Filters
) -> None:
    decision = decide(post(at, caption), filters, started_at=START)
    assert decision.rule and (decision.verdict is Verdict.FORWARD) == (decision.rule == "matches")
    if at < START and not filters.include_old_posts:
        assert decision.verdict is Verdict.BEFORE_START
    if decision.verdict is Verdict.FORWARD and filters.mode is FilterMode.KEYWORDS:
        assert any(word.casefold() in caption.casefold() for word in filters.caption_keywords)
