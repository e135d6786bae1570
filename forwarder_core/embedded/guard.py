"""The process that cleans up when the supervisor is killed: ends every session it was told of, then itself.

It reads lines from a pipe the supervisor holds: `+ <session> <signal>`, `- <session>`. The pipe's end is the
supervisor's death, whatever it died of; after an orderly stop there is no session left to end.
The fact to know: this file runs alone, isolated and without site-packages, so it imports only the standard library.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

GRACE_S = 4.0
_POLL_S = 0.1


def members(session: int) -> list[int]:
    """Processes of that session that are not dead already. A session outlives its leader."""
    return [pid for pid in _pids() if _belongs(pid, session)]


def _pids() -> Iterable[int]:
    with suppress(OSError):
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return []


def _belongs(pid: int, session: int) -> bool:
    try:
        if os.getsid(pid) != session:
            return False
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] not in "ZX"
    except (OSError, IndexError):
        return False


def kill_session(session: int) -> None:
    """Kill all that is left of it."""
    for pid in members(session):
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def end_all(sessions: dict[int, int], grace_s: float = GRACE_S) -> None:
    """Signal each leader, the latest started first; kill what is left when the time is over."""
    for session, number in reversed(sessions.items()):
        with suppress(OSError):
            os.kill(session, number)
    end = time.monotonic() + grace_s
    while time.monotonic() < end and any(members(session) for session in sessions):
        time.sleep(_POLL_S)
    for session in sessions:
        kill_session(session)


def main(descriptor: int) -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    sessions: dict[int, int] = {}
    with os.fdopen(descriptor, "r", encoding="ascii") as told:
        for line in told:
            sign, session, *number = line.split()
            if sign == "+":
                sessions[int(session)] = int(number[0])
            else:
                sessions.pop(int(session), None)
    end_all(sessions)


if __name__ == "__main__":
    main(int(sys.argv[1]))
