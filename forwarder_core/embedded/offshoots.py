"""The supervisor's end of a stem: asks it for a fork, and holds that fork as it holds any child.

What lives here: the talk with a stem, a child that no Popen started. What does not: the stem's process (stem), when
it is asked (supervisor). The fact to know: while a fork is handed over we are the parent of whatever below us loses
its own (PR_SET_CHILD_SUBREAPER); afterwards no longer, so that the orphans of our services go to init as ever.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import IO, Protocol

from forwarder_core.embedded import stem
from forwarder_core.embedded.spawn import Command, wait_until

_PR_SET_CHILD_SUBREAPER = 36
_ANSWER_WITHIN_S = 15.0


class StemSilent(OSError):
    """It is gone, or forked nobody in time; nobody lives whom it forked for us."""


class Child(Protocol):
    """What the supervisor needs of a child; a Popen is one."""

    pid: int

    @property
    def returncode(self) -> int | None: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...


class Offshoot:
    """A child of this process that a stem forked."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    @property
    def returncode(self) -> int | None:
        return self._code

    def poll(self) -> int | None:
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        if not wait_until(lambda: self.poll() is not None, float("inf") if timeout is None else timeout):
            raise subprocess.TimeoutExpired([str(self.pid)], timeout or 0.0)
        return self._code or 0

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:  # not reaped, so the number is still its own
            os.kill(self.pid, sig)


class Stem:
    """One stem, through all its restarts."""

    def __init__(self) -> None:
        self._channel: socket.socket | None = None
        self._is_ready = False

    def open(self) -> socket.socket:
        """The end for the process that is about to start; it is the caller's to close."""
        self.close()
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return theirs

    def close(self) -> None:
        self._is_ready = False
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def is_ready(self) -> bool:
        """Whether it has imported everything, and was alive when it said so."""
        if not self._is_ready and self._channel is not None:
            with suppress(OSError):
                self._is_ready = self._channel.recv(len(stem.READY), socket.MSG_DONTWAIT) == stem.READY
        return self._is_ready

    def fork(self, command: Command, log: IO[bytes], stdin: socket.socket | None = None) -> Offshoot:
        """Have it become `command`, a `python -m` with an environment of its own. Raises StemSilent."""
        if self._channel is None or command.env is None or not self.is_ready():
            raise StemSilent("It is not ready.")
        wanted = stem.Birth(
            argv=command.argv,
            cwd=str(command.cwd),
            env=dict(command.env),
            parent=os.getpid(),
            signal=int(command.stop_signal),
        )
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        handed = [log.fileno(), theirs.fileno(), *([stdin.fileno()] if stdin else [])]
        with ours, theirs, _next_parent():
            ours.settimeout(_ANSWER_WITHIN_S)
            try:
                socket.send_fds(self._channel, [json.dumps(asdict(wanted)).encode()], handed)
                theirs.close()
                said = ours.recv(32)
            except OSError as e:
                raise StemSilent(f"It does not answer ({type(e).__name__}).") from e
            if not said:
                raise StemSilent("It died, or the fork did.")
            with suppress(BrokenPipeError):  # killed already: it is ours, and found dead like any child
                ours.send(stem.GO)
        return Offshoot(int(said))


@contextmanager
def _next_parent() -> Iterator[None]:
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0)
