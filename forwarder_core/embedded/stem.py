"""`python -m forwarder_core.embedded.stem MODULE FUNCTION ROOM`: calls that function, which imports what several
services need, and then becomes each of them in a fork, so that they share its pages and import nothing again.

What lives here: the process. What does not: whom it is asked for (stack) and who asks (offshoots), over the socket that
is its standard input. The fact to know: a fork is handed to the supervisor before it becomes anything (the process
between them ends, and the supervisor has made itself the next parent), so a stem that dies takes nobody with it. A
service sees the code as it was when its stem started. ROOM is blank, and is where /proc shows a fork's own words.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import runpy
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from forwarder_core.embedded.environment import take_on
from forwarder_core.embedded.forking import following, prove_forkable

READY, GO = b"ready", b"go"
MOST_BYTES = 200_000
_HANDED_OVER_S = 10.0
_ARGUMENTS_BEGIN, _ARGUMENTS_END = 45, 46  # of /proc/PID/stat, counted after the name: proc(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """What a fork is to become: `argv` as of `python -m`, `signal` what it gets when its parent dies."""

    argv: Sequence[str]
    cwd: str
    env: Mapping[str, str] = field(repr=False)
    parent: int
    signal: int


def main(arguments: Sequence[str]) -> None:
    module, function, *_ = arguments
    gc.disable()  # what is found to be garbage leaves holes in pages that would be shared
    getattr(importlib.import_module(module), function)()
    prove_forkable()
    gc.collect()
    gc.freeze()
    birth = serve(socket.socket(fileno=os.dup(0)))
    if birth is not None:
        gc.enable()
        sys.argv = [birth.argv[2], *birth.argv[3:]]
        runpy.run_module(birth.argv[2], run_name="__main__", alter_sys=True)


def serve(channel: socket.socket) -> Birth | None:
    """Fork whom it is asked for: a birth in each fork, None in the stem itself when its supervisor hung up."""
    channel.send(READY)
    while True:
        said, descriptors, _, _ = socket.recv_fds(channel, MOST_BYTES, 3)
        if not said:
            return None
        between = os.fork()
        if between == 0:
            if os.fork():
                os._exit(0)
            channel.close()
            birth = Birth(**json.loads(said))
            _settle(birth, *descriptors)
            return birth
        os.waitpid(between, 0)
        for descriptor in descriptors:
            os.close(descriptor)


def _settle(birth: Birth, log: int, talk: int, stdin: int | None = None) -> None:
    """Be what `spawn` makes of a child: its parent, session, descriptors, folder, environment and name."""
    _await_parent(birth.parent)
    follow = following(birth.parent, birth.signal)
    if follow is not None:
        follow()
    os.setsid()
    with socket.socket(fileno=talk) as supervisor:
        supervisor.send(str(os.getpid()).encode())
        if supervisor.recv(len(GO)) != GO:  # it has given us up, and may have started another
            os._exit(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for theirs, ours in ((nothing if stdin is None else stdin, 0), (log, 1), (log, 2)):
        os.dup2(theirs, ours)
    for spent in {nothing, log, stdin} - {None}:
        os.close(int(spent or 0))
    os.chdir(birth.cwd)
    take_on(birth.env)
    _show(birth.argv)


def _await_parent(parent: int) -> None:
    end = time.monotonic() + _HANDED_OVER_S
    while os.getppid() != parent:
        if time.monotonic() > end:
            os._exit(1)
        time.sleep(0.001)


def _show(argv: Sequence[str]) -> None:
    """Have /proc show these words as our command line, in the place of the stem's and as far as there is room."""
    fields = Path("/proc/self/stat").read_text("utf-8").rpartition(")")[2].split()
    begin, end = int(fields[_ARGUMENTS_BEGIN]), int(fields[_ARGUMENTS_END])
    words = b"".join(os.fsencode(word) + b"\0" for word in argv)[: max(0, end - begin - 1)]
    if begin:
        ctypes.memmove(begin, words.ljust(end - begin, b"\0"), end - begin)


if __name__ == "__main__":
    main(sys.argv[1:])
