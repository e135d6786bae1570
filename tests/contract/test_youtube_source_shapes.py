"""The calls of the source against the vendor's own description of them, and what a day of looking costs."""

from __future__ import annotations

from forwarder_core.platforms.youtube import shorts
from tests.contract.test_youtube_shapes import DOCUMENT, Recorder, check, recorder

__all__ = ["recorder"]


def test_the_look_up_of_lengths_and_shapes_is_as_described(recorder: Recorder) -> None:
    recorder.videos([f"id{n}" for n in range(50)], shorts.PARTS, max_height=shorts.MAX_HEIGHT)
    recorder.list_playlist("UUSHx", "next")
    videos, playlist = recorder.sent
    assert check(videos, "videos", "list")["maxHeight"] == [str(shorts.MAX_HEIGHT)]
    assert check(playlist, "playlistItems", "list")["maxResults"] == ["50"]


def test_every_part_and_field_we_read_is_described() -> None:
    schemas = DOCUMENT["schemas"]
    assert set(shorts.PARTS.split(",")) <= set(schemas["Video"]["properties"])
    assert {"embedWidth", "embedHeight"} <= set(schemas["VideoPlayer"]["properties"])
    assert {"viewCount", "likeCount", "commentCount"} <= set(schemas["VideoStatistics"]["properties"])
    assert "liveBroadcastContent" in schemas["VideoSnippet"]["properties"]
