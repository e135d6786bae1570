"""The files of Shorts, fetched by an unmodified yt-dlp over real sockets: whole, through the proxy, or not at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from forwarder_core.connectors.base import Draft, MediaFile
from forwarder_core.egress import Exit, ProxyAddress
from forwarder_core.errors import (
    BotCheck,
    GeoBlocked,
    LocalFailed,
    MediaRejected,
    NetworkFailed,
    PlatformTransient,
    ProxyFailed,
    RateLimited,
    SourceGone,
    SourceLoginRequired,
    StepFailed,
)
from forwarder_core.platforms.youtube.download import DownloadLimits
from forwarder_core.platforms.youtube.source import YouTubeSource
from forwarder_core.simulator.testing import Simulator, eventually
from tests.contract.test_youtube_kit import Channel, Hooks, channel, draft, video

__all__ = ["channel", "draft", "video"]
pytestmark = pytest.mark.slow

WATCH, PLAYER, FILES = "/watch", "/youtubei/v1/player", "/videoplayback"


@pytest.fixture
def post(channel: Channel, video: Callable[[int], MediaFile]) -> dict[str, Any]:
    """A Short of three megabytes."""
    return channel.simulator.add_post("youtube", channel.id, "a post", file=str(video(3_000_000).path))


def fetch(
    channel: Channel, id_: str, into: Path, exit_: Exit | None = None, **limits: Any
) -> tuple[Any, list[tuple[int, int | None]]]:
    told: list[tuple[int, int | None]] = []
    one = YouTubeSource(channel.account, channel.box, exit_ or channel.simulator.exit, limits=DownloadLimits(**limits))
    return one.fetch(id_, into, lambda done, total: told.append((done, total))), told


def file_requests(simulator: Simulator) -> list[dict[str, Any]]:
    return [each for each in simulator.requests() if each["path"] == FILES]


def children() -> list[psutil.Process]:
    return [
        each
        for each in psutil.Process().children(recursive=True)
        if "forwarder_core.platforms.youtube.download_child" in each.cmdline()
    ]


def test_the_file_is_the_one_there_is(channel: Channel, post: dict[str, Any], tmp_path: Path) -> None:
    into = tmp_path / "source.mp4"
    got, told = fetch(channel, post["id"], into)
    assert (got.path, got.size_bytes, got.sha256) == (into, 3_000_000, post["sha256"])
    assert told[-1] == (3_000_000, 3_000_000)
    assert list(tmp_path.iterdir()) == [into]
    assert not channel.failures()


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_every_call_takes_the_proxy_with_its_login(
    channel: Channel, post: dict[str, Any], tmp_path: Path, simulator: Simulator, scheme: str
) -> None:
    proxy = simulator.open_proxy(username="worker", password="p@ss:word")
    address = ProxyAddress(scheme, proxy["host"], proxy["port"], "worker", "p@ss:word")
    fetch(channel, post["id"], tmp_path / "f.mp4", Exit(address, simulator.ca_path))
    mine = [each for each in simulator.requests() if each["account"] == channel.id]
    assert {each["path"] for each in mine} >= {WATCH, PLAYER, FILES}
    assert {(str(each["proxy"]), each["proxy_user"]) for each in mine} == {(str(proxy["id"]), "worker")}


def test_an_address_that_has_expired_is_asked_for_once_more(
    channel: Channel, post: dict[str, Any], tmp_path: Path
) -> None:
    channel.arm("token_expired", FILES)
    got, _ = fetch(channel, post["id"], tmp_path / "f.mp4")
    assert got.sha256 == post["sha256"]
    channel.arm("token_expired", FILES, count=2)
    with pytest.raises(PlatformTransient, match="refuses the address"):
        fetch(channel, post["id"], tmp_path / "g.mp4")
    assert not (tmp_path / "g.mp4").exists()


@pytest.mark.parametrize(
    ("fault", "route", "expected"),
    [
        ("challenge", PLAYER, BotCheck),
        ("http_429", PLAYER, RateLimited),
        ("http_5xx", PLAYER, PlatformTransient),
    ],
)
def test_each_trouble_has_its_class(
    channel: Channel, post: dict[str, Any], tmp_path: Path, fault: str, route: str, expected: type[StepFailed]
) -> None:
    channel.simulator.arm(fault, count=None, match={"platform": "youtube", "route": route})
    with pytest.raises(expected):
        fetch(channel, post["id"], tmp_path / "f.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("why", "expected"),
    [("age_restricted", SourceLoginRequired), ("members_only", SourceLoginRequired), ("geo_blocked", GeoBlocked)],
)
def test_each_refusal_has_its_class(
    channel: Channel, post: dict[str, Any], tmp_path: Path, why: str, expected: type[StepFailed]
) -> None:
    channel.simulator.call("PATCH", f"/accounts/youtube/{channel.id}", json={"secrets": {why: post["id"]}})
    with pytest.raises(expected):
        fetch(channel, post["id"], tmp_path / "f.mp4")
    assert not channel.failures()


def test_private_and_deleted_videos_are_gone(
    channel: Channel, video: Callable[[int], MediaFile], draft: Draft, tmp_path: Path
) -> None:
    private, destination = Draft(title="T", caption="", privacy="private"), channel.destination()
    media = video(3_000_000)
    made = destination.send(destination.open(private, media), private, media, Hooks())
    for id_ in (made.remote_id, "AAAAAAAAAAA"):
        with pytest.raises(SourceGone):
            fetch(channel, id_, tmp_path / "f.mp4")


def test_a_proxys_refusal_is_the_proxys(
    channel: Channel, post: dict[str, Any], tmp_path: Path, simulator: Simulator
) -> None:
    proxy = simulator.open_proxy(username="worker", password="right")
    wrong = simulator.exit_through(f"http://worker:wrong@{proxy['host']}:{proxy['port']}")
    nobody = simulator.exit_through("http://127.0.0.1:9")
    for exit_ in (wrong, nobody):
        with pytest.raises(ProxyFailed):
            fetch(channel, post["id"], tmp_path / "f.mp4", exit_)


def test_a_certificate_of_someone_else_is_refused(channel: Channel, post: dict[str, Any], tmp_path: Path) -> None:
    unknown = Exit(channel.simulator.exit.proxy, None)
    with pytest.raises(NetworkFailed, match="certificate"):
        fetch(channel, post["id"], tmp_path / "f.mp4", unknown)


def test_a_file_larger_than_allowed_is_refused(channel: Channel, post: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(MediaRejected):
        fetch(channel, post["id"], tmp_path / "f.mp4", max_bytes=1_000_000)
    assert list(tmp_path.iterdir()) == []


def test_one_that_takes_too_long_is_killed_and_leaves_nothing(
    channel: Channel, post: dict[str, Any], tmp_path: Path
) -> None:
    channel.simulator.arm("stall", match={"platform": "youtube", "route": FILES})
    with pytest.raises(NetworkFailed, match="longer than"):
        fetch(channel, post["id"], tmp_path / "f.mp4", seconds=2.0)
    assert list(tmp_path.iterdir()) == []
    assert children() == []


def test_whoever_stops_listening_stops_the_download(channel: Channel, post: dict[str, Any], tmp_path: Path) -> None:
    """As the engine does when another worker has taken the job over."""

    def fenced(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    one = YouTubeSource(channel.account, channel.box, channel.simulator.exit)
    with pytest.raises(KeyboardInterrupt):
        one.fetch(post["id"], tmp_path / "f.mp4", fenced)
    assert list(tmp_path.iterdir()) == []
    assert children() == []


WORKER = """
import sys
from pathlib import Path
from forwarder_core.egress import Exit, ProxyAddress
from forwarder_core.platforms.youtube.download import DownloadLimits, Order, fetch
order = Order(video_id=sys.argv[1], into=Path(sys.argv[2]), cookies="", limits=DownloadLimits())
fetch(order, Exit(ProxyAddress.parse(sys.argv[3]), Path(sys.argv[4])), lambda done, total: None)
"""


def test_a_killed_worker_leaves_no_download_behind(channel: Channel, post: dict[str, Any], tmp_path: Path) -> None:
    simulator = channel.simulator
    before = len(file_requests(simulator))
    simulator.arm("stall", match={"platform": "youtube", "route": FILES})
    arguments = [post["id"], str(tmp_path / "f.mp4"), simulator.gateway_url, str(simulator.ca_path)]
    with subprocess.Popen([sys.executable, "-c", WORKER, *arguments]) as worker:
        eventually(lambda: len(file_requests(simulator)) > before, within_s=20)
        downloads = children()
        worker.kill()
    assert len(downloads) == 1
    _, alive = psutil.wait_procs(downloads, timeout=5)
    assert alive == []


def test_one_without_enough_memory_fails_by_itself(channel: Channel, post: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(LocalFailed):
        fetch(channel, post["id"], tmp_path / "f.mp4", memory_bytes=30_000_000)
    assert list(tmp_path.iterdir()) == []


def test_cookies_reach_youtube_and_no_disk(channel: Channel, post: dict[str, Any], tmp_path: Path) -> None:
    channel.box.secrets["cookies"] = "# Netscape HTTP Cookie File\n.youtube.com\tTRUE\t/\tTRUE\t0\tPREF\tf6=40000000\n"
    got, _ = fetch(channel, post["id"], tmp_path / "f.mp4")
    assert got.sha256 == post["sha256"]
    channel.box.secrets["cookies"] = "no cookies"
    with pytest.raises(SourceLoginRequired):
        fetch(channel, post["id"], tmp_path / "g.mp4")
