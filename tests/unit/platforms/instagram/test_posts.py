"""Reading Instagram's JSON: what is there is kept, what is missing stays unknown, what is odd is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from forwarder_core.errors import ContractChanged, SourceGone
from forwarder_core.platforms.instagram.posts import file_url, licensed_music, only_item, page_of, post_of

PK = 4034499346438291456


def media(**changes: Any) -> dict[str, Any]:
    whole = {
        "pk": PK,
        "id": f"{PK}_7",
        "code": "Df9a8enAAAA",
        "taken_at": 1_790_000_000,
        "media_type": 2,
        "product_type": "clips",
        "user": {"pk": 7, "username": "maker"},
        "caption": {"text": "hello ✨"},
        "like_count": 5,
        "comment_count": 2,
        "play_count": 900,
        "has_audio": True,
        "video_duration": 12.345,
        "image_versions2": {"candidates": [{"width": 9, "height": 16, "url": "https://x.cdninstagram.com/a.jpg"}]},
        "video_versions": [
            {"width": 360, "height": 640, "url": "https://x.cdninstagram.com/small.mp4"},
            {"width": 720, "height": 1280, "url": "https://x.cdninstagram.com/big.mp4"},
        ],
    }
    return {name: value for name, value in {**whole, **changes}.items() if value is not ...}


def page(*items: object, **changes: Any) -> dict[str, Any]:
    whole = {"items": list(items), "paging_info": {"more_available": False, "max_id": ""}, "status": "ok"}
    return {**whole, **changes}


def test_a_post_keeps_its_19_digits_as_text() -> None:
    post = post_of(media())
    assert post.platform_post_id == "4034499346438291456"
    assert post.url == "https://www.instagram.com/reel/Df9a8enAAAA/"
    assert post.posted_at == datetime.fromtimestamp(1_790_000_000, UTC)
    assert (post.caption, post.duration_s, post.is_video) == ("hello ✨", 12.345, True)
    assert (post.views, post.likes, post.comments, post.has_audio) == (900, 5, 2, True)


def test_what_instagram_does_not_say_stays_unknown() -> None:
    post = post_of(
        media(play_count=..., like_count=..., comment_count=..., has_audio=..., video_duration=..., caption=None)
    )
    assert (post.views, post.likes, post.comments, post.has_audio, post.duration_s) == (None,) * 5
    assert post.has_licensed_music is None
    assert post.caption == ""


def test_hidden_likes_are_not_a_number() -> None:
    assert post_of(media(like_and_view_counts_disabled=True, like_count=3)).likes is None


def test_a_picture_is_no_video() -> None:
    assert post_of(media(media_type=1, video_versions=...)).is_video is False


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"clips_metadata": {"audio_type": "licensed_music"}}, True),
        ({"clips_metadata": {"music_info": {"music_asset_info": {}}}}, True),
        ({"clips_metadata": {"audio_type": "original_sounds", "music_info": None}}, False),
        ({"clips_metadata": {"original_sound_info": {"audio_asset_id": 1}}}, False),
        ({"clips_music_attribution_info": {"uses_original_audio": False}}, True),
        ({"clips_music_attribution_info": {"uses_original_audio": True}}, False),
        ({"clips_metadata": None}, None),
        ({}, None),
    ],
)
def test_licensed_music_is_told_where_the_answer_tells(facts: dict[str, Any], expected: bool | None) -> None:
    assert licensed_music(facts) is expected


def test_a_page_keeps_instagrams_order_and_cursor() -> None:
    answer = page({"media": media(pk=2, id="2_7")}, {"media": media(pk=3, id="3_7")})
    listed = page_of(answer | {"paging_info": {"more_available": True, "max_id": "QVFE"}})
    assert [post.platform_post_id for post in listed.posts] == ["2", "3"]
    assert listed.next == "QVFE"
    assert page_of(answer | {"paging_info": {"more_available": False, "max_id": "QVFE"}}).next is None


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "",
        {},
        {"status": "ok"},
        page() | {"items": None},
        page() | {"items": {}},
        page() | {"paging_info": None},
        page() | {"paging_info": {"more_available": True}},
        page("text"),
        page({}),
        page({"media": None}),
    ],
)
def test_an_odd_listing_is_never_an_empty_page(answer: object) -> None:
    with pytest.raises(ContractChanged):
        page_of(answer)


def test_the_largest_rendition_is_fetched() -> None:
    assert file_url(media()) == "https://x.cdninstagram.com/big.mp4"


@pytest.mark.parametrize(
    "url",
    ["http://x.cdninstagram.com/a.mp4", "https://169.254.169.254/a", "https://cdninstagram.com.evil.example/a.mp4"],
)
def test_no_file_is_fetched_from_elsewhere(url: str) -> None:
    with pytest.raises(ContractChanged):
        file_url(media(video_versions=[{"width": 1, "height": 1, "url": url}]))


@pytest.mark.parametrize("changes", [{"media_type": 1}, {"media_type": 8}, {"video_versions": []}])
def test_a_post_without_a_video_has_no_file(changes: dict[str, Any]) -> None:
    with pytest.raises(SourceGone):
        file_url(media(**changes))


def test_the_answer_must_be_about_the_post_asked_for() -> None:
    assert only_item({"items": [media()]}, str(PK))["code"] == "Df9a8enAAAA"
    with pytest.raises(SourceGone):
        only_item({"items": []}, str(PK))
    for odd in ({"items": [media(pk=1)]}, {"items": [media(pk=[PK])]}, {"status": "ok"}):
        with pytest.raises(ContractChanged):
            only_item(odd, str(PK))
