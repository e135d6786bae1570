"""A channel as a source over real sockets: its Shorts listed by feed and playlist, none missed, none else."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Draft, MediaFile, Page, Source
from forwarder_core.errors import (
    AuthExpired,
    ContractChanged,
    NetworkFailed,
    PlatformTransient,
    ProxyBlocked,
    ProxyFailed,
    RateLimited,
    SourceGone,
    StepFailed,
)
from forwarder_core.platforms.youtube import shorts
from forwarder_core.platforms.youtube.source import YouTubeSource
from forwarder_core.simulator import clips
from forwarder_core.simulator.testing import Simulator
from tests.contract.test_youtube_kit import Channel, Hooks, channel, video

__all__ = ["channel", "video"]
pytestmark = pytest.mark.slow

FEED, PLAYLIST, VIDEOS = "/feeds/videos.xml", "/youtube/v3/playlistItems", "/youtube/v3/videos"


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A small clip, made once for each shape."""
    folder, made = tmp_path_factory.mktemp("shorts"), dict[tuple[Any, ...], Path]()

    def of(seconds: float = 1.0, width: int = 90, height: int = 160) -> Path:
        key = (seconds, width, height)
        if key not in made:
            wanted = clips.Clip(seed=len(made), seconds=seconds, width=width, height=height, fps=5)
            made[key] = clips.make(wanted, folder / f"{len(made)}.mp4")
        return made[key]

    return of


def post(channel: Channel, file: Path, caption: str = "a post", **more: Any) -> str:
    return str(channel.simulator.add_post("youtube", channel.id, caption, file=str(file), **more)["id"])


def source(channel: Channel, **more: Any) -> YouTubeSource:
    """A new one, as a process that has seen nothing yet would have it."""
    return YouTubeSource(channel.account, channel.box, channel.simulator.exit, forms=shorts.Forms(), **more)


def ids(page: Page) -> list[str]:
    return [each.platform_post_id for each in page.posts]


def whole(source: Source) -> list[list[str]]:
    pages, following = [], None
    while True:
        page = source.list_posts(following)
        pages.append(ids(page))
        following = page.next
        if following is None:
            return pages


def test_the_facts_of_a_short_are_told(simulator: Simulator, clip: Callable[..., Path]) -> None:
    channel = Channel(simulator, secrets={"views": "1234", "likes": "56"})
    id_ = post(channel, clip(2.0), "rain in the hills", title="Monsoon")
    page = registry.source(channel.account, channel.box, simulator.exit).list_posts()
    (found,) = page.posts
    assert (found.platform_post_id, found.url) == (id_, f"https://www.youtube.com/shorts/{id_}")
    assert found.caption == "Monsoon\n\nrain in the hills"
    assert (found.duration_s, found.views, found.likes) == (2.0, 1234, 56)
    assert found.posted_at.utcoffset() is not None
    assert page.next is None


def test_a_look_at_a_channel_known_already_costs_no_quota(channel: Channel, clip: Callable[..., Path]) -> None:
    made = [post(channel, clip()) for _ in range(3)]
    forms = shorts.Forms()
    for _ in range(3):
        one = YouTubeSource(channel.account, channel.box, channel.simulator.exit, forms=forms)
        assert ids(one.list_posts()) == made[::-1]
    assert len(channel.calls("GET", FEED)) == 3
    assert len(channel.calls("GET", VIDEOS)) == 1
    assert not channel.calls("GET", PLAYLIST)


def test_long_and_wide_videos_are_no_shorts(simulator: Simulator, clip: Callable[..., Path]) -> None:
    channel = Channel(simulator, secrets={"watch_links": "all"})
    short, _long, _wide = (
        post(channel, clip()),
        post(channel, clip(190.0, 64, 64)),
        post(channel, clip(1.0, 160, 90)),
    )
    assert whole(source(channel)) == [[short]]


