"""Named places where a drill may end the process: every arrow of the engine, so that each can be shown to be safe.

Off unless `FORWARDER_CRASH_AT=<point>[:<nth>][:kill|term|raise]` is set; then it fires at the nth passing (default 1),
once per FORWARDER_HOME: a marker file records it, and the restarted process passes by. `POINTS` is the whole list.
"""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from forwarder_core.errors import SettingsError

POINTS = (
    "poll.before_commit",
    "poll.after_commit",
    "dispatch.before_stamp",
    "dispatch.after_stamp",
    "claim.before",
    "claim.after",
    "fetch.before",
    "fetch.after_file",
    "fetch.after_row",
    "transform.before",
    "transform.after_file",
    "transform.after_row",
    "publish.planned",
    "publish.before_open",
    "publish.after_open",
    "publish.opened",
    "publish.sending",
    "publish.before_committing",
    "publish.committing",
    "publish.answered",
    "publish.published",
    "verify.before",
    "verify.after_row",
    "success.before",
    "success.after",
    "failure.before",
    "failure.after",
    "reap.before",
    "reap.after",
)


class Mode(StrEnum):
    KILL = "kill"
    TERM = "term"
    RAISE = "raise"


class Crash(Exception):
    """What mode `raise` throws: an error of no known class, as a bug would."""


@dataclass(slots=True)
class _Armed:
    point: str
    nth: int
    mode: Mode
    marker: Path
    lock: threading.Lock = field(default_factory=threading.Lock)
    passed: int = 0


_armed: _Armed | None = None


def arm(crash_at: str | None, home: Path) -> None:
    """Arm this process, or disarm it with None. Raises SettingsError for a point or mode there is not."""
    global _armed
    _armed = None
    if crash_at is None:
        return
    point, *options = crash_at.split(":")
    nth = next((int(option) for option in options if option.isdigit()), 1)
    mode = next((option for option in options if not option.isdigit()), Mode.KILL)
    if point not in POINTS or mode not in list(Mode):
        raise SettingsError(f"FORWARDER_CRASH_AT: {crash_at} is not one of the named points and modes")
    _armed = _Armed(point, nth, Mode(mode), home / "crashed" / crash_at.replace(":", "_"))


def at(point: str) -> None:
    """Pass a point."""
    armed = _armed
    if armed is None or armed.point != point:
        return
    with armed.lock:
        armed.passed += 1
        if armed.passed != armed.nth or not _claim(armed.marker):
            return
    if armed.mode is Mode.RAISE:
        raise Crash(point)
    os.kill(os.getpid(), signal.SIGKILL if armed.mode is Mode.KILL else signal.SIGTERM)


def _claim(marker: Path) -> bool:
    """True for the one process of this home that gets to crash here."""
    marker.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.close(os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
