"""A person's regular expressions: they mean what Python's mean, and none of them can take long."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forwarder_core.domain import patterns

HARMLESS = [
    "tech|AI",
    r"^\d{2,3} days?$",
    r"\bsale\b",
    "[^a-c]x",
    "(?:ab)+c",
    "a.c",
    r"#\w+",
    "a??b",
    r"\Aone",
    r"two\Z",
]
TEXTS = [
    "",
    "Tech news",
    "about ai and more",
    "10 days",
    "first\n100 day\nlast",
    "no sale.",
    "wholesales",
    "ax dx",
    "ababc",
    "a\nc abc",
    "price #now",
    "ÀÉ one two",
    "one two",
]


@pytest.mark.parametrize("pattern", HARMLESS)
@pytest.mark.parametrize("text", TEXTS)
def test_a_pattern_finds_what_pythons_own_engine_finds(pattern: str, text: str) -> None:
    expected = re.search(pattern, text, re.IGNORECASE | re.MULTILINE) is not None
    assert patterns.read(pattern).is_in(text) == expected


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(a|aa)+$", "(.*)*x", "a*a*a*a*a*a*b", "(?:a?){30}a{30}c"])
def test_what_makes_other_engines_hang_is_answered_at_once(pattern: str) -> None:
    began = time.process_time()
    assert not patterns.read(pattern).is_in("a" * 2_200 + "!")
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "1 to 200"),
        ("a" * 201, "1 to 200"),
        ("(", "no regular expression"),
        ("*a", "no regular expression"),
        (r"(a)\1", "refers back"),
        ("(?=a)", "looks around"),
        ("(?<!a)b", "looks around"),
        ("((a{1,50}){1,50}){1,50}", "repeats too much"),
        ("a{4000}", "repeats too much"),
        ("(?x: a )", "changes flags"),
    ],
)
def test_what_cannot_be_matched_in_bounded_time_is_refused_with_a_reason(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        patterns.read(pattern)


pieces = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\w", r"\d", r"\s", r"\b", "^", "$", "A", "c"])
grown = st.recursive(
    pieces,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{1,2}", "{2}", "*?"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=400)
@given(grown, st.text("abcA 1\n_", max_size=9))
def test_any_pattern_agrees_with_pythons_own_engine(pattern: str, text: str) -> None:
    expected = re.search(pattern, text, re.IGNORECASE | re.MULTILINE) is not None
    assert patterns.read(pattern).is_in(text) == expected


@given(st.text(max_size=30), st.text(max_size=30))
def test_whatever_is_typed_is_refused_with_a_sentence_or_answers(pattern: str, text: str) -> None:
    try:
        made = patterns.read(pattern)
    except ValueError as e:
        assert str(e)
        return
    assert made.is_in(text) in (True, False)
