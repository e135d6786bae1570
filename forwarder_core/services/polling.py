"""Polling on request: “run now” looks at a source at once and tells what that brought.

What lives here: asking, waiting for the answer, and what is said of it later. What does not: the look itself
(`detection`), which answers every request older than its own beginning, whoever made it look. The fact to know: that
is why nothing is lost when this process dies while it looks: the next watch tick finishes the request.
"""

from __future__ import annotations

import threading
import time
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from forwarder_core.db import accounts, jobs, people, requests
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.jobs import Failure, Job
from forwarder_core.domain.requests import Kind, Request, RequestState
from forwarder_core.errors import Conflict, ForwarderError, StepFailed, failure_classes
from forwarder_core.services import asking, detection
from forwarder_core.services.context import Core
from forwarder_core.services.journal import about

_SERVED_LATE_S = 0.1  # a call that waited so long for its thread may find its answer given already
_GIVEN_UP_AFTER = timedelta(minutes=15)
_NOT_LOOKED = Failure(
    "not_looked", "The source was not looked at in time.", "Check under Health whether the sensors tick, and ask again."
)


def look(core: Core, connection: Connection, *, who: str, patience_s: float, waited_s: float = 0.0) -> Request:
    """Have the source looked at and wait for what comes of it, at most `patience_s` seconds.

    Whoever asks while a look is under way joins it. `waited_s`: how long this call waited before it was served; a look
    begun meanwhile answers it. The request is still open when it took too long.
    """
    now = core.clock.now()
    with core.begin() as tx:
        if waited_s > _SERVED_LATE_S:
            answered = requests.answered_by(tx, connection.id, now - timedelta(seconds=waited_s))
            if answered is not None:
                return answered
        request, is_new = requests.ask(tx, Kind.POLL, connection.id, asked={}, who=who, now=now)
        if is_new:
            accounts.ask_at_once(tx, connection.source_account_id, now)
            people.audit(tx, who=who, what="connection_run", target=f"connection:{connection.id}", now=now)
    deadline = time.monotonic() + patience_s
    if is_new:
        looking = (core, connection.source_account_id, deadline)
        threading.Thread(target=_look_in_turn, args=looking, name=f"look-{request.id}", daemon=True).start()
    return asking.until_ended(core, request, deadline)


def _look_in_turn(core: Core, account_id: int, deadline: float) -> None:
    """After the look that is under way, if one is; one that takes too long leaves the rest to the next watch tick."""
    while True:
        try:
            detection.poll_now(core, account_id)
        except Conflict:
            if time.monotonic() < deadline:
                time.sleep(asking.AGAIN_S)
                continue
        except (ForwarderError, SQLAlchemyError) as e:
            about(account_id=account_id).info("A look on request ended with %s", type(e).__name__)
        return


def get(core: Core, request_id: int) -> Request:
    return asking.find(core, Kind.POLL, request_id)


def jobs_of(core: Core, request: Request) -> list[Job]:
    """The jobs it brought, by id."""
    with core.begin() as tx:
        found = (jobs.get(tx, job_id) for job_id in request.report.get("job_ids", ()))
        return [job for job in found if job is not None]


def error_of(request: Request) -> StepFailed | None:
    """What the look failed with, as its own class of failure."""
    if request.failure is None:
        return None
    cls = failure_classes().get(request.failure.code, StepFailed)
    return cls(request.failure.message, action=request.failure.action)


def give_up_old(core: Core) -> None:
    """End the requests nobody looked for: their connection was stopped, or no sensor ticks."""
    now = core.clock.now()
    with core.begin() as tx:
        for request in requests.queued_before(tx, Kind.POLL, now - _GIVEN_UP_AFTER):
            requests.end(tx, request.id, RequestState.FAILED, now=now, failure=_NOT_LOOKED)
