"""Which videos are Shorts, by whatever is known of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from forwarder_core.errors import ContractChanged
from forwarder_core.platforms.youtube import shorts
from forwarder_core.platforms.youtube.feed import Entry
from forwarder_core.platforms.youtube.shorts import Form, Forms

ENTRY = Entry(
    id="dQw4w9WgXcQ",
    title="Title",
    description="",
    published_at=datetime(2026, 11, 20, tzinfo=UTC),
    is_short=None,
    views=1,
    likes=None,
)


def video(duration: str = "PT30S", **more: Any) -> dict[str, Any]:
    return {
        "id": "dQw4w9WgXcQ",
        "snippet": {"channelId": "UCx", "publishedAt": "2026-11-20T10:00:00Z", "title": "T", "description": "D"},
        "contentDetails": {"duration": duration},
        "status": {"privacyStatus": "public"},
        **more,
    }


@pytest.mark.parametrize(
    ("said", "form", "expected"),
    [
        (True, None, True),
        (True, Form(30, True), True),  # a wide Short is YouTube's own decision
        (True, Form(600, None), False),
        (None, None, False),
        (None, Form(30, None), True),
        (None, Form(180, False), True),
        (None, Form(181, False), True),  # 180.4 s, rounded
        (None, Form(182, False), False),
        (None, Form(30, True), False),
    ],
)
def test_the_address_tells_else_length_and_shape(said: bool | None, form: Form | None, expected: bool) -> None:
    assert shorts.is_short(replace(ENTRY, is_short=said), form) is expected


@pytest.mark.parametrize(
    ("player", "is_wide"),
    [
        ({"embedWidth": "405", "embedHeight": "720"}, False),
        ({"embedWidth": "720", "embedHeight": "720"}, False),
        ({"embedWidth": "1280", "embedHeight": "720"}, True),
        ({"embedHtml": "<iframe>"}, None),
        ({"embedWidth": "wide", "embedHeight": "720"}, None),
    ],
)
def test_the_players_size_tells_the_shape(player: dict[str, str], is_wide: bool | None) -> None:
    assert shorts.form_of(video(player=player)) == Form(30.0, is_wide)


def test_what_is_live_or_not_processed_has_no_form_yet() -> None:
    assert shorts.form_of(video("P0D")) is None
    assert shorts.form_of(video(snippet={"liveBroadcastContent": "upcoming"})) is None


def test_only_public_videos_of_this_channel_are_shown() -> None:
    assert shorts.is_shown(video(), "UCx")
    assert not shorts.is_shown(video(), "UCy")
    for privacy in ("private", "unlisted"):
        assert not shorts.is_shown(video(status={"privacyStatus": privacy}), "UCx")


def test_a_video_as_a_post_has_the_counts_that_are_told() -> None:
    post = shorts.from_video(video(statistics={"viewCount": "12", "commentCount": "3"}))
    assert (post.caption, post.duration_s, post.views, post.likes, post.comments) == ("T\n\nD", 30.0, 12, None, 3)
    with pytest.raises(ContractChanged):
        shorts.from_video(video(snippet={}))


@pytest.mark.parametrize(
    ("title", "description", "caption"),
    [("T", "", "T"), ("", "D", "D"), ("T", "D", "T\n\nD"), ("Rain", "Rain in the hills", "Rain in the hills")],
)
def test_the_title_is_not_said_twice(title: str, description: str, caption: str) -> None:
    assert shorts.caption_of(title, description) == caption


def test_forms_are_remembered_up_to_a_number() -> None:
    forms = Forms(most=2)
    forms.learn(video() | {"id": f"id{n}"} for n in range(3))
    forms.learn([video("P0D") | {"id": "young"}])
    assert [forms.get(id_) is not None for id_ in ("id0", "id1", "id2", "young")] == [False, True, True, False]
