"""The reader of video files, kept for many: one process that has the library imported and forks another for each file.

What lives here: starting it, asking it. What does not: what it reads (probe_child), what is made of that (probe). Most
of a probe is the import (0.09 of 0.11 CPU-s), so a process whose forks carry jobs starts one reader for all of them.
The fact to know: what touches a file is a process of its own as ever, within the same limits and without our secrets. A
reader that has gone, or has nothing to say of a file, is no failure: the file is read by a process for it alone.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from forwarder_core.media.process import bare_environment, prefix

_CHILD = Path(__file__).with_name("probe_child.py")
_ANSWER_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Reader:
    """Ends with the thread that started it, and when nobody is left who could ask."""

    process: subprocess.Popen[bytes]
    line: socket.socket

    @classmethod
    def start(cls) -> Reader:
        """Raises OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [*prefix(), *command()],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=environment(),
            )
        return cls(process, ours)

    def ask(self, arguments: Sequence[str], timeout_s: float) -> bytes:
        """What the child would print for these arguments; empty where its process was ended. Raises OSError where the
        reader has gone or `timeout_s` passes without a word."""
        here, there = socket.socketpair()
        with here:
            with there:
                socket.send_fds(self.line, [json.dumps(arguments).encode()], [there.fileno()])
            here.settimeout(timeout_s)
            said = b""
            while part := here.recv(_ANSWER_BYTES):
                said += part
        return said

    def end(self) -> None:
        self.line.close()
        self.process.wait()


_kept: list[Reader] = []


def keep() -> None:
    """Have what this process and its forks read go through one reader. Raises OSError."""
    if not _kept:
        _kept.append(Reader.start())


def kept() -> Reader | None:
    return _kept[0] if _kept else None


def command() -> list[str]:
    """`-P` keeps the folder of the script, and with it our module names, off its path."""
    return [sys.executable, "-P", "-S", "-B", str(_CHILD)]


def environment() -> dict[str, str]:
    return bare_environment() | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
