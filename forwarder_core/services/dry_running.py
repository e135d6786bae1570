"""Dry runs: asked for, started by a sensor, carried by a run of their own, cancelled at any moment, kept as reports.

What lives here: the row's way from queued to its end, and the lease of whoever works on it. What does not: the work
(`trying`). The fact to know: a cancelled dry run is one whose row says so; its worker finds out with its next sign of
life, within a second or two, and stops wherever it is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from forwarder_core.db import people, requests
from forwarder_core.domain.dry_runs import MOST_POSTS
from forwarder_core.domain.jobs import Failure
from forwarder_core.domain.requests import Hold, Kind, Request, RequestState
from forwarder_core.errors import Bug, Fenced, ForwarderError, LocalFailed, NotFound
from forwarder_core.logs import redact
from forwarder_core.media.failures import Cancelled
from forwarder_core.services import asking, connections, recovery, trying, tunables
from forwarder_core.services.context import Core
from forwarder_core.services.forwarding import this_worker
from forwarder_core.services.journal import about

PATIENCE_S = 10.0  # how long whoever asks waits for the report
_MOST_AT_ONCE = 2
_MOST_LAUNCHES = 3
_BEAT_S = 1.0
_SAY_EVERY_S = 0.5
_DIED = Failure("worker_died", "The worker of this dry run died.", "Ask for another one.")
_NEVER_BEGUN = Failure(
    "not_started", "No run took this dry run up.", "Look at the runs in Dagster, and ask for another one."
)


def ask(core: Core, connection_id: int, *, who: str, patience_s: float = PATIENCE_S) -> Request:
    """The connection's dry run, a new one or the one under way; finished where it takes no longer than this waits."""
    known = connections.get(core, connection_id)
    now = core.clock.now()
    with core.begin() as tx:
        request, is_new = requests.ask(tx, Kind.DRY_RUN, known.id, asked={}, who=who, now=now)
        if is_new:
            people.audit(tx, who=who, what="dry_run_asked", target=f"connection:{known.id}", now=now)
    return asking.until_ended(core, request, time.monotonic() + patience_s)


def get(core: Core, request_id: int) -> Request:
    return asking.find(core, Kind.DRY_RUN, request_id)


def page(core: Core, *, connection_id: int | None = None, before: int | None = None, limit: int = 50) -> list[Request]:
    """Newest first."""
    with core.begin() as tx:
        return requests.page(tx, Kind.DRY_RUN, connection_id=connection_id, before_id=before or 2**62, limit=limit)


def cancel(core: Core, request_id: int, *, who: str) -> Request:
    """Raises Conflict when it has ended already."""
    return asking.call_off(core, Kind.DRY_RUN, request_id, who=who, too_late="Look at its report.")


def frame(core: Core, request_id: int, number: int, which: str) -> Path:
    """The picture `before` or `after` of the post of this number, counted from 1. Raises NotFound."""
    get(core, request_id)
    if 1 <= number <= MOST_POSTS and which in (trying.BEFORE, trying.AFTER):
        path = trying.folder_of(core, request_id, number).path / f"{which}.jpg"
        if path.is_file():
            return path
    raise NotFound("This picture is not there.", action="Files are deleted after retention.media_days.")


# ---- the work ---------------------------------------------------------------------------------------------------


def launches(core: Core) -> list[Request]:
    """The dry runs to start now, stamped; one that no run took up three times is given up."""
    now = core.clock.now()
    with core.begin() as tx:
        stamp = timedelta(seconds=tunables.read(tx).number("dispatch.stamp_s"))
        chosen = requests.launch(tx, Kind.DRY_RUN, most=_MOST_AT_ONCE, now=now, until=now + stamp)
        lost = [request for request in chosen if request.dispatch_no > _MOST_LAUNCHES]
        for request in lost:
            requests.end(tx, request.id, RequestState.FAILED, now=now, failure=_NEVER_BEGUN)
    return [request for request in chosen if request not in lost]


def carry(core: Core, request_id: int, dispatch_no: int, run_id: str) -> RequestState | None:
    """Do the dry run; the state it ended in. None: it is not to be had, and nothing was done."""
    now = core.clock.now()
    with core.begin() as tx:
        hold = requests.claim(
            tx,
            request_id,
            now=now,
            until=now + _lease(core),
            worker=this_worker(),
            run_id=run_id,
            dispatch_no=dispatch_no,
        )
    if hold is None:
        return None
    pulse = _Pulse(core, hold)
    try:
        return _work(core, hold, get(core, request_id), pulse)
    finally:
        pulse.end()


