"""The guard of typed addresses: however a private one is spelled, it is refused before anything connects."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from forwarder_core.addresses import check_address
from forwarder_core.egress import ProxyAddress
from forwarder_core.errors import Invalid
from forwarder_core.proxies.targets import address_in, checked, country_in

PRIVATE = [
    "169.254.169.254",
    "127.0.0.1",
    "127.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0.0.0.0",
    "10.0.0.8",
    "192.168.1.100",
    "100.64.0.1",
    "::1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "fd00::1",
    "fe80::1",
    "224.0.0.1",
    "localhost",
    "localhost.",
    "deep.localhost",
    "metadata.google.internal",
]
RUBBISH = ["", " ", "a b", "user@127.0.0.1", "http://127.0.0.1", "127.0.0.1/x", "127。0。0。1", "host\r\nx", "a" * 254]


@pytest.mark.parametrize("host", PRIVATE + RUBBISH)
def test_a_private_address_is_refused_in_every_spelling(host: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_address(host, 8080, ())

    assert refused.value.fields[0].field == "host" and refused.value.action


@pytest.mark.parametrize("host", [host for host in PRIVATE if "internal" not in host])
def test_so_it_is_as_the_target_of_a_check(host: str) -> None:
    written = f"[{host}]" if ":" in host and not host.startswith("[") else host
    with pytest.raises(Invalid):
        checked(f"https://{written}/x", ())


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com", "https://user:pw@example.com", "https://", "example.com", "https://a b/", "https://a:0"],
)
def test_what_is_no_web_address_is_no_target(url: str) -> None:
    with pytest.raises(Invalid):
        checked(url, ())


def test_a_public_address_passes_and_so_does_a_private_one_the_settings_allow() -> None:
    assert check_address("8.8.8.8", 80, ()) == "8.8.8.8"
    assert check_address("[2001:4860:4860::8888]", 80, ()) == "2001:4860:4860::8888"
    assert check_address("127.1", 80, ("127.0.0.0/8",)) == "127.0.0.1"
    assert check_address("[::ffff:127.0.0.1]", 80, ("127.0.0.0/8",)).endswith("127.0.0.1")


def resolver(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Name service of this test: one answer for each question, the last for all that follow."""
    asked: list[str] = []

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", (ip, port)) for ip in answers[min(len(asked), len(answers)) - 1]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_every_address_of_a_name_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver(monkeypatch, ["8.8.8.8", "127.0.0.1"])

    with pytest.raises(Invalid):
        check_address("rebind.example.com", 80, ())


def test_a_name_is_resolved_once_and_its_checked_address_is_what_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = resolver(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])

    assert check_address("rebind.example.com", 80, ()) == "8.8.8.8"
    assert asked == ["rebind.example.com"]
    with pytest.raises(Invalid):
        check_address("rebind.example.com", 80, ())


def test_a_name_nobody_knows_is_refused_unless_a_proxy_resolves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(-2, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(Invalid, match="cannot be resolved"):
        check_address("nowhere.example.com", 80, ())
    assert check_address("www.instagram.com", 443, (), is_left_to_proxy=True) == "www.instagram.com"


def test_a_proxys_label_is_its_name_and_its_url_the_checked_address() -> None:
    proxy = ProxyAddress("http", "2001:db8::1", 8080, "ann", "p@ss", name="proxy.example.com")

    assert proxy.label == "proxy.example.com:8080"
    assert proxy.url == "http://ann:p%40ss@[2001:db8::1]:8080"


def test_an_echo_is_understood_in_any_wrapping() -> None:
    assert address_in('{"ip": "203.0.113.9", "country": "IN"}') == "203.0.113.9"
    assert address_in("2001:db8::7\n") == "2001:db8::7"
    assert address_in("no address") is None
    assert country_in('{"ip": "203.0.113.9", "country": "IN"}') == "IN"
    assert country_in("203.0.113.9") is None
