"""The dead-letter queue as a whole: what the failures were, retrying all of one cause, and deleting a dead letter.

One job's own moves are in `jobs`. The fact to know: many failures of one cause are one incident with one remedy, so a
bulk retry names the cause, never a list of ids that has changed meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from forwarder_core.db import dead_letters, events, people
from forwarder_core.db import jobs as rows
from forwarder_core.db.engine import Tx
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.domain.retry_rules import code_of
from forwarder_core.errors import Conflict, failure_classes
from forwarder_core.services import jobs
from forwarder_core.services.context import Core
from forwarder_core.services.journal import about


@dataclass(frozen=True, slots=True)
class Cause:
    """Dead letters of one error. `action`: what helps against it, where the error is one of a known class."""

    code: str
    count: int
    action: str


def causes(core: Core) -> list[Cause]:
    """The most frequent first."""
    with core.begin() as tx:
        counted = dead_letters.dead_causes(tx)
    known = failure_classes()
    return [Cause(code, n, known[code].action if code in known else "") for code, n in counted]


def retry_all(core: Core, error: str, *, who: str, connection_id: int | None = None) -> list[int]:
    """Queue every dead letter of this error again, from its first retry on; those queued. Again: none are left.

    `error`: our code, or the client's word for it.
    """
    now, error = core.clock.now(), code_of(error) or error
    with core.begin() as tx:
        chosen = dead_letters.dead_of(tx, error, connection_id)
        details = {"error": error, "connection_id": connection_id}
        return requeue(tx, chosen, error, who=who, target=f"error:{error}", now=now, details=details)


def requeue(
    tx: Tx, chosen: list[int], error: str, *, who: str, target: str, now: datetime, details: dict[str, Any]
) -> list[int]:
    """Queue these jobs that failed of `error`, each from its start; those that moved."""
    anew: dict[str, Any] = {"wait_reason": None, "next_attempt_at": None, **jobs.FROM_THE_START}
    moved = sorted(rows.move(tx, chosen, JobStatus.QUEUED, now=now, **anew))
    if moved:
        people.audit(tx, who=who, what="jobs_retried", target=target, now=now, details=details | {"jobs": len(moved)})
        # In one statement, not through the journal: there may be thousands.
        said = {"at": now, "level": "info", "code": None, "account_id": None, "connection_id": None}
        text = f"retried by {who}, with all that failed of {error}"
        events.log(tx, [{**said, "job_id": job_id, "text": f"Job {job_id}: {text}"} for job_id in moved])
    return moved


def delete(core: Core, job_id: int, *, who: str) -> None:
    """Take a dead letter off every list; repeating it changes nothing. Raises NotFound, Conflict for a living job.

    The row stays, marked: its attempts, the decision about its post and what was published are history, and without
    it the post would count as never taken on.
    """
    now = core.clock.now()
    with core.begin() as tx:
        if dead_letters.put_away(tx, job_id, now):
            people.audit(tx, who=who, what="job_deleted", target=f"job:{job_id}", now=now)
        elif not dead_letters.is_put_away(tx, job_id):
            status = jobs.found(tx, job_id).job.status
            raise Conflict(
                f"Job {job_id} is {status}; only a dead letter can be deleted.",
                action="Cancel the job or give it up first.",
            )
        else:
            return
    about(job_id=job_id).warning("Job %s: dead letter deleted by %s", job_id, who)
