"""The way out: a proxy's address and its secrets, and a download that resumes, checks and leaves nothing half done."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from forwarder_core.egress import Download, Exit, ProxyAddress, download, network_failure
from forwarder_core.errors import (
    ForwarderError,
    LocalFailed,
    MediaRejected,
    NetworkFailed,
    PlatformTransient,
    ProxyFailed,
    RateLimited,
    SourceGone,
)
from forwarder_core.simulator import certificates

BODY = bytes(range(256)) * 4_000  # 1 MB
HERE = Exit(allowed_networks=("127.0.0.0/8",))
Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def file_server(answer: Answer) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A file server that answers every GET with `answer`; yields its address and the headers of each request."""
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            seen.append({name.lower(): value for name, value in self.headers.items()})
            answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/clip.mp4", seen
    finally:
        server.shutdown()
        server.server_close()


def whole(handler: BaseHTTPRequestHandler, body: bytes = BODY, *, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    said = {"Content_Type": "video/mp4", "Content_Length": str(len(body))} | headers
    for name, value in said.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def cut_after(handler: BaseHTTPRequestHandler, sent: int, *, start: int = 0, status: int = 200) -> None:
    """Announce everything from `start` on, send a part of it, and hang up."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(BODY) - start))
    handler.end_headers()
    handler.wfile.write(BODY[start : start + sent])
    handler.wfile.flush()
    handler.close_connection = True


def fetch(url: str, into: Path, *, max_bytes: int = 50_000_000) -> tuple[Download, list[tuple[int, int | None]]]:
    said: list[tuple[int, int | None]] = []
    got = download(HERE, url, into, max_bytes=max_bytes, progress=lambda done, total: said.append((done, total)))
    return got, said


def refusal(answer: Answer, folder: Path, *, max_bytes: int = 50_000_000) -> ForwarderError:
    with file_server(answer) as (url, _), pytest.raises(ForwarderError) as refused:
        fetch(url, folder / "clip.mp4", max_bytes=max_bytes)
    assert list(folder.iterdir()) == [], "neither a file nor a part of one is left behind"
    return refused.value


def test_a_whole_file_arrives_with_its_hash_and_tells_how_far_it_is(tmp_path: Path) -> None:
    with file_server(whole) as (url, _):
        got, said = fetch(url, tmp_path / "clip.mp4")
    assert got == Download(tmp_path / "clip.mp4", len(BODY), hashlib.sha256(BODY).hexdigest())
    assert got.path.read_bytes() == BODY
    assert said[-1] == (len(BODY), len(BODY))
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_after_a_cut_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        if wanted is None:
            cut_after(handler, 600_000)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        whole(handler, BODY[start:], status=206, Content_Range=f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")

    with file_server(answer) as (url, seen):
        got, said = fetch(url, tmp_path / "clip.mp4")
    assert got.sha256 == hashlib.sha256(BODY).hexdigest()
    assert [request.get("range") is not None for request in seen] == [False, True]
    assert said[-1] == (len(BODY), len(BODY))


def test_a_server_that_does_not_resume_is_read_from_the_beginning(tmp_path: Path) -> None:
    requests = iter(range(9))

    def answer(handler: BaseHTTPRequestHandler) -> None:
        cut_after(handler, 600_000) if next(requests) == 0 else whole(handler)

    with file_server(answer) as (url, seen):
        got, _ = fetch(url, tmp_path / "clip.mp4")
    assert (got.size_bytes, got.sha256) == (len(BODY), hashlib.sha256(BODY).hexdigest())
    assert len(seen) == 2


def test_a_file_that_always_ends_early_is_a_network_failure_after_three_tries(tmp_path: Path) -> None:
    tries: list[int] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        tries.append(1)
        cut_after(handler, 1_000)

    assert isinstance(refusal(answer, tmp_path), NetworkFailed)
    assert len(tries) == 3


def test_a_web_page_is_not_a_video(tmp_path: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        whole(handler, b"<html>Sorry</html>", Content_Type="text/html; charset=utf-8")

    assert isinstance(refusal(answer, tmp_path), PlatformTransient)


def test_an_empty_file_is_not_a_video(tmp_path: Path) -> None:
    assert isinstance(refusal(lambda handler: whole(handler, b""), tmp_path), PlatformTransient)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (403, SourceGone),
        (404, SourceGone),
        (410, SourceGone),
        (407, ProxyFailed),
        (429, RateLimited),
        (500, PlatformTransient),
        (503, PlatformTransient),
        (418, PlatformTransient),
    ],
)
def test_a_refused_download_is_of_the_class_of_its_status(
    tmp_path: Path, status: int, expected: type[ForwarderError]
) -> None:
    refused = refusal(lambda handler: whole(handler, b"no", status=status), tmp_path)
    assert type(refused) is expected


def test_a_server_that_asks_to_slow_down_says_for_how_long(tmp_path: Path) -> None:
    refused = refusal(lambda handler: whole(handler, b"no", status=429, Retry_After="17"), tmp_path)
    assert isinstance(refused, RateLimited) and refused.retry_after_s == 17


@pytest.mark.parametrize("announced", [True, False])
def test_a_file_too_large_is_refused_whether_it_says_so_or_not(tmp_path: Path, announced: bool) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if announced:
            whole(handler)
            return
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(BODY)
        handler.close_connection = True

    assert isinstance(refusal(answer, tmp_path, max_bytes=500_000), MediaRejected)


def test_a_folder_that_is_gone_is_this_servers_trouble(tmp_path: Path) -> None:
    with file_server(whole) as (url, _), pytest.raises(LocalFailed):
        fetch(url, tmp_path / "gone" / "clip.mp4")


def test_what_is_raised_while_it_tells_its_progress_leaves_no_part_behind(tmp_path: Path) -> None:
    def stop(done: int, total: int | None) -> None:
        raise KeyError("taken away")

    with file_server(whole) as (url, _), pytest.raises(KeyError):
        download(HERE, url, tmp_path / "clip.mp4", max_bytes=9_000_000, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port"),
    [
        ("http://10.0.0.1:3128", "http", "10.0.0.1", 3128),
        ("http://user:pw@proxy.example:8080", "http", "proxy.example", 8080),
        ("socks5://10.0.0.1:1080", "socks5h", "10.0.0.1", 1080),
        ("socks5h://10.0.0.1:1080", "socks5h", "10.0.0.1", 1080),
    ],
)
def test_names_are_always_resolved_by_the_proxy(url: str, scheme: str, host: str, port: int) -> None:
    parsed = ProxyAddress.parse(url)
    assert (parsed.scheme, parsed.host, parsed.port) == (scheme, host, port)


@pytest.mark.parametrize("url", ["", "10.0.0.1:3128", "ftp://h:1", "http://h", "http://:3128", "https://h:1", "h"])
def test_anything_else_is_no_proxy(url: str) -> None:
    with pytest.raises(ValueError):
        ProxyAddress.parse(url)


def test_a_login_is_quoted_in_the_url_and_in_nothing_that_is_shown() -> None:
    proxy = ProxyAddress("http", "10.0.0.1", 3128, "us:er", "p@ss/w")
    assert proxy.url == f"http://{quote('us:er', safe='')}:{quote('p@ss/w', safe='')}@10.0.0.1:3128"
    assert proxy.label == "10.0.0.1:3128" == Exit(proxy=proxy).label
    assert "p@ss" not in repr(proxy) and "p@ss" not in repr(Exit(proxy=proxy))


def test_a_client_of_an_exit_does_not_read_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with file_server(whole) as (url, _):
        assert fetch(url, tmp_path / "clip.mp4")[0].size_bytes == len(BODY)


def test_behind_a_proxy_a_failed_connect_is_the_proxys_and_a_broken_answer_the_networks() -> None:
    behind = Exit(proxy=ProxyAddress("http", "127.0.0.1", 1))
    assert isinstance(network_failure(httpx.ConnectError("refused"), behind), ProxyFailed)
    assert isinstance(network_failure(httpx.ReadError("reset"), behind), NetworkFailed)
    assert isinstance(network_failure(httpx.ConnectError("refused"), Exit()), NetworkFailed)


@pytest.mark.parametrize("is_by_proxy", [False, True])
@pytest.mark.parametrize("to", ["169.254.169.254", "127.2", "0x7f000002", "2130706434", "[::1]", "[::ffff:10.0.0.8]"])
def test_a_redirect_into_a_private_network_is_not_followed(tmp_path: Path, to: str, is_by_proxy: bool) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        whole(handler, b"", status=302, Location=f"http://{to}/inner.mp4")

    with file_server(answer) as (url, seen):
        exit_ = Exit(allowed_networks=("127.0.0.1/32",))
        if is_by_proxy:  # which answers what it is asked for itself
            exit_ = Exit(proxy=ProxyAddress("http", "127.0.0.1", int(url.split(":")[2].split("/")[0])))
            url = "http://cdn.example/clip.mp4"
        with pytest.raises(PlatformTransient, match="lies in a private network") as refused:
            download(exit_, url, tmp_path / "clip.mp4", max_bytes=9, progress=lambda done, total: None)
    assert len(seen) == 1 and "FORWARDER_ALLOW_PRIVATE_NETWORKS" in refused.value.action


def test_a_name_is_resolved_once_and_the_checked_address_is_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name service that tells a public address first and ours the second time gets no second question."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, port: int, *rest: object, **more: object) -> object:
        if host != "rebind.example":
            return real(host, port, *rest, **more)  # type: ignore[arg-type]
        asked.append(host)
        ip = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with file_server(whole) as (url, seen):
        fetch(url.replace("127.0.0.1", "rebind.example"), tmp_path / "clip.mp4")
    assert asked == ["rebind.example"] and seen[0]["host"].startswith("rebind.example")


def test_clients_share_the_certificates_until_their_file_changes(tmp_path: Path) -> None:
    bundle = certificates.ensure(tmp_path, ["a.example"]).ca
    way_out = Exit(ca_bundle=bundle)
    shared = way_out.http_tls()
    assert way_out.http_tls() is shared
    assert way_out.http_tls(_Line) is not shared
    assert way_out.tls() is not shared
    os.utime(bundle, ns=(1, 1))
    assert way_out.http_tls() is not shared


class _Line(ssl.SSLSocket):
    """A socket of some client's own class."""
