"""Proxies of one's own making: each treats whoever connects as it was told to, over real sockets."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from forwarder_core.egress import ProxyAddress

Behaviour = Callable[[socket.socket], None]


@contextmanager
def proxy(behave: Behaviour, scheme: str = "http", **login: str) -> Iterator[ProxyAddress]:
    """A proxy whose every client is treated by `behave`, and hung up on."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = server.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with client, suppress(OSError, ssl.SSLError):
                    client.settimeout(5)
                    behave(client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield ProxyAddress(scheme, "127.0.0.1", server.getsockname()[1], **login)
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(5)


def says(*answers: bytes) -> Behaviour:
    """Reads and answers in turn, then hangs up."""

    def behave(client: socket.socket) -> None:
        for answer in answers:
            client.recv(4_096)
            client.sendall(answer)

    return behave
