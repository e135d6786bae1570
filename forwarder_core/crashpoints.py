"""Named places where a drill may end the process: every arrow of the engine, so that each can be shown to be safe.

Off unless `FORWARDER_CRASH_AT=<point>[:<nth>][:kill|term|raise]` is set; then it fires at the nth passing (default 1),
once per FORWARDER_HOME: a marker file records it, and the restarted process passes by. `POINTS` is the whole list.
`FORWARDER_CRASH_AT=@FILE` names a file with one such line per crash. It is read at every passing, so a drill arms and
disarms the processes of a running stack without starting one of them again.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Sequence
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
_IN_FILE = "@"


class Mode(StrEnum):
    KILL = "kill"
    TERM = "term"
    RAISE = "raise"


class Crash(Exception):
    """What mode `raise` throws: an error of no known class, as a bug would."""


@dataclass(frozen=True, slots=True)
class CrashAt:
    """One crash that is to happen."""

    point: str
    nth: int = 1
    mode: Mode = Mode.KILL

    @classmethod
    def parse(cls, text: str) -> CrashAt:
        """Raises SettingsError for a point or mode there is not."""
        point, *options = text.split(":")
        nth = next((int(option) for option in options if option.isdigit()), 1)
        mode = next((option for option in options if not option.isdigit()), Mode.KILL)
        if point not in POINTS or mode not in list(Mode):
            raise SettingsError(f"FORWARDER_CRASH_AT: {text} is not one of the named points and modes")
        return cls(point, nth, Mode(mode))

    def __str__(self) -> str:
        return f"{self.point}:{self.nth}:{self.mode}"

    def marker(self, home: Path) -> Path:
        """The file that says this crash has happened in this home."""
        return home / "crashed" / str(self).replace(":", "_")


@dataclass(slots=True)
class _Armed:
    home: Path
    crashes: Sequence[CrashAt] = ()
    file: Path | None = None
    passed: Counter[CrashAt] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def due(self, point: str) -> CrashAt | None:
        """The crash that is to happen at this passing; it is this process's now."""
        with self.lock:
            for crash in self._wanted():
                if crash.point != point:
                    continue
                self.passed[crash] += 1  # counted from when it was named, not from the start of the process
                if crash.nth == self.passed[crash] and _claim(crash.marker(self.home)):
                    return crash
        return None

    def _wanted(self) -> Sequence[CrashAt]:
        if self.file is None:
            return self.crashes
        try:
            return [CrashAt.parse(line) for line in self.file.read_text("ascii").split()]
        except FileNotFoundError:
            return ()


_armed: _Armed | None = None


def arm(crash_at: str | None, home: Path) -> None:
    """Arm this process, or disarm it with None. Raises SettingsError for a point or mode there is not."""
    global _armed
    if crash_at is None:
        _armed = None
    elif crash_at.startswith(_IN_FILE):
        _armed = _Armed(home, file=Path(crash_at.removeprefix(_IN_FILE)))
    else:
        _armed = _Armed(home, [CrashAt.parse(crash_at)])


def at(point: str) -> None:
    """Pass a point."""
    crash = _armed.due(point) if _armed else None
    if crash is None:
        return
    if crash.mode is Mode.RAISE:
        raise Crash(point)
    os.kill(os.getpid(), signal.SIGKILL if crash.mode is Mode.KILL else signal.SIGTERM)


def _claim(marker: Path) -> bool:
    """True for the one process of this home that gets to crash here."""
    marker.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.close(os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
