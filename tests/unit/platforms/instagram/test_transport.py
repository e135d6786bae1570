"""Network or proxy: told by the chain of causes, by curl's codes, and by one CONNECT of our own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
import socks
from curl_cffi.requests import exceptions as curl

from forwarder_core.egress import Exit, ProxyAddress
from forwarder_core.errors import NetworkFailed, ProxyFailed
from forwarder_core.platforms.instagram.transport import causes, connection_failure, proxy_lets_through

BEHIND = Exit(proxy=ProxyAddress("http", "127.0.0.1", 9))


def raised(outer: Exception, inner: Exception) -> Exception:
    """`outer` as if it had been raised while `inner` was handled, as the library does."""
    outer.__context__ = inner
    return outer


@contextmanager
def proxy_that_says(line: bytes) -> Iterator[tuple[ProxyAddress, list[bytes]]]:
    """A proxy on loopback that reads one request and answers `line`."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                heard.append(client.recv(4096))
                client.sendall(line)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield ProxyAddress("http", "127.0.0.1", server.getsockname()[1], "u", "p"), heard
        thread.join(2)


@pytest.mark.parametrize(
    "inner",
    [
        requests.exceptions.ProxyError("no"),
        socks.SOCKS5AuthError("no"),
        curl.ProxyError("curl: (97) no", 97),
        curl.ProxyError("curl: (5) no", 5),
        curl.ConnectionError("curl: (7) refused", 7),
    ],
)
def test_the_proxy_is_at_fault_anywhere_in_the_chain(inner: Exception) -> None:
    error = raised(requests.ConnectionError("outer"), inner)
    assert type(connection_failure(error, BEHIND)) is ProxyFailed
    assert type(connection_failure(error, Exit())) is NetworkFailed, "without a proxy it cannot be"


@pytest.mark.parametrize(
    "inner", [curl.Timeout("curl: (28) late", 28), curl.SSLError("curl: (35) tls", 35), OSError("reset")]
)
def test_other_failures_are_the_network_behind_a_proxy_that_lets_through_and_the_proxy_behind_another(
    inner: Exception,
) -> None:
    error = raised(requests.ConnectionError("outer"), inner)
    with proxy_that_says(b"HTTP/1.1 200 Connection established\r\n\r\n") as (proxy, _):
        assert type(connection_failure(error, Exit(proxy=proxy))) is NetworkFailed
    assert type(connection_failure(error, BEHIND)) is ProxyFailed, "nobody listens there"


@pytest.mark.parametrize(
    ("line", "expected"),
    [(b"HTTP/1.1 200 Connection established\r\n\r\n", NetworkFailed), (b"HTTP/1.1 407 No\r\n\r\n", ProxyFailed)],
)
def test_code_7_is_decided_by_a_connect_of_our_own(line: bytes, expected: type[Exception]) -> None:
    with proxy_that_says(line) as (proxy, heard):
        made = connection_failure(curl.ConnectionError("curl: (7)", 7), Exit(proxy=proxy))
    assert type(made) is expected
    assert heard[0].startswith(b"CONNECT i.instagram.com:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dTpw\r\n" in heard[0]


def test_a_socks_proxy_that_takes_the_connection_is_alive() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert proxy_lets_through(ProxyAddress("socks5h", "127.0.0.1", server.getsockname()[1]))
    assert not proxy_lets_through(ProxyAddress("socks5h", "127.0.0.1", 9))


def test_a_circle_of_causes_ends() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert list(causes(one)) == [one, other]