@pytest.mark.parametrize("more", [{}, {"no_shorts_list": "yes"}])
def test_what_the_feed_does_not_reach_is_in_the_playlist(
    simulator: Simulator, clip: Callable[..., Path], more: dict[str, str]
) -> None:
    channel = Channel(simulator, secrets=more)
    made = [post(channel, clip()) for _ in range(18)][::-1]
    post(channel, clip(1.0, 160, 90))
    pages = whole(source(channel))
    assert pages[0] + pages[1] == made[:14]  # the fifteenth entry is the wide one
    assert len(pages[1]) == 1
    assert pages[2] == made
    assert len(channel.calls("GET", PLAYLIST)) == (2 if more else 1)


def test_a_page_means_the_same_to_another_process(channel: Channel, clip: Callable[..., Path]) -> None:
    made = [post(channel, clip()) for _ in range(15)][::-1]
    first = source(channel).list_posts()
    assert ids(first) == made[:-1]
    second = source(channel).list_posts(first.next)
    assert (ids(second), second.next) == (made[-1:], "list")
    newer = post(channel, clip())  # and the feed has lost its oldest
    assert ids(source(channel).list_posts(first.next)) == [newer, *made]
    with pytest.raises(ContractChanged):
        source(channel).list_posts("UUsomeone-else:P50")


def test_a_channel_without_a_sign_in_is_read_by_its_feed_alone(channel: Channel, clip: Callable[..., Path]) -> None:
    short, _wide = post(channel, clip()), post(channel, clip(1.0, 160, 90))
    channel.box.secrets = {}
    (found,) = source(channel).list_posts().posts
    assert (found.platform_post_id, found.duration_s) == (short, None)
    with pytest.raises(AuthExpired, match="not signed in"):
        source(channel).list_posts("list")


def test_without_a_feed_the_playlist_is_asked(channel: Channel, clip: Callable[..., Path]) -> None:
    id_ = post(channel, clip())
    channel.simulator.arm("http_5xx", match={"platform": "youtube", "route": FEED})
    assert whole(source(channel)) == [[id_]]
    channel.box.secrets = {}
    channel.simulator.arm("http_5xx", match={"platform": "youtube", "route": FEED})
    with pytest.raises(PlatformTransient):
        source(channel).list_posts()


def test_a_channel_that_is_not_there_is_gone(channel: Channel) -> None:
    channel.account = replace(channel.account, handle="UCnobodynobodynobodyno")
    with pytest.raises(SourceGone):
        source(channel).list_posts()


def test_private_and_unlisted_videos_are_not_listed(
    channel: Channel, clip: Callable[..., Path], video: Callable[[int], MediaFile]
) -> None:
    media, destination = video(3_000_000), channel.destination()
    for privacy in ("private", "unlisted"):
        hidden = Draft(title=privacy, caption="", privacy=privacy)
        destination.send(destination.open(hidden, media), hidden, media, Hooks())
    public = post(channel, clip())
    time.sleep(1.1)  # the simulated YouTube takes a second to process an upload
    assert whole(source(channel)) == [[public]]
    assert ids(source(channel).list_posts("list")) == [public]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("http_429", RateLimited),
        ("http_403", ProxyBlocked),
        ("html_200", ContractChanged),
        ("empty_200", ContractChanged),
        ("wrong_json", ContractChanged),
        ("truncated", NetworkFailed),
    ],
)
def test_an_odd_feed_raises_and_is_never_empty(
    channel: Channel, clip: Callable[..., Path], fault: str, expected: type[StepFailed]
) -> None:
    channel.simulator.arm(fault, match={"platform": "youtube", "route": FEED}, retry_after=7)
    with pytest.raises(expected) as caught:
        source(channel).list_posts()
    if expected is RateLimited:
        assert caught.value.retry_after_s == 7


def test_a_proxys_refusal_is_the_proxys(channel: Channel, simulator: Simulator) -> None:
    proxy = simulator.open_proxy(username="worker", password="right")
    wrong = simulator.exit_through(f"http://worker:wrong@{proxy['host']}:{proxy['port']}")
    with pytest.raises(ProxyFailed):
        YouTubeSource(channel.account, channel.box, wrong).list_posts()
