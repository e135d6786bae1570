"""What a client asks a proxy for, in each of the protocols."""

from __future__ import annotations

import base64

import pytest

from forwarder_core.simulator.handshake import BadHandshake, Login, Protocol, Refusal, Wish, parse_http

BLOB = base64.b64encode("ann:pässword:1".encode())


def test_connect_names_its_target() -> None:
    wish = parse_http(b"CONNECT i.instagram.com:443 HTTP/1.1\r\nHost: i.instagram.com:443\r\n\r\n")

    assert (wish.protocol, wish.host, wish.port, wish.login) == (Protocol.CONNECT, "i.instagram.com", 443, None)


@pytest.mark.parametrize("scheme", [b"Basic", b"basic", b"BASIC"])
def test_the_login_is_read_whatever_the_case_of_its_scheme(scheme: bytes) -> None:
    wish = parse_http(b"CONNECT a:1 HTTP/1.1\r\nproxy-authorization: " + scheme + b" " + BLOB + b"\r\n\r\n")

    assert wish.login == Login("ann", "pässword:1")


@pytest.mark.parametrize("value", [b"Bearer " + BLOB, b"Basic !!!", b"Basic"])
def test_another_or_a_broken_login_is_none(value: bytes) -> None:
    wish = parse_http(b"CONNECT a:1 HTTP/1.1\r\nProxy-Authorization: " + value + b"\r\n\r\n")

    assert not Login("ann", "pässword:1").matches(wish.login)


def test_an_absolute_request_is_sent_on_without_what_was_for_the_proxy() -> None:
    wish = parse_http(
        b"GET http://x.example:8080/a/b?c=1 HTTP/1.1\r\nHost: x.example:8080\r\nProxy-Authorization: Basic "
        + BLOB
        + b"\r\nProxy-Connection: keep-alive\r\nConnection: keep-alive\r\nX-Own: 1\r\n\r\n"
    )

    assert (wish.protocol, wish.host, wish.port) == (Protocol.HTTP, "x.example", 8080)
    assert wish.head == (b"GET /a/b?c=1 HTTP/1.1\r\nHost: x.example:8080\r\nX-Own: 1\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET https://x.example/ HTTP/1.1\r\n\r\n",
        b"CONNECT nowhere HTTP/1.1\r\n\r\n",
        b"CONNECT a:b HTTP/1.1\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\xff\xfe\r\n\r\n",
    ],
)
def test_anything_else_is_a_bad_handshake(head: bytes) -> None:
    with pytest.raises(BadHandshake):
        parse_http(head)


def test_refusals_are_worded_in_the_clients_protocol() -> None:
    connect = Wish(protocol=Protocol.CONNECT, host="a", port=1, login=None)
    socks = Wish(protocol=Protocol.SOCKS5, host="a", port=1, login=None)

    assert connect.refused(Refusal.LOGIN).startswith(b"HTTP/1.1 407 ")
    assert connect.refused(Refusal.NAME).startswith(b"HTTP/1.1 403 ")
    assert socks.refused(Refusal.NAME)[:2] == b"\x05\x02"
    assert socks.refused(Refusal.UNREACHABLE)[:2] == b"\x05\x05"
