"""A proxy's answer is taken up to its last byte and no further, however it comes cut into packets."""

from __future__ import annotations

import base64
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from forwarder_core import tunnels
from forwarder_core.egress import Exit, ProxyAddress
from forwarder_core.platforms.youtube.wire import Timeouts, open_wire
from forwarder_core.tunnels import TunnelRefused
from tests.own_proxies import proxy, says

GRANTED = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 somebody\r\n\r\n"
SOCKS = (b"\x05\x00", b"\x05\x00\x00\x01" + bytes(6))
GREETING = b"220 mail.example ESMTP\r\n"
LOGIN = {"username": "ann", "password": "right"}


@pytest.mark.parametrize(
    ("scheme", "answers"), [("http", (GRANTED + GREETING,)), ("socks5h", (SOCKS[0], SOCKS[1] + GREETING))]
)
def test_who_is_reached_may_speak_first(scheme: str, answers: tuple[bytes, ...]) -> None:
    with (
        proxy(says(*answers), scheme, **LOGIN) as address,
        tunnels.connect(address, "mail.example", 25, 10) as line,
        line.makefile("rb") as heard,
    ):
        assert heard.readline() == GREETING


def test_the_login_is_written_as_the_standard_has_it() -> None:
    heard: list[bytes] = []

    def behave(client: socket.socket) -> None:
        heard.append(client.recv(4_096))
        client.sendall(GRANTED)

    with proxy(behave, **LOGIN) as address:
        tunnels.connect(address, "mail.example", 25, 10).close()
    head, *lines = heard[0].split(b"\r\n")
    assert head == b"CONNECT mail.example:25 HTTP/1.1"
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"ann:right") in lines


def test_google_is_reached_though_the_proxys_answer_comes_a_byte_at_a_time(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("www.googleapis.com").configure_cert(context)

    def behave(client: socket.socket) -> None:
        client.recv(4_096)
        for byte in GRANTED:
            client.sendall(bytes((byte,)))
        with context.wrap_socket(client, server_side=True) as secured:
            secured.recv(4_096)
            secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")

    with proxy(behave, **LOGIN) as address:
        wire = open_wire(Exit(address, ca_bundle=tmp_path / "ca.pem"), Timeouts(connect_s=10))
        answer, body = wire.request("https://www.googleapis.com/x")
        wire.close()
    assert (answer.status, body) == (200, b"hi")


@pytest.mark.parametrize(
    ("scheme", "answers", "code"),
    [
        ("http", (b"",), "cut"),
        ("http", (b"HTTP/1.1 407 No\r\n\r\n",), "login"),
        ("http", (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>",), "own_page"),
        ("http", (b"HTTP/1.1 503 No\r\nContent-Length: 6\r\n\r\n<html>",), "unreachable"),
        ("socks5h", (b"\x05\x00", b""), "cut"),
        ("socks5h", (b"\x05\xff",), "login"),
    ],
)
def test_what_leads_nowhere_is_refused_by_name(scheme: str, answers: tuple[bytes, ...], code: str) -> None:
    with proxy(says(*answers), scheme, **LOGIN) as address, pytest.raises(TunnelRefused) as refused:
        tunnels.connect(address, "mail.example", 25, 10)
    assert refused.value.code == code and "right" not in str(refused.value)


def test_a_proxy_that_is_not_there_is_refused_too() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        with pytest.raises(TunnelRefused, match="cannot be reached"):
            tunnels.connect(ProxyAddress("http", "127.0.0.1", deaf.getsockname()[1]), "mail.example", 25, 10)
