"""A draft becomes the body of videos.insert within YouTube's limits, or is refused before any call."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder_core.connectors.base import Draft
from forwarder_core.errors import MetadataRejected
from forwarder_core.platforms.youtube.metadata import TAGS_CHARS, body, clipped, fitting_tags, is_on

DRAFT = Draft(title="A title", caption="A caption #one", tags=("one", "two words"), marker="fw-0123456789")


def test_the_body_holds_words_switches_and_the_hidden_marker() -> None:
    options = {"category_id": "24", "language": "hi", "made_for_kids": "true", "contains_synthetic_media": "true"}
    assert body(replace(DRAFT, privacy="unlisted", options=options)) == {
        "snippet": {
            "title": "A title",
            "description": "A caption #one",
            "tags": ["fw-0123456789", "one", "two words"],
            "categoryId": "24",
            "defaultLanguage": "hi",
            "defaultAudioLanguage": "hi",
        },
        "status": {"privacyStatus": "unlisted", "selfDeclaredMadeForKids": True, "containsSyntheticMedia": True},
    }


def test_nothing_is_said_that_was_not_asked_for() -> None:
    assert body(DRAFT)["status"] == {"privacyStatus": "public", "selfDeclaredMadeForKids": False}
    assert body(replace(DRAFT, marker="", tags=()))["snippet"]["tags"] == []


@pytest.mark.parametrize(
    "draft",
    [
        replace(DRAFT, title=""),
        replace(DRAFT, title="  "),
        replace(DRAFT, title="x" * 101),
        replace(DRAFT, title="a < b"),
        replace(DRAFT, caption="a > b"),
        replace(DRAFT, privacy="secret"),
    ],
)
def test_what_youtube_would_refuse_is_refused_before_any_call(draft: Draft) -> None:
    with pytest.raises(MetadataRejected):
        body(draft)


def test_a_title_is_counted_in_characters() -> None:
    assert body(replace(DRAFT, title="ह" * 100))["snippet"]["title"] == "ह" * 100


def test_a_description_is_cut_by_bytes_and_never_within_a_character() -> None:
    description = body(replace(DRAFT, caption="ह" * 5000))["snippet"]["description"]
    assert description == "ह" * 1666


@given(st.text(), st.integers(0, 60))
def test_a_clipped_text_fits_and_is_a_beginning(text: str, room: int) -> None:
    cut = clipped(text, room)
    assert len(cut.encode()) <= room
    assert text.startswith(cut)


@given(st.lists(st.text("ab <", max_size=60), max_size=40))
def test_tags_fit_and_the_marker_is_always_among_them(tags: list[str]) -> None:
    kept = fitting_tags(["fw-0123456789", *tags])
    assert kept[0] == "fw-0123456789"
    assert len(kept) == len(set(kept))
    assert sum(len(tag) + (2 if " " in tag else 0) for tag in kept) + len(kept) - 1 <= TAGS_CHARS
    assert not any("<" in tag for tag in kept)


@pytest.mark.parametrize(("value", "on"), [("true", True), ("1", True), ("YES", True), ("false", False), ("", False)])
def test_switches_are_text(value: str, on: bool) -> None:
    assert is_on(replace(DRAFT, options={"notify_subscribers": value}), "notify_subscribers", default=True) is on
    assert is_on(DRAFT, "notify_subscribers", default=True)
