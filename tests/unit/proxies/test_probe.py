"""A probe tells proxy, network and target apart, over real sockets: proxies that misbehave in every way there is."""

from __future__ import annotations

import socket
import ssl

import pytest
import trustme

from forwarder_core.domain.proxies import Blame
from forwarder_core.egress import ProxyAddress
from forwarder_core.errors import PlatformTransient, ProxyBlocked, ProxyFailed
from forwarder_core.proxies.probe import failure_of, probe
from forwarder_core.proxies.targets import Target
from tests.own_proxies import Behaviour, proxy, says

TARGET = Target.parse("https://www.example.com/ip")
GRANTED = b"HTTP/1.1 200 Connection established\r\n\r\n"
SOCKS_GRANTED = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trust(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    return context


def silent(client: socket.socket) -> None:
    client.recv(4_096)
    client.recv(4_096)


def leads_to(issuer: trustme.CA, answer: bytes, greeting: tuple[bytes, ...] = (GRANTED,)) -> Behaviour:
    """Grants the tunnel and plays the target, with a certificate of this issuer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issuer.issue_cert("www.example.com").configure_cert(context)

    def behave(client: socket.socket) -> None:
        says(*greeting)(client)
        with context.wrap_socket(client, server_side=True) as secured:
            secured.recv(4_096)
            secured.sendall(answer)

    return behave


def page(status: str, body: str = "203.0.113.9") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def test_a_good_proxy_leads_to_the_target_and_is_timed(ca: trustme.CA, trust: ssl.SSLContext) -> None:
    with proxy(leads_to(ca, page("200 OK")), username="ann", password="right") as address:
        found = probe(address, TARGET, tls=trust, wants_body=True)

    assert (found.blame, found.code, found.status, found.body) == (Blame.NOBODY, "ok", 200, "203.0.113.9")
    assert found.latency_ms is not None and found.latency_ms < 5_000
    assert failure_of(found, address) is None


def test_so_does_a_good_socks_proxy(ca: trustme.CA, trust: ssl.SSLContext) -> None:
    greeting = (b"\x05\x02", b"\x01\x00", SOCKS_GRANTED)
    with proxy(leads_to(ca, page("200 OK"), greeting), "socks5h", username="ann", password="right") as address:
        assert probe(address, TARGET, tls=trust).is_ok


@pytest.mark.parametrize(
    ("scheme", "behave", "blame", "code"),
    [
        ("http", says(page("407 Proxy Authentication Required")), Blame.PROXY, "login"),
        ("http", says(page("302 Found")), Blame.PROXY, "own_page"),
        (
            "http",
            says(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"),
            Blame.PROXY,
            "own_page",
        ),
        ("http", says(GRANTED, b"HTTP/1.1 400 Bad Request\r\n\r\n<html>"), Blame.PROXY, "own_page"),
        ("http", says(page("502 Bad Gateway")), Blame.TARGET, "unreachable"),
        ("http", says(page("403 Forbidden")), Blame.TARGET, "denied"),
        ("http", says(b"SSH-2.0-OpenSSH_9.6\r\n"), Blame.PROXY, "not_a_proxy"),
        ("http", says(b"HTTP/1.1 \xb2 \r\n\r\n"), Blame.PROXY, "not_a_proxy"),  # a digit, yet no number
        ("http", says(b"\x15\x03\x01\x00\x02\x02\x46"), Blame.PROXY, "wants_tls"),
        ("http", says(b""), Blame.PROXY, "cut"),
        ("http", says(GRANTED), Blame.PROXY, "cut"),
        ("http", silent, Blame.PROXY, "hang"),
        ("socks5h", says(b"\x05\xff"), Blame.PROXY, "login"),
        ("socks5h", says(b"\x05\x02", b"\x01\x01"), Blame.PROXY, "login"),
        ("socks5h", says(b"\x05\x02", b""), Blame.PROXY, "login"),
        ("socks5h", says(page("400 Bad Request")), Blame.PROXY, "not_a_proxy"),
        ("socks5h", says(b"\x05\x00", b"\x05\x05\x00\x01" + bytes(6)), Blame.TARGET, "unreachable"),
        ("socks5h", says(b"\x05\x00", b"\x05\x02\x00\x01" + bytes(6)), Blame.TARGET, "denied"),
        ("socks5h", silent, Blame.PROXY, "hang"),
    ],
)
def test_each_misbehaviour_has_its_name_and_its_owner(
    scheme: str, behave: Behaviour, blame: Blame, code: str, trust: ssl.SSLContext
) -> None:
    with proxy(behave, scheme, username="ann", password="wrong-swordfish") as address:
        found = probe(address, TARGET, tls=trust, timeout_s=0.5)

    assert (found.blame, found.code) == (blame, code)
    expected = ProxyFailed if blame is Blame.PROXY else PlatformTransient
    failure = failure_of(found, address)
    assert type(failure) is expected and "swordfish" not in str(failure)


def test_a_proxy_that_wants_tls_to_itself_is_told_so_though_it_only_hangs_up(
    ca: trustme.CA, trust: ssl.SSLContext
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("somebody-else.example.com").configure_cert(context)

    def behave(client: socket.socket) -> None:
        with context.wrap_socket(client, server_side=True) as secured:
            secured.recv(4_096)

    with proxy(behave) as address:
        found = probe(address, TARGET, tls=trust, timeout_s=5)

    assert (found.blame, found.code) == (Blame.PROXY, "wants_tls")
    assert found.error == "The proxy wants TLS to itself, which is not supported"


def test_a_redirect_is_an_answer_and_not_followed(ca: trustme.CA, trust: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as inside:
        inside.setblocking(False)
        port = inside.getsockname()[1]
        moved = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{port}/\r\nContent-Length: 0\r\n\r\n".encode()
        with proxy(leads_to(ca, moved)) as address:
            found = probe(address, TARGET, tls=trust)
        with pytest.raises(BlockingIOError):
            inside.accept()

    assert (found.is_ok, found.status) == (True, 302)


def test_a_certificate_of_the_proxys_own_is_never_accepted(trust: ssl.SSLContext) -> None:
    with proxy(leads_to(trustme.CA(), page("200 OK"))) as address:
        found = probe(address, TARGET, tls=trust)

    assert (found.blame, found.code) == (Blame.PROXY, "mitm")


@pytest.mark.parametrize(
    ("status", "code", "failure"),
    [("403 Forbidden", "blocked", ProxyBlocked), ("503 Service Unavailable", "target_error", PlatformTransient)],
)
def test_a_target_that_answers_badly_is_not_the_proxys_trouble(
    status: str, code: str, failure: type[Exception], ca: trustme.CA, trust: ssl.SSLContext
) -> None:
    with proxy(leads_to(ca, page(status))) as address:
        found = probe(address, TARGET, tls=trust)

    assert (found.blame, found.code) == (Blame.TARGET, code)
    assert type(failure_of(found, address)) is failure


def test_a_proxy_that_is_not_there_refuses(trust: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found = probe(ProxyAddress("http", "127.0.0.1", port), TARGET, tls=trust)

    assert (found.blame, found.code, found.error) == (Blame.PROXY, "refused", "Connection refused")
