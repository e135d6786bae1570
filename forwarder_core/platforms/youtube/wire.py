"""httplib2, the transport of Google's client library, built from our `Exit`: its proxy, its certificates, its timeouts.

What lives here: the connection and the `Http` over it. What does not: sign-in (tokens.py) and calls (client.py).
The fact to know: httplib2 left to itself sends a request again when the connection closes instead of answering, and
follows a 308 as a redirect. For an upload both are wrong: the bytes may have arrived, and 308 means “go on”. And its
timeout is for each wait alone, its memory for an answer without limit: both are bounded here, below it.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from dataclasses import dataclass
from typing import Any

import httplib2

from forwarder_core import tunnels
from forwarder_core.bounds import MOST_ANSWER_BYTES, Deadline
from forwarder_core.egress import CONNECT_TIMEOUT_S, READ_TIMEOUT_S, Exit

_STEP_BYTES = 64 * 1024
_PACKED_STEP_BYTES = 4 * 1024  # each becomes four megabytes at most, the limit being looked at in between


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds. A write counts as one wait for the whole body: a chunk of 8 MiB passes down to 0.6 Mbit/s.

    So the longest that one chunk can take is connect + upload for the write + upload for the answer, 255 s. A question
    takes what the exit allows an answer.
    """

    connect_s: float = CONNECT_TIMEOUT_S
    read_s: float = READ_TIMEOUT_S
    upload_s: float = 120.0


class AnswerTooLarge(http.client.HTTPException):
    """The answer grows beyond what any answer of the API can be."""


class _Line(ssl.SSLSocket):
    """A socket whose waits together keep a deadline."""

    deadline: Deadline | None = None
    patience_s: float | None = None

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._hurry()
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self._hurry()
        return super().send(*args, **kwargs)

    def _hurry(self) -> None:
        if self.deadline is not None:
            self.settimeout(self.deadline.left(self.patience_s))


class _Answer(http.client.HTTPResponse):
    def read(self, amt: int | None = None) -> bytes:
        """All of it is read in steps. Raises AnswerTooLarge, and IncompleteRead where less comes than announced."""
        if amt is not None:
            return super().read(amt)
        body = bytearray()
        while piece := super().read(_STEP_BYTES):
            body += piece
            if len(body) > MOST_ANSWER_BYTES:
                raise AnswerTooLarge(f"larger than {MOST_ANSWER_BYTES} bytes")
        if self.length:
            raise http.client.IncompleteRead(bytes(body), self.length)
        return bytes(body)


def open_wire(exit_: Exit, timeouts: Timeouts) -> httplib2.Http:
    """A transport that goes this way and no other, whatever the environment says. Not to be shared by threads."""
    wire = _Wire(
        proxy_info=None,  # leaving it out would read the environment; ours is the connection's
        timeout=timeouts.connect_s,
        decode_limit_hard=MOST_ANSWER_BYTES,
        decode_limit_chunk=_PACKED_STEP_BYTES,
    )
    its = {"exit_": exit_, "tls": exit_.http_tls(_Line), "timeouts": timeouts}
    wire.connection_type = type("Connection", (_Connection,), its)
    wire.redirect_codes = wire.redirect_codes - {308}
    return wire


class _Connection(httplib2.HTTPSConnectionWithTimeout):  # type: ignore[misc]
    response_class = _Answer
    sock: Any  # a _Line, as `tls` makes them
    tls: ssl.SSLContext
    exit_: Exit
    timeouts: Timeouts

    def __init__(self, host: str, port: int | None = None, **kwargs: Any) -> None:
        # Not httplib2's own: that reads its bundled certificates for each connection, a tenth of what a forward costs,
        # and would trust them instead of the system's.
        http.client.HTTPSConnection.__init__(self, host, port, timeout=kwargs["timeout"], context=self.tls)
        self._is_upload = False

    def connect(self) -> None:
        """Through the exit's proxy, if it has one. Not httplib2's own: of a proxy's answer that takes the first line,
        and a header in a packet of its own is then taken for TLS. Raises TunnelRefused."""
        proxy = self.exit_.proxy
        if proxy is None:
            bare = socket.create_connection((self.host, self.port), self.timeout)
            bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            bare = tunnels.connect(proxy, self.host, self.port, self.timeout)
        self.sock = self.tls.wrap_socket(bare, server_hostname=self.host)

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **kwargs: Any) -> None:
        self._is_upload = method == "PUT" and bool(body)
        self.sock.patience_s = self.timeouts.upload_s if self._is_upload else self.timeouts.read_s
        self.sock.deadline = Deadline(2 * self.timeouts.upload_s if self._is_upload else self.exit_.answer_s)
        self.sock.deadline.begin()
        super().request(method, url, body, headers or {}, **kwargs)

    def getresponse(self) -> Any:
        try:
            return super().getresponse()
        except (http.client.BadStatusLine, http.client.ResponseNotReady) as e:
            if not self._is_upload:
                raise  # a kept connection gone stale: httplib2 asks again on a fresh one
            raise ConnectionResetError("the connection closed before the upload was answered") from e


class _Wire(httplib2.Http):  # type: ignore[misc]
    connection_type: type[_Connection]

    def request(self, *args: Any, **kwargs: Any) -> Any:
        return super().request(*args, **{**kwargs, "connection_type": self.connection_type})
