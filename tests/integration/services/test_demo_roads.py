"""The demo's roads: the six it shows, and those whose ends are folders of this machine, where nothing is simulated."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from forwarder_core.clock import SystemClock
from forwarder_core.errors import Invalid
from forwarder_core.platforms.library.source import LibrarySource
from forwarder_core.services import connections, detection
from forwarder_core.services.context import Core
from forwarder_core.simulator import clips, demo
from forwarder_core.simulator.client import ControlClient
from forwarder_core.simulator.demo import Road
from tests.factories import core_on, emptied

pytestmark = pytest.mark.slow
NO_WORLD = ControlClient("http://127.0.0.1:9/__control")


def test_six_roads_are_shown_and_each_can_be_asked_for_by_its_name() -> None:
    names = [road.name for road in demo.ROADS]
    assert names == [
        "instagram_to_youtube",
        "instagram_to_youtube_graph_api",
        "youtube_to_instagram_private",
        "youtube_to_instagram_graph_api",
        "library_to_youtube",
        "instagram_to_archive",
    ]
    assert [Road.parse(f"{road.source}_to_{road.destination}", road.method) for road in demo.ROADS] == [*demo.ROADS]
    with pytest.raises(Invalid, match="cannot be a source"):
        Road.parse("archive_to_library")


def test_a_road_between_two_folders_is_laid_once_and_takes_a_made_clip_or_a_file(
    core: Core, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LibrarySource.__init__, "__kwdefaults__", {"clock": None, "settle_s": 0.0, "pause": time.sleep})
    core = core_on(emptied(core.engine), SystemClock(), tmp_path / "home")
    road = Road.parse("library_to_archive")
    connection = demo.ensure_connection(core, NO_WORLD, road)
    assert demo.ensure_connection(core, NO_WORLD, road) == connection
    file = clips.make(clips.Clip(seed=3, seconds=1, width=144, height=256), tmp_path / 'a "clip", mine.mp4')
    made = [
        demo.new_post(core, NO_WORLD, connection, road, number=number, video=video)
        for number, video in ((1, None), (2, file))
    ]
    assert [post["url"] for post in made] == ["library:clip-1.mp4", "library:clip-2.mp4"]
    assert len(detection.poll_now(core, connection.source_account_id).jobs) == 2
    seen = {post.post.platform_post_id: post.post for post, _ in connections.seen_posts(core, connection.id)}
    assert seen.keys() == {post["id"] for post in made}
    assert all("#" in post.caption and post.posted_at <= datetime.now(UTC) for post in seen.values())
    with pytest.raises(Invalid):
        demo.new_post(core, NO_WORLD, connection, road, number=3, video=Path(__file__))
