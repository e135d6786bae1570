"""Filters and schedules in their stored form: read, written back, and refused by name."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder_core.domain import filter_rules, schedule_rules
from forwarder_core.domain.filters import Filters, catch_up, decide
from forwarder_core.domain.posts import Decision, SeenPost, Verdict

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
MUSIC = {"has_licensed_music": True}


def post(caption: str = "Sunset #Travel #city", hours: float = 0.0, **more: Any) -> SeenPost:
    at = NOW - timedelta(hours=hours)
    return SeenPost(platform_post_id="1", url="https://x.example/1", caption=caption, posted_at=at, **more)


@pytest.mark.parametrize(
    ("stored", "seen", "verdict", "rule", "value"),
    [
        ({"caption_pattern": "x"}, post("no"), "forward", "matches", ""),
        ({"mode": "caption_keywords", "caption_pattern": "sun.et"}, post(), "forward", "matches", ""),
        ({"mode": "caption_keywords", "caption_pattern": "r.in"}, post(), "filtered", "caption_keywords", "/r.in/"),
        ({"excluded_keywords": ["rain", "SUN"]}, post(), "filtered", "caption_excluded", "SUN"),
        ({"excluded_pattern": r"#\w+y\b"}, post(), "filtered", "caption_excluded", r"/#\w+y\b/"),
        ({"hashtags": {"any": ["#travel"]}}, post(), "forward", "matches", ""),
        ({"hashtags": {"any": ["food"]}}, post(), "filtered", "hashtags_any", "none of #food"),
        ({"hashtags": {"all": ["travel", "food"]}}, post(), "filtered", "hashtags_all", "without #food"),
        ({"hashtags": {"none": ["CITY"]}}, post(), "filtered", "hashtags_none", "#CITY"),
        ({"hashtags": {"any": ["trav"]}}, post(), "filtered", "hashtags_any", "none of #trav"),
        ({"duration": {"min_s": 3, "max_s": 60}}, post(duration_s=3), "forward", "matches", ""),
        ({"duration": {"max_s": 60}}, post(duration_s=60.5), "filtered", "duration", "60.5 s"),
        ({"duration": {"max_s": 60}}, post(), "filtered", "duration", "the source does not say"),
        ({"has_audio": True}, post(has_audio=True), "forward", "matches", ""),
        ({"has_audio": True}, post(has_audio=False), "filtered", "has_audio", "has no sound"),
        ({"has_audio": False}, post(), "filtered", "has_audio", "the source does not say"),
        ({"licensed_music": "skip"}, post(**MUSIC), "filtered", "licensed_music", "plays music under licence"),
        ({"licensed_music": "skip"}, post(), "forward", "matches", ""),
        ({"licensed_music": "mute"}, post(**MUSIC), "forward", "matches", "without its sound, which is under licence"),
        ({"age": {"min_h": 5}}, post(hours=4), "held", "min_age_h", "waits until it is 5 h old"),
        ({"age": {"min_h": 5}}, post(hours=5), "forward", "matches", ""),
        ({"popularity": {"min_likes": 9}}, post(hours=23, likes=99), "held", "popularity",
         "counted when it is 24 h old"),
        ({"popularity": {"min_likes": 9}}, post(hours=24, likes=9), "forward", "matches", ""),
        ({"popularity": {"min_views": 9, "min_likes": 1}}, post(hours=24, views=9, likes=0), "filtered", "min_likes",
         "0, wanted 1 after 24 h"),
    ],
)  # fmt: skip
def test_each_rule_decides_and_says_what_it_looked_at(
    stored: dict[str, Any], seen: SeenPost, verdict: str, rule: str, value: str
) -> None:
    made = decide(seen, filter_rules.read(stored), started_at=NOW - timedelta(days=9), now=NOW)
    assert (made.verdict.value, made.rule, made.value) == (verdict, rule, value)


def test_a_held_post_says_until_when() -> None:
    held = decide(
        post(hours=1), filter_rules.read({"popularity": {"after_h": 6, "min_views": 1}}), started_at=NOW, now=NOW
    )
    assert held.verdict is Verdict.BEFORE_START, "old posts are none of it"
    start = NOW - timedelta(days=1)
    held = decide(
        post(hours=1), filter_rules.read({"popularity": {"after_h": 6, "min_views": 1}}), started_at=start, now=NOW
    )
    assert held.until == NOW + timedelta(hours=5)


def test_an_outage_never_takes_old_posts_that_were_asked_for() -> None:
    old, late, fresh = post(hours=400), post(hours=30), post(hours=1)
    rules = filter_rules.read({"include_old_posts": True, "age": {"max_h": 24}})
    posts = {1: old, 2: late, 3: fresh}
    forward = dict.fromkeys(posts, Decision(Verdict.FORWARD, "matches"))
    changed = catch_up(posts, forward, rules, now=NOW, started_at=NOW - timedelta(hours=40))
    assert list(changed) == [2] and changed[2].rule == "max_age_h"


def test_the_words_of_the_functional_specification_are_read_as_written() -> None:
    stored = {"mode": "forward_all_new", "caption_keywords": [], "include_old_posts": False, "date_range": None}
    assert filter_rules.read(stored) == Filters()
    assert filter_rules.read({}) == Filters()


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        ({"date_range": {"from": "2026-05-02", "to": "2026-05-01"}}, "must not be later"),
        ({"caption_pattern": "a(?=b)"}, "looks around"),
        ({"age": {"min_h": 5, "max_h": 5}}, "min_h must be less"),
        ({"duration": {"min_s": "short"}}, "min_s must be a number"),
        ({"hashtags": {"any": ["two words"]}}, "no hashtag"),
        ({"hashtags": ["a"]}, "hashtags must be an object"),
        ({"has_audio": "yes"}, "has_audio must be"),
        ({"licensed_music": "hum"}, "hum"),
        ({"old_posts": {"per_day": 0}}, "per_day must be a whole number from 1"),
        ({"old_posts": {"order": "random"}}, "random"),
        ({"newest_n": 1.5}, "newest_n"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(stored: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        filter_rules.read(stored)


hours = st.none() | st.floats(0, 1_000)
stored_filters = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["forward_all_new", "caption_keywords"]),
        "caption_keywords": st.lists(st.text("ab", min_size=1), max_size=3),
        "caption_pattern": st.none() | st.sampled_from(["a+", "x|y"]),
        "hashtags": st.fixed_dictionaries({}, optional={"any": st.lists(st.sampled_from(["a", "#b"]))}),
        "popularity": st.fixed_dictionaries(
            {}, optional={"after_h": hours, "min_views": st.none() | st.integers(0, 99)}
        ),
        "has_audio": st.none() | st.booleans(),
        "include_old_posts": st.booleans(),
        "date_range": st.none() | st.fixed_dictionaries({"from": st.dates().map(str)}),
        "old_posts": st.fixed_dictionaries({}, optional={"per_day": st.none() | st.integers(1, 9)}),
    },
)


@given(stored_filters)
def test_what_is_read_is_written_back_as_the_same_rules(stored: dict[str, Any]) -> None:
    rules = filter_rules.read(stored)
    assert filter_rules.read(filter_rules.write(rules)) == rules


@given(
    st.lists(st.tuples(st.integers(0, 23), st.integers(0, 59)), max_size=4),
    st.sampled_from(["Asia/Kolkata", "Europe/Berlin", "UTC"]),
    st.sampled_from(["all", "old_posts"]),
)
def test_a_schedule_is_written_back_as_it_was_read(times: list[tuple[int, int]], zone: str, who: str) -> None:
    windows = [{"start": f"{h:02}:{m:02}", "end": f"{(h + 2) % 24:02}:{m:02}"} for h, m in times]
    stored = {"type": "windows" if windows else "continuous", "windows": windows, "timezone": zone, "windows_for": who}
    read = schedule_rules.read(stored)
    assert schedule_rules.read(schedule_rules.write(read)) == read