def _work(core: Core, hold: Hold, request: Request, pulse: _Pulse) -> RequestState:
    log = about(connection_id=request.connection_id)
    log.info("Dry run %s began", request.id)
    try:
        trial = trying.Trial.of(
            core, request.id, request.connection_id, stopped=pulse.is_lost, say=_teller(core, hold, pulse)
        )
        report = trial.run()
        state, failure = RequestState.DONE, None
    except (Fenced, Cancelled):
        log.info("Dry run %s was stopped", request.id)
        return get(core, request.id).state
    except ForwarderError as e:
        state, failure, report = RequestState.FAILED, Failure(e.code, redact(e.message), e.action), dict(request.report)
    except SQLAlchemyError as e:
        raise LocalFailed("The database did not answer.", raw=type(e).__name__) from e
    except Exception as e:  # the run boundary: whatever it is, the row gets its end
        _close(core, hold, RequestState.FAILED, Failure(Bug.code, f"Unexpected {type(e).__name__}.", Bug.action))
        raise Bug(f"Unexpected {type(e).__name__} in a dry run.", raw=redact(repr(e))) from e
    _close(core, hold, state, failure, report=report, progress="")
    log.info("Dry run %s ended: %s", request.id, state)
    return state


def _close(core: Core, hold: Hold, state: RequestState, failure: Failure | None, **values: Any) -> None:
    with core.begin() as tx:
        requests.close(tx, hold, state, now=core.clock.now(), failure=failure, **values)


def _teller(core: Core, hold: Hold, pulse: _Pulse) -> Callable[[str, dict[str, Any]], None]:
    """Keeps where the work stands, at most twice a second. Raises Fenced when the dry run was cancelled."""
    said_at = float("-inf")

    def say(progress: str, report: dict[str, Any]) -> None:
        nonlocal said_at
        if pulse.is_lost():
            raise Fenced(f"Dry run {hold.request_id} was stopped.")
        if time.monotonic() - said_at < _SAY_EVERY_S:
            return
        said_at = time.monotonic()
        with core.begin() as tx:
            if not requests.note(tx, hold, progress=progress, report=report):
                raise Fenced(f"Dry run {hold.request_id} was stopped.")

    return say


def _lease(core: Core) -> timedelta:
    with core.begin() as tx:
        return timedelta(seconds=tunables.read(tx).number("lease.seconds"))


class _Pulse:
    """Renews the lease from a thread of its own, and knows as soon as it is lost."""

    def __init__(self, core: Core, hold: Hold) -> None:
        self._core, self._hold = core, hold
        self._ended, self._lost = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._beat, name="dry-run-lease", daemon=True)
        self._thread.start()

    def is_lost(self) -> bool:
        return self._lost.is_set()

    def end(self) -> None:
        self._ended.set()
        self._thread.join(timeout=5)

    def _beat(self) -> None:
        while not self._ended.wait(_BEAT_S):
            try:
                until = self._core.clock.now() + _lease(self._core)
                with self._core.begin() as tx:
                    is_held = requests.renew(tx, self._hold, until)
                if not is_held:
                    self._lost.set()
                    return
            except SQLAlchemyError as e:
                logging.getLogger(__name__).warning("Lease not renewed: %s", type(e).__name__)


# ---- deaths -----------------------------------------------------------------------------------------------------


def run_ended(core: Core, run_id: str, *, is_cancelled: bool = False) -> bool:
    """The run of a dry run ended without closing it; False when there is none, or it has its end."""
    state = RequestState.CANCELLED if is_cancelled else RequestState.FAILED
    with core.begin() as tx:
        found = requests.of_run(tx, run_id)
        if found is None:
            return False
        failure = None if is_cancelled else _DIED
        return requests.end(tx, found.id, state, now=core.clock.now(), failure=failure)


def reap(core: Core, runs: recovery.RunControl) -> list[int]:
    """Give the dry runs of dead workers their end; their ids."""
    now = core.clock.now()
    with core.begin() as tx:
        silent = [request for request, _ in requests.silent(tx, Kind.DRY_RUN, now)]
        gone = [r for r in silent if requests.end(tx, r.id, RequestState.FAILED, now=now, failure=_DIED)]
    for request in gone:
        if request.run_id:
            runs.close(request.run_id, "The worker of this dry run died.")
    return [request.id for request in gone]
