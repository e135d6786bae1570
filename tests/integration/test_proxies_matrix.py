"""Every client library against everything a proxy can be or do wrong, over HTTP and SOCKS5 proxies of another make.

A working proxy carries the call and nothing else does; a bad one ends it with a class of our own that says what to do.
The environment names another way to the same simulated world, so a library that read it would show in the log; and no
name of a platform is ever looked up here, because that is the proxy's to do.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from forwarder_core.alerts import telegram_way
from forwarder_core.alerts.delivery import Address, NotDelivered, Unreachable
from forwarder_core.alerts.telegram import TelegramSender
from forwarder_core.alerts.text import Message
from forwarder_core.connectors.base import Draft, MediaFile
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit, ProxyAddress, download
from forwarder_core.errors import NetworkFailed, OutcomeUnknown, ProxyFailed, StepFailed
from forwarder_core.platforms.instagram import client as instagram
from forwarder_core.platforms.instagram.auth import secrets_from_form
from forwarder_core.platforms.instagram.destination import InstagramDestination
from forwarder_core.platforms.instagram.errors import translated
from forwarder_core.platforms.instagram.source import InstagramSource
from forwarder_core.platforms.youtube.client import YouTubeClient
from forwarder_core.platforms.youtube.download import DownloadLimits
from forwarder_core.platforms.youtube.source import YouTubeSource
from forwarder_core.platforms.youtube.wire import Timeouts
from forwarder_core.simulator.testing import Simulator
from tests.contract.test_instagram_kit import FAST, Box
from tests.contract.test_youtube_kit import Channel, Hooks, MemoryBox, draft, video
from tests.integration.alerts.outgoing import CHANNEL, TOKEN
from tests.integration.other_proxies import (
    FAULTS,
    behind_gateway,
    faulty,
    own_socks,
    proxy_py,
)

__all__ = ["draft", "video"]
pytestmark = pytest.mark.slow
KINDS = ("http", "socks5")
LOGIN = ("ann", "p@ss:w/rd")
PATIENCE_S = 1.0
UPLOADED = 60_000  # bytes of an upload before the cut
Call = Callable[["World", Exit, Path], None]


@dataclass(frozen=True, slots=True)
class World:
    """The simulated platforms, an account of ours on each, and good proxies of another make by kind and login."""

    simulator: Simulator
    behind: dict[str, Any]
    ports: dict[tuple[str, bool], int]
    person: Account
    secrets: dict[str, str]
    file_url: str
    channel: Channel
    short: dict[str, Any]

    def through(self, kind: str, port: int, login: tuple[str, str] | None = None) -> Exit:
        scheme = "socks5h" if kind == "socks5" else kind
        address = ProxyAddress(scheme, "127.0.0.1", port, *(login or ()))
        return Exit(proxy=address, ca_bundle=self.simulator.ca_path, answer_s=PATIENCE_S)

    def lead(self, host: str, port: int) -> socket.socket:
        return behind_gateway(self.behind["port"])(host, port)


@pytest.fixture(scope="module")
def world(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    simulator.disarm()
    behind = simulator.open_proxy()
    shown = simulator.add_account("instagram", "matrix_person", password="a päss: wörd")
    person = Account(
        id=1, platform="instagram", alias="M", handle="matrix_person", auth_method="private", remote_id=shown["id"]
    )
    reel = simulator.add_post("instagram", "matrix_person", "Sunset", seconds=3, width=144, height=256)
    box = Box(secrets_from_form(shown["credentials"]))
    InstagramSource(person, box, simulator.exit, pace=FAST).list_posts()  # signs in
    shown_url = instagram.build(simulator.exit, box.settings, pace=FAST).media_info_v1(reel["id"]).video_url
    channel = Channel(simulator)
    YouTubeClient(channel.box, simulator.exit).own_channel("id")  # signs in
    short = simulator.add_post("youtube", channel.id, "a short", seconds=3, width=144, height=256)
    with ExitStack() as stack:
        ports = {}
        for login in (None, LOGIN):
            home = tmp_path_factory.mktemp("proxy_py")
            ports["http", login is not None] = stack.enter_context(proxy_py(home, behind["port"], login))
            made = own_socks(behind_gateway(behind["port"]), login)
            ports["socks5", login is not None] = stack.enter_context(made)
        yield World(
            simulator=simulator,
            behind=behind,
            ports=ports,
            person=person,
            secrets=dict(box.secrets),
            file_url=str(shown_url),
            channel=channel,
            short=short,
        )


@pytest.fixture(autouse=True)
def other_ways(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names that were looked up here; and another way out for whoever reads the environment."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, world.simulator.gateway_url)
        monkeypatch.setenv(name.lower(), world.simulator.gateway_url)
    for name in ("_CONNECT_S", "_READ_S", "_WHOLE_S"):
        monkeypatch.setattr(telegram_way, name, PATIENCE_S)
    looked_up, real = [], socket.getaddrinfo

    def heard(host: Any, *rest: Any, **more: Any) -> Any:
        looked_up.append(host.decode() if isinstance(host, bytes) else str(host))
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", heard)
    yield looked_up
    assert set(looked_up) <= {"127.0.0.1"}, "a name is the proxy's to resolve"


# ---- the calls --------------------------------------------------------------------------------------------------


def private_session(world: World, exit_: Exit, folder: Path) -> None:
    InstagramSource(world.person, Box(world.secrets), exit_, pace=FAST).list_posts()


def public_session(world: World, exit_: Exit, folder: Path) -> None:
    with translated(exit_):
        instagram.build(exit_, {}).public.get("https://i.instagram.com/api/v1/qe/sync/")


def reel_file(world: World, exit_: Exit, folder: Path) -> None:
    download(exit_, world.file_url, folder / "reel.mp4", max_bytes=10_000_000, progress=lambda done, total: None)


def google_api(world: World, exit_: Exit, folder: Path) -> None:
    timeouts = Timeouts(connect_s=PATIENCE_S, read_s=PATIENCE_S, upload_s=PATIENCE_S)
    with YouTubeClient(MemoryBox(world.channel.box.secrets), exit_, timeouts=timeouts) as client:
        client.own_channel("id")


def token_refresh(world: World, exit_: Exit, folder: Path) -> None:
    timeouts = Timeouts(connect_s=PATIENCE_S, read_s=PATIENCE_S)
    with YouTubeClient(MemoryBox(world.channel.box.secrets), exit_, timeouts=timeouts) as client:
        client.renew()


def yt_dlp(world: World, exit_: Exit, folder: Path) -> None:
    limits = DownloadLimits(seconds=30.0)
    source = YouTubeSource(world.channel.account, MemoryBox({}), exit_, limits=limits)
    source.fetch(world.short["id"], folder / "short.mp4", lambda done, total: None)


def telegram(world: World, exit_: Exit, folder: Path) -> None:
    with TelegramSender(exit_) as sender:
        sender.send(Address(TOKEN, CHANNEL), Message("hello", "hello"))


CALLS: dict[str, tuple[Call, str]] = {  # and the path that proves it arrived
    "instagrapi-private": (private_session, "/api/v1/clips/user/"),
    "instagrapi-public": (public_session, "/api/v1/qe/sync/"),
    "httpx-download": (reel_file, ".mp4"),
    "google-api": (google_api, "/youtube/v3/channels"),
    "oauth-refresh": (token_refresh, "/token"),
    "yt-dlp": (yt_dlp, "/videoplayback"),
    "telegram": (telegram, "/sendMessage"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("login", [None, LOGIN], ids=["open", "login"])
@pytest.mark.parametrize("name", CALLS)
def test_a_good_proxy_carries_every_client_and_nothing_else_does(
    world: World, tmp_path: Path, kind: str, login: tuple[str, str] | None, name: str
) -> None:
    call, path = CALLS[name]
    before = len(world.simulator.requests())
    exit_ = replace(world.through(kind, world.ports[kind, login is not None], login), answer_s=30.0)

    call(world, exit_, tmp_path)

    seen = world.simulator.requests()[before:]
    assert {request["exit_ip"] for request in seen} == {world.behind["exit_ip"]}
    assert any(str(request["path"]).endswith(path) for request in seen)


# ---- what a proxy can do wrong ----------------------------------------------------------------------------------


@contextmanager
def bad(world: World, kind: str, fault: str) -> Iterator[Exit]:
    """The way out through a proxy with this fault."""
    if fault in REFUSED_LOGINS:
        yield world.through(kind, world.ports[kind, True], REFUSED_LOGINS[fault])
        return
    with faulty(kind, fault, world.lead) as port:
        yield world.through(kind, port)


REFUSED_LOGINS = {"wrong password": ("ann", "Xylograph-7"), "login wanted": None}
# A library sees these for what they are. The others look like the network's until our own probe has looked
# (test_proxies_rotation), because to the library a proxy that is silent is a target that is silent.
CLEAR = {*REFUSED_LOGINS, "refused"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", [*REFUSED_LOGINS, *FAULTS])
@pytest.mark.parametrize("name", CALLS)
def test_a_bad_proxy_ends_every_client_with_the_right_class_and_not_one_call_goes_another_way(
    world: World, tmp_path: Path, kind: str, fault: str, name: str
) -> None:
    before = len(world.simulator.requests())

    with bad(world, kind, fault) as exit_, pytest.raises((StepFailed, NotDelivered)) as failed:
        CALLS[name][0](world, exit_, tmp_path)

    expected = (
        {Unreachable} if name == "telegram" else {ProxyFailed} if fault in CLEAR else {ProxyFailed, NetworkFailed}
    )
    assert type(failed.value) in expected, (failed.value, getattr(failed.value, "raw", ""))
    assert "roxy" in failed.value.action or "retried by itself" in failed.value.action
    assert world.simulator.requests()[before:] == []
    assert "Xylograph" not in f"{failed.value} {getattr(failed.value, 'raw', '')}"


# ---- a proxy that dies within an upload -------------------------------------------------------------------------


def to_youtube(world: World, exit_: Exit, draft: Draft, media: MediaFile) -> None:
    destination = world.channel.destination(exit_, connect_s=PATIENCE_S, read_s=PATIENCE_S, upload_s=PATIENCE_S)
    session = world.channel.destination().open(draft, media)
    destination.send(session, draft, media, Hooks())


def to_instagram(world: World, exit_: Exit, draft: Draft, media: MediaFile) -> None:
    destination = InstagramDestination(world.person, Box(world.secrets), exit_, pace=FAST)
    destination.send("", draft, media, Hooks())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("upload", [to_youtube, to_instagram])
def test_a_proxy_that_dies_within_an_upload_leaves_nothing_posted_and_a_class_that_is_retried_or_looked_into(
    world: World,
    tmp_path: Path,
    kind: str,
    upload: Callable[[World, Exit, Draft, MediaFile], None],
    draft: Draft,
    video: Callable[[int], MediaFile],
) -> None:
    cover = tmp_path / "cover.jpg"
    Image.new("RGB", (144, 256), "navy").save(cover)
    before = len(world.simulator.publications())

    with faulty(kind, "cut", world.lead, cut_after=UPLOADED) as port:
        exit_ = replace(world.through(kind, port), answer_s=10.0)
        with pytest.raises((NetworkFailed, ProxyFailed, OutcomeUnknown)):
            upload(world, exit_, draft, replace(video(3_000_000), cover=cover))

    assert len(world.simulator.publications()) == before
