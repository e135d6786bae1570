"""Is a post one of ours: only where several signals agree, and never by the newest alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from forwarder_core.domain.echoes import Sent, same_words, why_ours
from forwarder_core.domain.posts import SeenPost

AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
SENT = Sent(
    publication_id=1,
    root_post_id=7,
    marker="fw-0123456789",
    caption="Sunset over the bay #travel",
    duration_ms=6_000,
    committing_at=AT,
)
POST = SeenPost(platform_post_id="9", url="", caption="Sunset over the bay #travel", posted_at=AT, duration_s=6.0)


def test_words_length_and_time_agree() -> None:
    assert why_ours(POST, SENT) == "caption, length and time agree"


@pytest.mark.parametrize(
    "other",
    [
        {"caption": "Sunrise over the bay"},
        {"caption": ""},
        {"duration_s": 9.0},
        {"posted_at": AT - timedelta(minutes=11)},
        {"posted_at": AT + timedelta(hours=7)},
    ],
)
def test_one_signal_against_it_is_enough(other: dict[str, Any]) -> None:
    assert why_ours(replace(POST, **other), SENT) == ""


def test_our_mark_alone_is_proof_for_nobody_else_can_write_it() -> None:
    marked = replace(POST, caption="other words fw-0123456789", posted_at=AT + timedelta(days=2), duration_s=None)
    assert why_ours(marked, SENT) == "it carries our mark"
    assert why_ours(replace(POST, caption="other words"), replace(SENT, marker="")) == ""


def test_where_no_length_is_told_the_time_must_be_close() -> None:
    assert why_ours(replace(POST, duration_s=None), SENT) == "caption and time agree"
    late = replace(POST, duration_s=None, posted_at=AT + timedelta(minutes=20))
    assert why_ours(late, SENT) == ""


@pytest.mark.parametrize(
    ("said", "ours", "same"),
    [
        ("Sunset  over\nthe bay", "sunset over the bay #travel @me https://x.example/1", True),
        ("", "anything", True),
        ("#travel", "#travel", True),
        ("#travel", "#food", False),
        ("Caf\u00e9", "Cafe\u0301", True),
        ("Sunset 1", "Sunset 2", False),
    ],
)
def test_what_words_are_the_same(said: str, ours: str, same: bool) -> None:
    assert same_words(said, ours) is same
