"""The bounds of an answer: how long it may take in all, how large it may grow, how long it may tell us to wait.

What lives here: one deadline for a whole exchange, an httpx transport that keeps it and the size, the reading of
`Retry-After`. What does not: which way out is taken (`egress`), what an answer means.
The fact to know: every client library limits the wait for the next byte, none the whole: a far end that sends a byte
now and then holds a worker for hours. And a few kilobytes of gzip become gigabytes unless unpacking itself is bounded.
"""

from __future__ import annotations

import math
import re
import ssl
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

ANSWER_S = 120.0  # one exchange in all, from connecting to the last byte, unless its caller knows better
MOST_ANSWER_BYTES = 8 * 1024 * 1024  # unpacked; fifty posts with long captions are a twentieth of it
LONGEST_WAIT_S = 24 * 3600.0  # whoever tells us to wait longer is asked again a day later
PACKINGS = "gzip, deflate"

Guard = Callable[[str, int], str]
_STEP_BYTES = 64 * 1024
_SECONDS = re.compile(r"\d{1,18}(?:\.\d{1,6})?", re.ASCII)


class AnswerTooLarge(httpx.DecodingError):
    """The answer grows beyond what any answer to this question can be."""


class ForbiddenAddress(httpx.RequestError):
    """The far end leads to an address that may not be connected to."""


class Deadline:
    """A point in monotonic time that one exchange must not pass. `begin` sets it anew, `extend` moves it on."""

    def __init__(self, total_s: float) -> None:
        self.total_s = total_s
        self._until = math.inf

    def begin(self, total_s: float | None = None) -> None:
        self._until = time.monotonic() + (self.total_s if total_s is None else total_s)

    def extend(self, seconds: float) -> None:
        self._until += seconds

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._until

    def left(self, at_most_s: float | None) -> float:
        """Seconds that may still be waited, `at_most_s` of them. Raises TimeoutError when there are none."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long in all")
        return left if at_most_s is None else min(left, at_most_s)


class BoundedTransport(httpx.BaseTransport):
    """httpx's own transport, with a deadline over each exchange and a limit on each answer's unpacked body.

    A request may bring a deadline of its own in its extension `total_s`. `guard`: what to connect to for a host and
    port, asked for every request; a proxy is handed the name, and connects itself.
    """

    def __init__(
        self,
        *,
        proxy: str | None,
        tls: ssl.SSLContext,
        deadline: Deadline,
        most_bytes: int = MOST_ANSWER_BYTES,
        guard: Guard | None = None,
    ) -> None:
        self._deadline, self._most_bytes = deadline, most_bytes
        self._asks_first = guard if proxy else None
        self._inner = httpx.HTTPTransport(verify=tls, trust_env=False, proxy=httpx.Proxy(proxy) if proxy else None)
        # httpx has no public way to hand on a network backend, and a deadline or a guard above it comes too late: only
        # here is it known what a socket is opened to and waited for. A test notices when this moves.
        pool: Any = self._inner._pool
        pool._network_backend = _Backend(pool._network_backend, deadline, None if proxy else guard)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._deadline.begin(request.extensions.get("total_s"))
        if self._asks_first is not None:
            port = request.url.port or (443 if request.url.scheme == "https" else 80)
            _asked(self._asks_first, request.url.host, port)
        answer = self._inner.handle_request(request)
        packing = answer.headers.get("content-encoding", "").strip().lower()
        if packing not in ("", "identity") and request.headers.get("accept-encoding") == "identity":
            answer.close()
            raise httpx.DecodingError("packed, though it was asked for as it is")
        headers = [
            (name, value)
            for name, value in answer.headers.raw
            if not packing or name.lower() not in (b"content-encoding", b"content-length")
        ]
        stream = _BoundedStream(answer.stream, packing, self._most_bytes)
        return httpx.Response(answer.status_code, headers=headers, stream=stream, extensions=answer.extensions)

    def close(self) -> None:
        self._inner.close()


class _BoundedStream(httpx.SyncByteStream):
    def __init__(self, inner: Any, packing: str, most_bytes: int) -> None:
        self._inner, self._packing, self._most_bytes = inner, packing, most_bytes

    def __iter__(self) -> Iterator[bytes]:
        done = 0
        for piece in unpacked(self._inner, self._packing):
            done += len(piece)
            if done > self._most_bytes:
                raise AnswerTooLarge(f"larger than {self._most_bytes} bytes")
            yield piece

    def close(self) -> None:
        self._inner.close()


def unpacked(pieces: Iterator[bytes], packing: str) -> Iterator[bytes]:
    """`pieces` without their content encoding, never more than a step of it at once. Raises httpx.DecodingError."""
    if packing in ("", "identity"):
        yield from pieces
        return
    if packing not in ("gzip", "x-gzip", "deflate"):
        raise httpx.DecodingError("packed in a way that was not asked for")
    opener = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, by its first bytes
    try:
        for piece in pieces:
            while piece:
                yield opener.decompress(piece, _STEP_BYTES)
                piece = opener.unconsumed_tail
        yield opener.flush()
    except zlib.error as e:
        raise httpx.DecodingError("packed, but cannot be unpacked") from e
    if not opener.eof:
        raise httpx.DecodingError("packed, and ends before its end")


def told_wait_s(headers: Mapping[str, str]) -> float | None:
    """What `Retry-After` asks, in seconds, a day at most; None where it says nothing that can be used.

    Seconds or a date; the date counts from the answer's own `Date`, so that no clock of ours comes into it. Names of
    `headers` in lower case, or a mapping that does not mind.
    """
    said = str(headers.get("retry-after") or headers.get("Retry-After") or "").strip()
    if _SECONDS.fullmatch(said):
        return min(float(said), LONGEST_WAIT_S)
    now = str(headers.get("date") or headers.get("Date") or "")
    try:
        wait_s = (parsedate_to_datetime(said) - parsedate_to_datetime(now)).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return LONGEST_WAIT_S if said.isascii() and said.isdigit() else None
    return min(wait_s, LONGEST_WAIT_S) if wait_s > 0 else None


class _Backend:
    """httpcore's network, each wait on it cut to what the deadline leaves."""

    def __init__(self, inner: Any, deadline: Deadline, guard: Guard | None) -> None:
        self._inner, self._deadline, self._guard = inner, deadline, guard

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **more: Any) -> _Line:
        to = host if self._guard is None else _asked(self._guard, host, port)
        return _Line(self._inner.connect_tcp(to, port, _left(self._deadline, timeout), **more), self._deadline)

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Line:
    def __init__(self, inner: Any, deadline: Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return bytes(self._inner.read(max_bytes, _left(self._deadline, timeout)))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(self._deadline, timeout))

    def start_tls(self, ssl_context: Any, server_hostname: Any = None, timeout: float | None = None) -> _Line:
        return _Line(
            self._inner.start_tls(ssl_context, server_hostname, _left(self._deadline, timeout)), self._deadline
        )

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    def close(self) -> None:
        self._inner.close()


def _asked(guard: Guard, host: str, port: int) -> str:
    try:
        return guard(host, port)
    except PermissionError as e:
        raise ForbiddenAddress(e.strerror or str(e)) from e
    except OSError as e:
        raise httpx.ConnectError(e.strerror or str(e)) from e


def _left(deadline: Deadline, at_most_s: float | None) -> float:
    try:
        return deadline.left(at_most_s)
    except TimeoutError as e:
        raise httpx.ReadTimeout(str(e)) from e
