"""How the launcher and its server talk: a unix socket, one line of JSON asked, one answered, then it is closed.

What lives here: the socket's place and both ends of it, the requests. What does not: what they mean (server).
The fact to know: a socket's path may be 107 bytes long and a home may lie deeper, so on Linux both ends reach the
socket through a descriptor of its folder. Only run ids travel: the server takes no code and no address from a client.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

SOCKET = "socket"
_MOST_BYTES = 65_536
_RUN_ID = re.compile(r"[0-9A-Za-z-]{1,64}")  # it becomes the name of a file

Answer = Mapping[str, Any]


class Refused(Exception):
    """The server answered that it will not or cannot."""


class Act(StrEnum):
    LAUNCH = "launch"
    TERMINATE = "terminate"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Request:
    """`status` without a run id asks after the server itself."""

    act: Act
    run_id: str = ""

    @classmethod
    def parse(cls, line: bytes) -> Request:
        """Raises ValueError on anything that is not a request."""
        said = json.loads(line)
        if not isinstance(said, dict) or not isinstance(said.get("run_id"), str):
            raise ValueError("not a request")
        request = cls(Act(str(said.get("act"))), said["run_id"])
        if not _RUN_ID.fullmatch(request.run_id) and (request.run_id or request.act is not Act.STATUS):
            raise ValueError("not a run id")
        return request


def ask(folder: Path, request: Request, timeout_s: float = 5.0) -> Answer:
    """Raises OSError where no server listens or it falls silent, Refused with its reason."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as talk:
        talk.settimeout(timeout_s)
        with _address(folder) as address:
            talk.connect(address)
        send(talk, asdict(request))
        line = receive(talk)
    if not line:
        raise ConnectionResetError("the launcher's server hung up")
    said: dict[str, Any] = json.loads(line)
    if "error" in said:
        raise Refused(str(said["error"]))
    return said


def listen(folder: Path) -> socket.socket:
    """The server's end. A socket left behind by a killed server is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    (folder / SOCKET).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _address(folder) as address:
        listener.bind(address)
    listener.listen(64)
    return listener


def send(talk: socket.socket, said: Answer) -> None:
    talk.sendall(json.dumps(said).encode() + b"\n")


def receive(talk: socket.socket) -> bytes:
    """One line; empty when the other side hung up before its end."""
    line = b""
    while not line.endswith(b"\n"):
        part = talk.recv(4096)
        if not part or len(line) > _MOST_BYTES:
            return b""
        line += part
    return line


@contextmanager
def _address(folder: Path) -> Iterator[str]:
    if sys.platform != "linux":
        yield str(folder / SOCKET)
        return
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)
