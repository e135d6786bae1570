"""A pooler before PostgreSQL, as small as one can be: by session or by transaction, over real sockets.

No tests here. The fact to know: like PgBouncer it tells its clients a process number of its own, and gives the session
that came back last to whoever asks next. It signs in by libpq and takes the socket from there.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import psycopg
from sqlalchemy.engine import URL

_PLAIN = {"sslmode": "disable", "gssencmode": "disable"}
_VERSION = b"\0".join((b"server_version", b"18.0", b""))
_GREETING = (b"R", bytes(4)), (b"S", _VERSION), (b"K", struct.pack("!II", 7, 7)), (b"Z", b"I")


@contextmanager
def pooling(url: URL, *, by_session: bool) -> Iterator[str]:
    """The same databases by way of a pooler."""
    idle = defaultdict[str, list[Any]](list)
    with ExitStack() as held, ThreadingTCPServer(("127.0.0.1", 0), StreamRequestHandler) as server:

        def take(dbname: str) -> Any:
            if idle[dbname]:
                return idle[dbname].pop()
            address = url.set(drivername="postgresql", database=dbname).update_query_dict(_PLAIN)
            session = held.enter_context(psycopg.connect(address.render_as_string(hide_password=False)))
            with socket.socket(fileno=os.dup(session.fileno())) as taken:
                taken.setblocking(True)
                return held.enter_context(closing(taken.makefile("rwb")))

        class Talk(StreamRequestHandler):
            def handle(self) -> None:
                (size,) = struct.unpack("!I", self.rfile.read(4))
                words = self.rfile.read(size - 4)[4:].decode().split("\0")
                dbname = dict(zip(words[::2], words[1::2], strict=False))["database"]
                at_work: Any = None
                self.wfile.write(b"".join(_packet(*each) for each in _GREETING))
                while (said := _read(self.rfile))[0] not in (b"", b"X"):
                    at_work = at_work or take(dbname)
                    at_work.write(_packet(*said))
                    at_work.flush()
                    answer = (b"", b"")
                    while said[0] in b"QS" and answer[0] != b"Z":  # answered up to a "ready" that tells its transaction
                        answer = _read(at_work)
                        self.wfile.write(_packet(*answer))
                    if answer == (b"Z", b"I") and not by_session:
                        idle[dbname].append(at_work)
                        at_work = None

        server.RequestHandlerClass = Talk
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield url.set(port=server.server_address[1]).update_query_dict(_PLAIN).render_as_string(hide_password=False)
        finally:
            server.shutdown()


def _packet(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def _read(file: Any) -> tuple[bytes, bytes]:
    """Its kind and its body; nothing where the other side is gone."""
    kind = file.read(1)
    return (kind, file.read(struct.unpack("!I", file.read(4))[0] - 4)) if kind else (b"", b"")
