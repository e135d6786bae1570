"""Live: one ear per process on what happens, and everybody who wants to know told from it.

A thread listens to the database, reads what changed once however many want it, and hands it on; it runs while somebody
is subscribed. What does not live here: HTTP (the door). The facts to know: a notification only wakes, the rows tell;
and where the database is away for a moment the thread looks again by itself, so nothing said here is ever final.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from forwarder_core.db import live as rows
from forwarder_core.domain.live import Sighting, job_message, line_message
from forwarder_core.services.context import Core

_WAIT_S = 0.5
_GATHER_S = 0.15  # so long changes are gathered before they are read
_AGAIN_S = 2.0
_LOOK_BACK = timedelta(seconds=5)
_LOOK_BACK_LINES = 200
_MOST = 1_000
_MOST_KNOWN_JOBS = 5_000
_SIGN_INS = frozenset({"sessions", "api_tokens"})
log = logging.getLogger(__name__)


class Kind(StrEnum):
    JOB = "job_status_update"
    LINE = "log"
    SIGN_OUT = "sign_out"  # somebody's session or token ended; whose is not said


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """`text`: the message as JSON. `line_id`: of a log event, what a listener resumes from."""

    kind: Kind
    text: str = ""
    connection_id: int | None = None
    line_id: int | None = None


Listening = Callable[[list[Moment]], None]  # called in the listening thread; must return at once


class Feed:
    """The ear of this process. `subscribe` starts it, the last one to leave ends it."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._lock = threading.Lock()
        self._listeners: dict[object, Listening] = {}
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._hears = threading.Event()

    def subscribe(self, listening: Listening) -> Callable[[], None]:
        """Tell `listening` of everything from about now on, until the answer is called."""
        mark = object()
        with self._lock:
            self._listeners[mark] = listening
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="live", daemon=True)
                self._thread.start()

        def leave() -> None:
            with self._lock:
                self._listeners.pop(mark, None)

        return leave

    def await_ear(self, longest_s: float) -> bool:
        """Wait until what happens from now on will be told; False where the database kept us waiting for longer."""
        return self._hears.wait(longest_s)

    def _is_wanted(self) -> bool:
        """Decided under the lock together with letting go of the thread, so that none is forgotten."""
        with self._lock:
            if self._listeners:
                return True
            self._thread = None
            self._hears.clear()
            return False

    def _run(self) -> None:
        reader: _Reader | None = None
        while self._is_wanted():
            try:
                with rows.listening(self._core.engine) as ear:
                    reader = reader or _Reader(self._core)
                    self._hears.set()
                    self._tell(reader.read())  # what happened while nobody listened
                    while self._is_wanted_still():
                        self._hear(ear, reader)
            except SQLAlchemyError as e:
                log.warning("Live messages pause: the database does not answer (%s)", type(e).__name__)
                self._wake.wait(_AGAIN_S)
            except OSError as e:
                log.warning("Live messages pause: %s", type(e).__name__)
                self._wake.wait(_AGAIN_S)

    def _is_wanted_still(self) -> bool:
        with self._lock:
            return bool(self._listeners)

    def _hear(self, ear: rows.Listener, reader: _Reader) -> None:
        changed = ear.wait(_WAIT_S)
        if not changed:
            return
        if changed & _SIGN_INS:
            self._tell([Moment(kind=Kind.SIGN_OUT)])
        if changed - _SIGN_INS:
            self._wake.wait(_GATHER_S)
            self._tell(reader.read())

    def _tell(self, moments: list[Moment]) -> None:
        with self._lock:
            listeners = list(self._listeners.values())
        if moments:
            for listening in listeners:
                listening(moments)


class _Reader:
    """Reads on from where it was; everything once."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._changed_at: datetime = core.clock.now()
        self._told: dict[int, tuple[Any, ...]] = {}
        self._first: dict[int, Sighting] = {}
        with core.begin() as tx:
            self._line = rows.newest_line(tx)
            known = rows.lines_after(tx, self._line - _LOOK_BACK_LINES, _MOST)
        self._lines = deque((row["id"] for row in known), maxlen=2 * _MOST)

    def read(self) -> list[Moment]:
        with self._core.begin() as tx:
            jobs = rows.changed_jobs(tx, self._changed_at - _LOOK_BACK, _MOST)
            lines = rows.lines_after(tx, self._line - _LOOK_BACK_LINES, _MOST + _LOOK_BACK_LINES)
        return [*self._moved(jobs), *self._said(lines)]

    def _moved(self, jobs: list[dict[str, Any]]) -> list[Moment]:
        found = []
        for row in jobs:
            self._changed_at = max(self._changed_at, row["changed_at"])
            state = (row["status"], row["step"], row["progress"], row["progress_note"])
            if self._told.get(row["id"]) == state:
                continue
            self._told[row["id"]] = state
            first = self._first.get(row["id"])
            if first is None or first.step != row["step"] or row["progress"] < first.progress:
                first = Sighting(step=row["step"], at=row["changed_at"], progress=row["progress"])
                self._first[row["id"]] = first
            found.append(_job_moment(row, first))
        if len(self._told) > _MOST_KNOWN_JOBS:
            self._told.clear()
            self._first.clear()
        return found

    def _said(self, lines: list[dict[str, Any]]) -> list[Moment]:
        known = set(self._lines)
        fresh = [row for row in lines if row["id"] not in known]
        self._lines.extend(row["id"] for row in fresh)
        self._line = max([self._line, *(row["id"] for row in fresh)])
        return [_line_moment(row) for row in fresh]


def standing(core: Core) -> list[Moment]:
    """Where each running job is, for somebody who begins to listen."""
    with core.begin() as tx:
        return [_job_moment(row, None) for row in rows.running_jobs(tx, _MOST)]


def newest_line(core: Core) -> int:
    """The id of the last log event there is, 0 for none: what a listener who begins now has missed nothing before."""
    with core.begin() as tx:
        return rows.newest_line(tx)


def missed(core: Core, after_line: int) -> tuple[list[Moment], set[int]]:
    """The log events somebody has not seen whose last one was this, about a thousand at most, the oldest first; and the
    ids of all that need not be told again: an ear hears what came shortly before, too."""
    with core.begin() as tx:
        found = rows.lines_after(tx, after_line - _LOOK_BACK_LINES, _MOST + _LOOK_BACK_LINES)
    return [_line_moment(row) for row in found if row["id"] > after_line], {row["id"] for row in found}


def _job_moment(row: dict[str, Any], first: Sighting | None) -> Moment:
    text = json.dumps(job_message(row, first), ensure_ascii=False)
    return Moment(kind=Kind.JOB, text=text, connection_id=row["connection_id"])


def _line_moment(row: dict[str, Any]) -> Moment:
    text = json.dumps(line_message(row), ensure_ascii=False)
    return Moment(kind=Kind.LINE, text=text, connection_id=row["connection_id"], line_id=row["id"])
