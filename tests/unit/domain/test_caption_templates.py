"""Templates and rules of captions: what a connection adds, takes away and makes safe within the limits."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder_core.domain import caption_rules
from forwarder_core.domain.captions import VARIABLES, CaptionRules, Links, Mentions, Origin, Words, compose, cut
from forwarder_core.domain.graphemes import is_border
from forwarder_core.domain.limits import TextLimits

SHORTS = TextLimits(
    title_chars=100, caption_chars=5_000, tags_chars=500, hashtags=60, forbidden="<>", caption_bytes=5_000
)
REELS = TextLimits(title_chars=0, caption_chars=2_200, tags_chars=0, hashtags=30, forbidden="")
ORIGIN = Origin(
    url="https://www.instagram.com/reel/Abc/",
    handle="harbour.clips",
    platform="Instagram",
    connection="Harbour",
    posted_at=datetime(2026, 5, 4, 23, 30, tzinfo=UTC),
)
FAMILY, ENGLAND, INDIA, E_ACUTE = "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇮🇳", "e\u0301"


def words(text: str, limits: TextLimits = SHORTS, **rules: Any) -> Words:
    return compose(text, limits, fallback_title="Harbour clips", rules=CaptionRules(**rules), origin=ORIGIN)


def test_every_variable_says_what_it_is_said_to_be() -> None:
    template = "|".join(f"{{{name}}}" for name in VARIABLES)
    made = words("Sunset #travel\nSecond line", caption=template)
    assert made.caption == (
        "Sunset #travel\nSecond line|Sunset|#travel|https://www.instagram.com/reel/Abc/|harbour.clips|Instagram"
        "|2026-05-04|Harbour"
    )


def test_braces_in_a_caption_are_never_read_as_a_template() -> None:
    assert words("{source_url} {0} {{x}}", caption="{{ {caption} }}").caption == "{ {source_url} {0} {{x}} }"


def test_a_title_template_keeps_to_the_titles_rules() -> None:
    made = words("Sunset #travel", title="{title} by <{source_handle}>\n#Shorts")
    assert made.title == "Sunset by harbour.clips #Shorts"
    assert words("x" * 200, title="{title}").title == "x" * 99 + "…"
    assert words("", title="{title}").title == "Harbour clips"


def test_the_shorts_tag_ends_the_title_once_whatever_its_length() -> None:
    assert words("Sunset", shorts_tag=True).title == "Sunset #Shorts"
    long = words("word " * 60, shorts_tag=True).title
    assert long.endswith("… #Shorts") and len(long) <= 100
    assert words("Sunset", title="{title} #shorts", shorts_tag=True).title == "Sunset #shorts"
    assert words("Sunset", REELS, shorts_tag=True).title == ""


def test_hashtags_are_added_once_and_removed_in_any_case_of_letters() -> None:
    made = words("Sunset #Travel #ad here #AD", add_hashtags=("travel", "city", "City"), remove_hashtags=("ad",))
    assert made.caption == "Sunset #Travel here\n\n#city"
    assert made.tags == ("Travel", "city")
    assert words("#a b #c", remove_all_hashtags=True, add_hashtags=("x",)).caption == "b\n\n#x"


@pytest.mark.parametrize(
    ("mentions", "expected"),
    [
        (Mentions.KEEP, "With @anna.b and (@bob) at a@b.example, @ home"),
        (Mentions.PLAIN, "With anna.b and (bob) at a@b.example, @ home"),
        (Mentions.STRIP, "With and () at a@b.example, @ home"),
    ],
)
def test_mentions_name_nobody_else_at_the_destination_where_that_is_not_wanted(
    mentions: Mentions, expected: str
) -> None:
    assert words("With @anna.b and (@bob) at a@b.example, @ home", mentions=mentions).caption == expected


def test_links_can_be_left_out() -> None:
    text = "See https://x.example/a?b=1#c and www.y.example now"
    assert words(text, links=Links.STRIP).caption == "See and now"
    assert words(text).caption == text


def test_the_credit_line_is_never_what_a_long_caption_costs() -> None:
    made = words("sunset " * 2_000, REELS, credit="Source: {source_url}")
    assert made.caption.endswith("…\n\nSource: https://www.instagram.com/reel/Abc/")
    assert 2_150 < len(made.caption) <= 2_200
    assert words("", REELS, credit="Source: {source_url}").caption == "Source: https://www.instagram.com/reel/Abc/"


def test_a_description_is_cut_by_its_bytes_where_those_are_counted() -> None:
    made = words("मौसम " * 1_000)
    assert 4_900 < len(made.caption.encode()) <= 5_000 and made.caption.endswith("…")
    credited = words("मौसम " * 1_000, credit="Source: {source_url}")
    assert credited.caption.endswith("/reel/Abc/") and len(credited.caption.encode()) <= 5_000


@pytest.mark.parametrize("grapheme", [FAMILY, ENGLAND, INDIA, E_ACUTE, "👍🏽", "❤️", "कि", "각"])
def test_what_a_reader_sees_as_one_character_is_never_split(grapheme: str) -> None:
    text = grapheme * 30
    for chars in range(2, len(text)):
        kept = cut(text, chars).removesuffix("…")
        assert len(kept) < chars + 1 and kept == grapheme * (len(kept) // len(grapheme))


def test_stored_rules_are_read_and_nonsense_is_refused_with_its_name() -> None:
    made = caption_rules.read(
        {
            "privacy": "public",
            "caption_template": "{caption}",
            "credit_line": True,
            "remove_hashtags": "all",
            "add_hashtags": ["#city"],
            "mentions": "plain",
        }
    )
    assert made.credit == "Source: {source_url}" and made.remove_all_hashtags
    assert made.add_hashtags == ("city",) and made.mentions is Mentions.PLAIN
    assert caption_rules.read({}) == CaptionRules()


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        ({"caption_template": "{nobody}"}, "no variable {nobody}"),
        ({"title_template": "{caption.__class__}"}, "no variable"),
        ({"credit_line": "x" * 5_001}, "at most 5,000"),
        ({"add_hashtags": ["two words"]}, "no hashtag"),
        ({"add_hashtags": "city"}, "must be a list"),
        ({"mentions": "shout"}, "shout"),
    ],
)
def test_a_template_that_makes_no_sense_is_refused(stored: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        caption_rules.read(stored)


odd = ["\x00", "\ud800", "\u202e", "<", "#a", "@b", " ", "\n", "…", FAMILY, INDIA, E_ACUTE, "{caption}", "https://x.y"]
nasty = st.lists(st.sampled_from(odd) | st.text(max_size=12), max_size=60).map("".join)
rules_ = st.builds(
    CaptionRules,
    title=st.sampled_from(["", "{title}", "{caption} {date}"]),
    caption=st.sampled_from(["{caption}", "{hashtags} {caption} {source_url}", "fixed"]),
    credit=st.sampled_from(["", "Source: {source_url}", "{source_handle}"]),
    add_hashtags=st.sampled_from([(), ("x",), ("x", "y", "z")]),
    remove_hashtags=st.sampled_from([(), ("a",)]),
    mentions=st.sampled_from(Mentions),
    links=st.sampled_from(Links),
    shorts_tag=st.booleans(),
)


@given(nasty, rules_, st.integers(12, 300), st.integers(0, 200))
def test_whatever_the_rules_nothing_is_longer_than_its_limit_or_holds_what_is_refused(
    caption: str, rules: CaptionRules, chars: int, max_bytes: int
) -> None:
    limits = replace(SHORTS, title_chars=chars, caption_chars=chars, caption_bytes=max_bytes and max(max_bytes, 8))
    made = compose(caption, limits, fallback_title="x", rules=rules, origin=ORIGIN)
    assert len(made.title) <= chars and len(made.caption) <= chars
    assert not limits.caption_bytes or len(made.caption.encode()) <= limits.caption_bytes
    assert not set(made.title + made.caption) & {"<", ">", "\x00", "\u202e"}


@given(st.lists(st.sampled_from([FAMILY, ENGLAND, INDIA, E_ACUTE, "a", " ", "👍🏽"]), max_size=40), st.integers(2, 60))
def test_a_cut_is_always_made_where_a_character_ends(parts: list[str], chars: int) -> None:
    text = "".join(parts).strip()
    kept = cut(text, chars)
    body = kept.removesuffix("…")
    assert len(kept) <= chars and text.startswith(body) and is_border(text, len(body))
