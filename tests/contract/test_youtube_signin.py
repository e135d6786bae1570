"""The sign-in of a channel and the way out, over real sockets: one refresh for many, no way around the proxy."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Draft, MediaFile
from forwarder_core.egress import Exit, ProxyAddress
from forwarder_core.errors import (
    AuthExpired,
    ContractChanged,
    NetworkFailed,
    PlatformTransient,
    ProxyFailed,
    RateLimited,
    StepFailed,
)
from forwarder_core.simulator.testing import Simulator
from tests.contract.test_youtube_kit import Channel, Hooks, channel, draft, video

__all__ = ["channel", "draft", "video"]
pytestmark = pytest.mark.slow

CHANNELS = "/youtube/v3/channels"


def test_the_credentials_say_whose_they_are(channel: Channel) -> None:
    known = registry.authenticator(channel.account, channel.box, channel.simulator.exit).identify()
    assert known.remote_id == channel.id
    assert known.title.startswith("channel")
    assert known.handle == f"@{known.title}"


def test_eight_workers_with_one_expired_token_cost_one_refresh(channel: Channel) -> None:
    channel.destination().verify("AAAAAAAAAAA")
    old = channel.box.secrets["access_token"]
    channel.box.secrets["access_token_expiry"] = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    workers = [channel.destination() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda worker: worker.verify("AAAAAAAAAAA"), workers))
    assert len(channel.calls("POST", "/token")) == 2  # the first sign-in, and one for all eight
    assert channel.box.secrets["access_token"] != old


def test_a_token_refused_in_mid_upload_is_renewed_without_notice(
    channel: Channel, video: Callable[[int], MediaFile], draft: Draft
) -> None:
    media, destination = video(20_000_000), channel.destination()
    session = destination.open(draft, media)
    channel.arm("token_expired")
    destination.send(session, draft, media, Hooks())
    assert [post["sha256"] for post in channel.published()] == [media.sha256]
    assert len(channel.calls("POST", "/token")) == 2


@pytest.mark.parametrize(
    ("fault", "route", "expected"),
    [
        ("invalid_grant", "/token", AuthExpired),
        ("http_429", CHANNELS, RateLimited),
        ("http_5xx", CHANNELS, PlatformTransient),
        ("html_200", CHANNELS, PlatformTransient),
        ("empty_200", CHANNELS, PlatformTransient),
        ("wrong_json", CHANNELS, ContractChanged),
        ("truncated", CHANNELS, NetworkFailed),
    ],
)
def test_each_trouble_has_its_class(channel: Channel, fault: str, route: str, expected: type[StepFailed]) -> None:
    channel.arm(fault, route, count=None)
    with pytest.raises(expected):
        registry.authenticator(channel.account, channel.box, channel.simulator.exit).identify()


def test_a_wrong_page_of_the_sign_in_is_a_passing_trouble(channel: Channel, simulator: Simulator) -> None:
    for fault in ("html_200", "wrong_json"):
        simulator.arm(fault, match={"platform": "youtube", "route": "/token"})
        with pytest.raises(PlatformTransient):
            channel.destination().verify("AAAAAAAAAAA")


def test_a_silent_server_is_left_after_the_time_allowed(channel: Channel) -> None:
    channel.destination().verify("AAAAAAAAAAA")
    channel.arm("stall")
    with pytest.raises(NetworkFailed):
        channel.destination(read_s=0.3).verify("AAAAAAAAAAA")


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_every_call_takes_the_proxy_with_its_login(
    channel: Channel, video: Callable[[int], MediaFile], draft: Draft, simulator: Simulator, scheme: str
) -> None:
    proxy = simulator.open_proxy(username="worker", password="p@ss:word")
    address = ProxyAddress(scheme, proxy["host"], proxy["port"], "worker", "p@ss:word")
    media, destination = video(3_000_000), channel.destination(replace(simulator.exit, proxy=address))
    published = destination.send(destination.open(draft, media), draft, media, Hooks())
    destination.verify(published.remote_id)
    mine = [each for each in simulator.requests() if each["account"] == channel.id]
    assert {each["host"] for each in mine} == {"oauth2.googleapis.com", "youtube.googleapis.com"}
    assert {(str(each["proxy"]), each["proxy_user"]) for each in mine} == {(str(proxy["id"]), "worker")}


def test_the_environment_is_never_read(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HTTPLIB2_CA_CERTS"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("GOOGLE_CLOUD_UNIVERSE_DOMAIN", "elsewhere.example")
    assert not channel.destination().verify("AAAAAAAAAAA").is_live


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_a_proxys_trouble_is_not_the_networks(channel: Channel, simulator: Simulator, scheme: str) -> None:
    proxy = simulator.open_proxy(username="worker", password="right")
    wrong_login = ProxyAddress(scheme, proxy["host"], proxy["port"], "worker", "wrong")
    not_there = ProxyAddress(scheme, "127.0.0.1", 9)
    no_such_name = ProxyAddress(scheme, "proxy.invalid", 3128)
    for address in (wrong_login, not_there, no_such_name):
        with pytest.raises(ProxyFailed):
            channel.destination(replace(simulator.exit, proxy=address)).verify("AAAAAAAAAAA")


def test_a_certificate_nobody_vouches_for_is_refused(channel: Channel, simulator: Simulator) -> None:
    with pytest.raises(NetworkFailed, match="certificate"):
        channel.destination(Exit(proxy=simulator.exit.proxy)).verify("AAAAAAAAAAA")
