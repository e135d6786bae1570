"""From the source's words to the destination's: within its limits, free of what it refuses, cut where a word ends."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder_core.domain.captions import Words, compose, cut
from forwarder_core.domain.limits import TextLimits

SHORTS = TextLimits(title_chars=100, caption_chars=5_000, tags_chars=500, hashtags=60, forbidden="<>")
REELS = TextLimits(title_chars=0, caption_chars=2_200, tags_chars=0, hashtags=30, forbidden="")
HASHTAG = re.compile(r"(?<![\w#])#\w+")
REVERSING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def words(caption: str, limits: TextLimits = SHORTS) -> Words:
    return compose(caption, limits, fallback_title="Harbour clips")


def test_an_ordinary_caption_gives_title_caption_and_tags() -> None:
    made = words("Sunset over the harbour #travel #city\nSecond line, see you there #city")
    assert made.title == "Sunset over the harbour"
    assert made.caption == "Sunset over the harbour #travel #city\nSecond line, see you there #city"
    assert made.tags == ("travel", "city")


@pytest.mark.parametrize("caption", ["", "   ", "\n\n", "#only #hashtags", "<>", "\x00", "\u202e", "\ud800"])
def test_where_the_caption_has_no_words_for_a_title_the_fallback_is_it(caption: str) -> None:
    assert words(caption).title == "Harbour clips"


def test_a_destination_without_titles_and_tags_gets_none() -> None:
    made = words("Sunset #travel", REELS)
    assert (made.title, made.tags, made.caption) == ("", (), "Sunset #travel")


def test_characters_the_destination_refuses_are_dropped_everywhere() -> None:
    made = compose("a <b>bold</b> claim #x<y", SHORTS, fallback_title="<>")
    assert made == Words("a bbold/b claim", "a bbold/b claim #xy", ("xy",))
    assert compose("", SHORTS, fallback_title="<My> channel").title == "My channel"


@pytest.mark.parametrize("bad", ["\x00", "\x07", "\x1b", "\x7f", "\ud83d", "\udfff", *REVERSING])
def test_a_character_no_platform_or_database_takes_is_dropped(bad: str) -> None:
    made = words(f"Sun{bad}set #ci{bad}ty")
    assert made == Words("Sunset", "Sunset #city", ("city",))


def test_line_breaks_and_emoji_survive() -> None:
    text = "Été 🏄‍♀️ at the coast\r\n\r\nمرحبا שלום"
    assert words(text).caption == "Été 🏄‍♀️ at the coast\n\nمرحبا שלום"
    assert words(text).title == "Été 🏄‍♀️ at the coast"


def test_a_long_line_is_cut_at_the_end_of_a_word() -> None:
    title = words("word " * 40).title
    assert title == ("word " * 19).strip() + "…" and len(title) <= 100


def test_one_endless_word_is_cut_where_the_room_ends() -> None:
    assert words("w" * 300).title == "w" * 99 + "…"


def test_a_text_that_fits_exactly_is_not_cut() -> None:
    assert cut("w" * 100, 100) == "w" * 100
    assert cut("  padded  ", 6) == "padded"


def test_five_hundred_hashtags_become_as_many_as_are_allowed_and_the_rest_words() -> None:
    made = words(" ".join(f"#tag{n}" for n in range(500)), REELS)
    assert len(HASHTAG.findall(made.caption)) == 30
    assert "#tag29 tag30" in made.caption


def test_tags_fill_their_room_first_ones_first_and_none_twice() -> None:
    made = words(" ".join(f"#tag{n:03}" for n in range(500)) + " #tag000")
    assert made.tags[:2] == ("tag000", "tag001")
    assert len(",".join(made.tags)) <= 500 < len(",".join(made.tags)) + 14
    assert len(set(made.tags)) == len(made.tags)


def test_a_hundred_thousand_characters_are_cut_and_do_not_take_long() -> None:
    made = words("sunset #travel " * 7_000)
    assert len(made.caption) <= 5_000 and made.caption.endswith("…") and made.tags == ("travel",)


limits_ = st.builds(
    TextLimits,
    title_chars=st.integers(1, 120),
    caption_chars=st.integers(1, 300),
    tags_chars=st.integers(0, 80),
    hashtags=st.integers(1, 8),
    forbidden=st.sampled_from(["", "<>", "<>|"]),
)
odd = ["\x00", "\ud800", "\udc00", "\u202e", "\u2069", "<", ">", "#", "#a", " #b", " ", "\n", "\r", "…"]
nasty = st.lists(st.sampled_from(odd) | st.text(max_size=12), max_size=60).map("".join)


@given(nasty, nasty, limits_)
def test_nothing_is_ever_longer_than_its_limit(caption: str, fallback: str, limits: TextLimits) -> None:
    made = compose(caption, limits, fallback_title=fallback)
    assert len(made.title) <= limits.title_chars
    assert len(made.caption) <= limits.caption_chars
    assert len(",".join(made.tags)) <= limits.tags_chars
    assert len(HASHTAG.findall(made.caption)) <= limits.hashtags


@given(nasty, nasty, limits_)
def test_nothing_ever_holds_a_character_that_is_refused(caption: str, fallback: str, limits: TextLimits) -> None:
    made = compose(caption, limits, fallback_title=fallback)
    text = "".join((made.title, made.caption, *made.tags))
    text.encode("utf-8")
    assert not set(text) & {"\x00", *limits.forbidden, *REVERSING}


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf"]), max_size=150))
def test_a_caption_that_fits_and_holds_nothing_odd_is_kept_as_it_is(caption: str) -> None:
    roomy = TextLimits(title_chars=200, caption_chars=200, tags_chars=500, hashtags=200, forbidden="")
    assert compose(caption, roomy, fallback_title="x").caption == caption.strip()
