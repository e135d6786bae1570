"""How long an answer may take, how large it may grow, how long it may have us wait: each bound on a real socket."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from forwarder_core import bounds
from forwarder_core.bounds import LONGEST_WAIT_S, AnswerTooLarge, Deadline, told_wait_s, unpacked
from forwarder_core.egress import Exit, ProxyAddress, download, network_failure
from forwarder_core.errors import NetworkFailed, PlatformTransient

HERE = ("127.0.0.0/8",)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
Talk = Callable[[socket.socket], None]


@contextmanager
def server(talk: Talk) -> Iterator[str]:
    """Says what `talk` says to every caller, and yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    line, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(line,), daemon=True).start()

        def answer(line: socket.socket) -> None:
            with line:
                line.recv(65536)
                try:
                    talk(line)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


def drip(piece: bytes, every_s: float = 0.05, times: int = 600) -> Talk:
    def talk(line: socket.socket) -> None:
        line.sendall(HEAD + b"\r\n" if piece == b" " else b"HTTP/1.1 200 OK\r\n")
        for _ in range(times):
            line.sendall(piece)
            time.sleep(every_s)

    return talk


@pytest.mark.parametrize("piece", [b" ", b"X: y\r\n"], ids=["body", "headers"])
def test_an_answer_that_drips_is_cut_by_a_total(piece: bytes) -> None:
    began = time.monotonic()
    with (
        server(drip(piece)) as url,
        Exit(answer_s=0.4).http(read_timeout_s=30) as client,
        pytest.raises(httpx.ReadTimeout) as caught,
    ):
        client.get(url)
    assert time.monotonic() - began < 3
    assert isinstance(network_failure(caught.value, Exit()), NetworkFailed)


def test_a_proxy_that_drips_is_cut_too() -> None:
    with server(drip(b"X: y\r\n")) as url:
        exit_ = Exit(ProxyAddress("http", "127.0.0.1", int(url.rsplit(":")[-1].strip("/"))), answer_s=0.4)
        with exit_.http(read_timeout_s=30) as client, pytest.raises(httpx.TransportError):
            client.get("https://platform.example/")


def test_each_exchange_has_its_own_time_and_may_bring_another() -> None:
    with server(drip(b" ", 0.02, 10)) as url, Exit(answer_s=5).http() as client:
        for _ in range(2):
            assert client.get(url).status_code == 200
        with pytest.raises(httpx.ReadTimeout):
            client.get(url, extensions={"total_s": 0.05})


def test_a_download_that_keeps_dripping_is_cut_and_one_that_comes_is_not(tmp_path: Path) -> None:
    into, began = tmp_path / "f", time.monotonic()
    ignore = lambda done, total: None  # noqa: E731
    with server(drip(b" ")) as url, pytest.raises((NetworkFailed, PlatformTransient)):
        download(Exit(answer_s=0.4, allowed_networks=HERE), url, into, max_bytes=10_000, progress=ignore)
    assert time.monotonic() - began < 3 and not list(tmp_path.iterdir())

    def steady(line: socket.socket) -> None:
        """Longer than the patience in all, but faster than the slowest rate."""
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: 500000\r\n\r\n")
        for _ in range(10):
            line.sendall(bytes(50_000))
            time.sleep(0.1)

    with server(steady) as url:
        assert (
            download(Exit(answer_s=0.4, allowed_networks=HERE), url, into, max_bytes=10**6, progress=ignore).size_bytes
            == 500_000
        )


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
def test_a_packed_answer_is_unpacked_up_to_its_bound(packing: str) -> None:
    pack = gzip.compress if packing == "gzip" else zlib.compress

    def saying(content: bytes) -> Talk:
        body = pack(content)
        head = HEAD + f"Content-Encoding: {packing}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        return lambda line: line.sendall(head + body)

    with server(saying(b'{"a": 1}')) as url, Exit().http() as client:
        assert client.get(url).json() == {"a": 1}
    with (
        server(saying(bytes(2_000_000))) as url,
        Exit().http(most_bytes=1_000_000) as client,
        pytest.raises(AnswerTooLarge),
    ):
        client.get(url)


def test_nothing_is_unpacked_that_was_to_come_as_it_is(tmp_path: Path) -> None:
    body = gzip.compress(b"x" * 1000, mtime=0)
    talk: Talk = lambda line: line.sendall(HEAD + b"Content-Encoding: gzip\r\n\r\n" + body)  # noqa: E731
    with server(talk) as url, pytest.raises(PlatformTransient):
        download(Exit(allowed_networks=HERE), url, tmp_path / "f", max_bytes=10_000, progress=lambda done, total: None)


@pytest.mark.parametrize(
    ("content", "packing"),
    [(b"no gzip", "gzip"), (gzip.compress(bytes(1000), mtime=0)[:-12], "gzip"), (b"x", "br"), (b"x", "gzip, gzip")],
)
def test_what_cannot_be_unpacked_is_an_answer_that_cannot_be_read(content: bytes, packing: str) -> None:
    with pytest.raises(httpx.DecodingError):
        b"".join(unpacked(iter([content]), packing))


def test_unpacking_makes_small_steps_of_large_things() -> None:
    pieces = list(unpacked(iter([gzip.compress(bytes(50_000_000))]), "gzip"))
    assert max(map(len, pieces)) <= 65_536 and sum(map(len, pieces)) == 50_000_000


@pytest.mark.parametrize(
    ("said", "date", "expected"),
    [
        ("90", "", 90.0),
        ("1.5", "", 1.5),
        ("0", "", 0.0),
        ("9" * 30, "", LONGEST_WAIT_S),
        ("99999999", "", LONGEST_WAIT_S),
        ("-5", "", None),
        ("1e9", "", None),
        ("nan", "", None),
        ("inf", "", None),
        ("²", "", None),
        ("٣", "", None),
        ("soon", "", None),
        ("", "", None),
        ("Sat, 21 Nov 2026 10:05:00 GMT", "Sat, 21 Nov 2026 10:00:00 GMT", 300.0),
        ("Sat, 21 Nov 2026 09:05:00 GMT", "Sat, 21 Nov 2026 10:00:00 GMT", None),
        ("Sat, 21 Nov 2126 10:05:00 GMT", "Sat, 21 Nov 2026 10:00:00 GMT", LONGEST_WAIT_S),
        ("Sat, 21 Nov 2026 10:05:00 GMT", "", None),
        ("Sat, 99 Nov 2026 10:05:00 GMT", "Sat, 21 Nov 2026 10:00:00 GMT", None),
    ],
)
def test_a_wait_is_taken_as_told_a_day_at_most_and_never_invented(said: str, date: str, expected: float | None) -> None:
    assert told_wait_s({"retry-after": said, "date": date}) == expected
    assert told_wait_s({"Retry-After": said, "Date": date}) == expected


def test_a_deadline_that_was_earned_moves_on() -> None:
    deadline = Deadline(0.05)
    deadline.begin()
    assert 0 < deadline.left(None) <= 0.05 and deadline.left(0.01) == 0.01
    deadline.extend(10)
    assert deadline.left(None) > 5 and not deadline.is_over
    deadline.begin(0)
    assert deadline.is_over
    with pytest.raises(TimeoutError):
        deadline.left(1)
    assert bounds.ANSWER_S > 0
