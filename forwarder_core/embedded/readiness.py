"""Ready checks for child processes: short, never raising, never through a proxy."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from contextlib import closing

from forwarder_core.embedded.ports import LOOPBACK

Ready = Callable[[], bool]
_TIMEOUT_S = 2.0


def listens(port: int, host: str = LOOPBACK) -> Ready:
    """Whether something accepts connections there."""

    def ready() -> bool:
        try:
            with closing(socket.create_connection((host, port), _TIMEOUT_S)):
                return True
        except OSError:
            return False

    return ready


def answers(port: int, path: str, host: str = LOOPBACK) -> Ready:
    """Whether `http://host:port/path` answers with anything below 500."""

    def ready() -> bool:
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", path)
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return ready
