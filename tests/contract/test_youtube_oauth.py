"""Signing in on Google's page over real sockets: the address, the way back, and a token that works."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from forwarder_core.connectors import registry
from forwarder_core.connectors.sign_ins import PendingSignIn, StartedSignIn
from forwarder_core.egress import Exit
from forwarder_core.errors import Forbidden, Invalid, PlatformTransient, ProxyFailed
from forwarder_core.platforms.youtube.oauth import begin, finish
from forwarder_core.simulator.testing import Simulator
from tests.contract.test_youtube_kit import Channel, channel

__all__ = ["channel"]
pytestmark = pytest.mark.slow

CALLBACK = "https://forwarder.example.org/oauth2callback"
NOW = datetime.now(UTC)


@pytest.fixture
def client(channel: Channel) -> dict[str, str]:
    """The secrets of an account that has its OAuth client and no token."""
    return {name: channel.box.secrets[name] for name in ("client_id", "client_secret", "client_kind", "redirect_uris")}


def agree(started: StartedSignIn, exit_: Exit) -> dict[str, str]:
    """What a person does on Google's page; the query parameters they come back with."""
    with exit_.http() as browser:
        answer = browser.get(started.url, follow_redirects=False)
    assert answer.status_code == 302
    address = answer.headers["location"]
    assert address.startswith(f"{CALLBACK}?")
    return dict(parse_qsl(urlsplit(address).query))


def test_there_and_back_gives_a_token_that_works(channel: Channel, client: dict[str, str]) -> None:
    exit_ = channel.simulator.exit
    started = begin(client, CALLBACK)
    channel.box.secrets = finish(client, started.pending, agree(started, exit_), exit_, NOW)
    assert datetime.fromisoformat(channel.box.secrets["access_token_expiry"]) > datetime.now(UTC)
    assert registry.authenticator(channel.account, channel.box, exit_).identify().remote_id == channel.id
    channel.box.secrets.pop("access_token")
    assert registry.authenticator(channel.account, channel.box, exit_).identify().remote_id == channel.id


def test_the_answer_to_another_sign_in_is_refused_before_any_call(channel: Channel, client: dict[str, str]) -> None:
    exit_ = channel.simulator.exit
    started, other = begin(client, CALLBACK), begin(client, CALLBACK)
    query = agree(started, exit_)
    before = len(channel.simulator.requests())
    for wrong in (query | {"state": "guessed"}, {"code": query["code"]}, {}):
        with pytest.raises(Forbidden):
            finish(client, started.pending, wrong, exit_, NOW)
    with pytest.raises(Forbidden):
        finish(client, other.pending, query, exit_, NOW)
    assert len(channel.simulator.requests()) == before


@pytest.mark.parametrize("change", [{"code_verifier": "x" * 64}, {"redirect_uri": f"{CALLBACK}/other"}])
def test_a_code_is_worth_nothing_without_its_verifier_and_address(
    channel: Channel, client: dict[str, str], change: dict[str, Any]
) -> None:
    exit_ = channel.simulator.exit
    started = begin(client, CALLBACK)
    with pytest.raises(Invalid, match="invalid_grant"):
        finish(client, replace(started.pending, **change), agree(started, exit_), exit_, NOW)


def test_a_code_is_good_once(channel: Channel, client: dict[str, str]) -> None:
    exit_ = channel.simulator.exit
    started = begin(client, CALLBACK)
    query = agree(started, exit_)
    finish(client, started.pending, query, exit_, NOW)
    with pytest.raises(Invalid):
        finish(client, started.pending, query, exit_, NOW)


def test_a_wrong_client_secret_is_said_to_be_one(channel: Channel, client: dict[str, str]) -> None:
    exit_ = channel.simulator.exit
    started = begin(client, CALLBACK)
    with pytest.raises(Invalid, match="OAuth client"):
        finish(client | {"client_secret": "GOCSPX-wrong"}, started.pending, agree(started, exit_), exit_, NOW)


@pytest.mark.parametrize("fault", ["http_5xx", "html_200", "wrong_json", "empty_200"])
def test_googles_own_trouble_is_a_passing_one(channel: Channel, client: dict[str, str], fault: str) -> None:
    exit_ = channel.simulator.exit
    started = begin(client, CALLBACK)
    query = agree(started, exit_)
    channel.simulator.arm(fault, match={"platform": "youtube", "route": "/token"})
    with pytest.raises(PlatformTransient):
        finish(client, started.pending, query, exit_, NOW)


def test_the_exchange_takes_the_proxy_and_no_other_way(
    channel: Channel, client: dict[str, str], simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", simulator.gateway_url)
    pending = PendingSignIn("s", "v", CALLBACK)
    with pytest.raises(ProxyFailed):
        finish(client, pending, {"state": "s", "code": "4/x"}, simulator.exit_through("http://127.0.0.1:9"), NOW)
