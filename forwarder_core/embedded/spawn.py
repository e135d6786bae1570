"""Starting and ending one child process, so that none outlives us.

What lives here: a command, its start in a session of its own, its end with everything it started.
What does not: which processes there are (stack), in which order and how often (supervisor).
The fact to know: the kernel's parent-death signal follows the *thread* that started the child. Spawn from the main
thread, or the child dies with whichever thread it was.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from forwarder_core.embedded.forking import following

_POLL_S = 0.02
_TAIL_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class User:
    """Whom a child runs as, where that is not ourselves."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program to start. `env` is the whole environment, nothing is inherited; None = ours."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] | None = field(default=None, repr=False)
    user: User | None = None
    stop_signal: signal.Signals = signal.SIGTERM


def spawn(
    command: Command, log: IO[bytes] | int, stdin: IO[bytes] | int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start it in its own session, its output in `log`; it gets its stop signal when we die, however we die."""
    # setuid clears the parent-death signal; preexec_fn runs after setuid, so it is set there.
    return subprocess.Popen(
        command.argv,
        cwd=command.cwd,
        env=None if command.env is None else dict(command.env),
        stdin=stdin,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=following(os.getpid(), command.stop_signal),
        user=command.user.uid if command.user else None,
        group=command.user.gid if command.user else None,
        extra_groups=[] if command.user else None,
    )


def stop(child: subprocess.Popen[bytes], number: signal.Signals, grace_s: float) -> None:
    """Signal the child; after `grace_s` kill it and all it started. Returns within `grace_s` and a little more."""
    if child.poll() is None:
        child.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(grace_s)
    kill_group(child.pid)
    with suppress(subprocess.TimeoutExpired):  # stuck in the kernel, on a dead disk: not ours to wait for
        child.wait(5)


def kill_group(group: int) -> None:
    """Kill what is left of a session we started. Its id cannot be another's while a member lives."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def wait_until(ready: Callable[[], bool], deadline_s: float) -> bool:
    """Whether `ready` came true in time."""
    end = time.monotonic() + deadline_s
    while not ready():
        if time.monotonic() > end:
            return False
        time.sleep(_POLL_S)
    return True


def tail(path: Path, lines: int = 12, *, since: int = 0) -> str:
    """The last lines of a log, for an error message; `since`: the position its last start began at."""
    try:
        with path.open("rb") as f:
            end = f.seek(0, os.SEEK_END)
            f.seek(max(min(since, end), end - _TAIL_BYTES))
            text = f.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
