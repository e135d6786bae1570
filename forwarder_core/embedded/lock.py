"""One supervisor per home, and what the running one tells the others.

What lives here: the lock on `<home>/run.lock` and the state file `<home>/run.json`.
The fact to know: the lock is the kernel's, so it ends with its holder, however that died; a state file without a held
lock is a dead one's and means nothing. The state holds database passwords: 0600.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

from forwarder_core.errors import AlreadyRunning


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """A running stack, as another process can join it. `control` and `gateway` only where a simulator runs."""

    pid: int
    mode: str
    url: str | None
    forwarder_database: str = field(repr=False)
    dagster_database: str = field(repr=False)
    control: str | None = None
    gateway: str | None = None
    ports: Mapping[str, int] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)


class HomeLock:
    """Held from `acquire` to `release`, or to the end of the process."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._file: TextIO | None = None

    def __enter__(self) -> HomeLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self) -> None:
        """Raises AlreadyRunning, naming the holder."""
        self._home.mkdir(parents=True, exist_ok=True)
        lock = _lock_path(self._home).open("a+", encoding="ascii")
        if not _try(lock):
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise AlreadyRunning(f"Another one runs in {self._home} (process {holder}).")
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._file = lock
        _state_path(self._home).unlink(missing_ok=True)

    def publish(self, state: RunState) -> None:
        """Tell others how to join. Call it when the stack is ready."""
        unfinished = _state_path(self._home).with_suffix(".unfinished")
        fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as out:
            json.dump(asdict(state), out, indent=1)
        unfinished.replace(_state_path(self._home))

    def release(self) -> None:
        if self._file is not None:
            _state_path(self._home).unlink(missing_ok=True)
            self._file.close()
            self._file = None


def is_held(home: Path) -> bool:
    """Whether a supervisor of this home lives."""
    try:
        with _lock_path(home).open("a+", encoding="ascii") as lock:
            return not _try(lock)
    except OSError:
        return False


def running(home: Path, *, wait_s: float = 0) -> RunState | None:
    """The running stack of this home; None where none runs. Waits for one that is just starting.

    Raises AlreadyRunning where it is still not ready after `wait_s`.
    """
    end = time.monotonic() + wait_s
    while is_held(home):
        try:
            return RunState(**json.loads(_state_path(home).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            if time.monotonic() >= end:
                raise AlreadyRunning(
                    f"Another one is starting in {home}.", action="Wait until it says it is ready, then try again."
                ) from None
        time.sleep(0.2)
    return None


def _try(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _lock_path(home: Path) -> Path:
    return home / "run.lock"


def _state_path(home: Path) -> Path:
    return home / "run.json"
