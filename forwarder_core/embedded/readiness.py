"""Ready checks for child processes: short, never raising, never through a proxy."""

from __future__ import annotations

import http.client
import os
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

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


def accepts(path: Path) -> Ready:
    """Whether something accepts connections at this unix socket."""

    def ready() -> bool:
        try:
            with closing(socket.socket(socket.AF_UNIX)) as talk:
                talk.settimeout(_TIMEOUT_S)
                _connect(talk, path)
                return True
        except OSError:
            return False

    return ready


def _connect(talk: socket.socket, path: Path) -> None:
    """A socket's path may be 107 bytes long and a home may lie deeper; Linux reaches it through its folder."""
    if sys.platform != "linux":
        talk.connect(str(path))
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        talk.connect(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


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
