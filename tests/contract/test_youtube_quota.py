"""What watching YouTube costs: looks at a channel, counted call by call with the real client.

The looks are the product's own (`services.detection._read` reads pages the same way: until known posts and past the
overlap). The quota of a Google project is 10,000 units a day for everything; a hundred sources share it in
tests/integration/services/test_hundred_sources.py.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forwarder_core.connectors import registry
from forwarder_core.connectors.metering import Metered
from forwarder_core.domain.schedules import DEFAULT_INTERVAL_S
from forwarder_core.platforms.youtube import quota, shorts
from forwarder_core.platforms.youtube.source import YouTubeSource
from forwarder_core.simulator.testing import Simulator
from tests.contract.test_youtube_kit import Channel, channel, video
from tests.contract.test_youtube_source import clip, post

__all__ = ["channel", "clip", "video"]
pytestmark = pytest.mark.slow
LOOKS_A_DAY = int(86_400 / DEFAULT_INTERVAL_S)
OVERLAP = timedelta(hours=48)


def look(channel: Channel, forms: shorts.Forms, known: set[str]) -> int:
    """One look as detection makes it: its cost in units. `known` is what the database knows."""
    source = YouTubeSource(channel.account, channel.box, channel.simulator.exit, forms=forms)
    back_to, following, number = datetime.now(UTC) - OVERLAP, None, 0
    while True:
        page = source.list_posts(following)
        number += 1
        ids = {each.platform_post_id for each in page.posts}
        is_past = all(each.posted_at < back_to for each in page.posts) and (ids <= known or not ids & known)
        known |= ids
        following = page.next
        if following is None or (number >= 2 and is_past):
            break
    assert isinstance(source, Metered)
    return source.meter().units[quota.UNITS]


def test_a_channel_whose_feed_ends_within_the_overlap_still_stays_within_it(
    channel: Channel, clip: Callable[..., Path]
) -> None:
    """More than fifteen Shorts in two days: the playlist is read too, at two units a page and look."""
    forms, known = shorts.Forms(), set[str]()
    for _ in range(17):
        post(channel, clip())
    look(channel, forms, known)
    steady = look(channel, forms, known)
    busy_sources = registry.limits("youtube").quotas["units"] // max(steady * LOOKS_A_DAY, 1)
    assert steady <= 2, "one page of the playlist and its videos"
    assert busy_sources >= 17, "so many such channels one project bears at five minutes; beside them the quiet ones"


def test_two_clients_of_one_project_share_its_allowance() -> None:
    one, two, other = (
        {q.key for q in quota.shared({"client_id": client})}
        for client in ("123-a.apps.example", "123-b.apps.example", "456-c.apps.example")
    )
    assert one == two == {"123"} and other == {"456"}
    assert quota.shared({}) == ()


def test_every_call_that_is_made_is_counted(simulator: Simulator, clip: Callable[..., Path]) -> None:
    channel = Channel(simulator)
    post(channel, clip())
    to = channel.destination()
    to.verify("abcdefghijk")
    calls = len(channel.calls("GET", "/youtube/v3/videos"))
    assert to.meter().units[quota.UNITS] == calls * quota.READ_COST == 1
    assert to.meter().units[quota.UNITS] == 0
