"""Jobs as the administrator handles them: finding, reading, retrying, cancelling. What carries them is `forwarding`.

Retry and cancel only write rows; a retry is a new attempt of the same job, never a second job. The fact to know: a job
whose publication is at or past its irreversible call cannot be cancelled, because cancelling would claim that
nothing was posted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from forwarder_core.db import attempts, connections, events, job_pages, overviews, people, publications
from forwarder_core.db import jobs as rows
from forwarder_core.db.engine import Tx
from forwarder_core.db.overviews import JobView
from forwarder_core.domain.connections import ConnectionStatus
from forwarder_core.domain.jobs import SYNONYMS, Failure, Job, JobStatus
from forwarder_core.domain.publications import PublicationState
from forwarder_core.domain.retry_rules import code_of
from forwarder_core.errors import Conflict, FieldError, Invalid, NotFound
from forwarder_core.services import confirming
from forwarder_core.services.context import Core
from forwarder_core.services.journal import about

__all__ = [
    "Answer",
    "JobStory",
    "JobView",
    "Wanted",
    "cancel",
    "confirm",
    "count",
    "dead_letter",
    "get",
    "page",
    "retry",
    "statuses",
    "story",
]
GIVEN_UP = "given_up"  # the error code of a job a person gave up
FIRST_PAGE = 2**62  # an id no row reaches
_RETRYABLE = (JobStatus.DEAD, JobStatus.CANCELLED, JobStatus.RETRY_WAIT)
_NO_ERROR = {"error_code": None, "error_message": None, "error_action": None}
FROM_THE_START = {"retries_used": 0, "rescues": 0, "step": None, "progress": 0.0, "progress_note": "", **_NO_ERROR}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which jobs. `status` and `error` in our words or the client's; empty = all.

    `q`: beginnings of words of the post's caption, or the id of a job or of a post exactly. `since`, `until`: when it
    was made, both included; `ended_since`, `ended_until`: when it ended, the latter excluded; `ended_hour`: in this
    hour of a day of the installation's zone, 0 to 23.
    """

    status: tuple[str, ...] = ()
    connection_id: int | None = None
    account_id: int | None = None
    error: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    ended_since: datetime | None = None
    ended_until: datetime | None = None
    ended_hour: int | None = None
    q: str | None = None

    def clauses(self, zone: str) -> dict[str, Any]:
        """`zone`: the name of the installation's. Raises Invalid for a status that is none."""
        return {
            "status": [status.value for status in statuses(self.status)],
            "connection_id": self.connection_id,
            "account_id": self.account_id,
            "error": code_of(self.error) or self.error if self.error else None,
            "since": self.since,
            "until": self.until,
            "ended_since": self.ended_since,
            "ended_until": self.ended_until,
            "ended_hour": None if self.ended_hour is None else (self.ended_hour, zone),
            "q": self.q,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStory:
    """One job with everything that happened to it. `plan` is what was decided about its file."""

    view: JobView
    attempts: list[dict[str, Any]]
    timeline: list[dict[str, Any]]
    plan: dict[str, Any]
    publication: PublicationState | None
    links: dict[str, str] = field(default_factory=dict)


def statuses(words: Iterable[str]) -> list[JobStatus]:
    """The client's words for states as ours. Raises Invalid naming the one that is none."""
    found = []
    for word in words:
        try:
            found.append(SYNONYMS.get(word) or JobStatus(word))
        except ValueError:
            known = ", ".join([*JobStatus, *SYNONYMS])
            raise Invalid(f"There is no status “{word}”.", FieldError("status", f"one of {known}")) from None
    return found


def page(
    core: Core, wanted: Wanted, *, before: int = FIRST_PAGE, limit: int = 50, oldest_first: bool = False
) -> list[JobView]:
    """Newest first, from the one before the id `before`; or oldest first, from the one after it."""
    clauses = wanted.clauses(core.settings.timezone)
    with core.begin() as tx:
        return job_pages.page(tx, before_id=before, limit=limit, oldest_first=oldest_first, **clauses)


def count(core: Core, wanted: Wanted) -> int:
    clauses = wanted.clauses(core.settings.timezone)
    with core.begin() as tx:
        return job_pages.count(tx, **clauses)


def get(core: Core, job_id: int) -> JobView:
    with core.begin() as tx:
        return found(tx, job_id)


def story(core: Core, job_id: int) -> JobStory:
    """The job, its attempts, and its log from the first message on."""
    with core.begin() as tx:
        view = found(tx, job_id)
        timeline = events.logs(tx, before_id=FIRST_PAGE, limit=500, job_id=job_id)
        publication = publications.latest_of(tx, job_id)
        return JobStory(
            view=view,
            attempts=attempts.of_job(tx, job_id),
            timeline=timeline[::-1],
            plan=overviews.plan_of(tx, job_id),
            publication=publication[0].state if publication else None,
            links=_links(view),
        )


def retry(core: Core, job_id: int, *, who: str) -> JobView:
    """Queue a dead or cancelled job again, from its first retry on; make a waiting retry due now. Raises Conflict."""
    with core.begin() as tx:
        job = found(tx, job_id).job
        if job.status not in _RETRYABLE:
            raise Conflict(f"Job {job_id} is {job.status}; there is nothing to retry.", action=_instead(job.status))
        _refuse_where_nothing_starts(tx, job)
        anew: dict[str, Any] = FROM_THE_START if job.status is not JobStatus.RETRY_WAIT else {}
        anew = {**anew, "is_urgent": True}  # who presses Retry at night wants no window waited for
        now = core.clock.now()
        if not rows.move(tx, [job_id], JobStatus.QUEUED, now=now, wait_reason=None, next_attempt_at=None, **anew):
            raise _moved_meanwhile(job_id)
        people.audit(tx, who=who, what="job_retried", target=f"job:{job_id}", now=now, details={"was": job.status})
        queued = found(tx, job_id)
    about(job_id=job_id, connection_id=job.connection_id).info("Job %s: retried by %s", job_id, who)
    return queued


def _refuse_where_nothing_starts(tx: Tx, job: Job) -> None:
    """A stopped connection starts nothing: what is queued on it is cancelled."""
    connection = connections.get(tx, job.connection_id)
    if connection is None:
        raise Conflict(
            f"The connection of job {job.id} was deleted.", action="Make a connection that includes old posts."
        )
    if connection.status is ConnectionStatus.STOPPED:
        raise Conflict(f"Connection “{connection.name}” is stopped.", action="Start it, then retry the job.")


def cancel(core: Core, job_id: int, *, who: str) -> JobView:
    """Stop the job. A running one loses its lease, so that its worker stops at its next write. Raises Conflict."""
    with core.begin() as tx:
        job = found(tx, job_id).job
        if job.status.is_terminal or job.status is JobStatus.UNCONFIRMED:
            raise Conflict(f"Job {job_id} is {job.status} and cannot be cancelled.", action=_instead(job.status))
        _take(tx, job, JobStatus.CANCELLED, core.clock.now())
        # Looked at after the row was taken: from here on no worker can move the publication any more.
        _refuse_if_posted(tx, job_id)
        people.audit(
            tx, who=who, what="job_cancelled", target=f"job:{job_id}", now=core.clock.now(), details={"was": job.status}
        )
        cancelled = found(tx, job_id)
    about(job_id=job_id, connection_id=job.connection_id).warning("Job %s: cancelled by %s", job_id, who)
    return cancelled


def _take(tx: Tx, job: Job, to: JobStatus, now: datetime, failure: Failure | None = None) -> None:
    idle = {"wait_reason": None, "next_attempt_at": None}
    if job.status is JobStatus.RUNNING:
        taken = rows.take_away(tx, job.id, to, now=now, failure=failure, **idle)
    else:
        taken = bool(rows.move(tx, [job.id], to, now=now, failure=failure, **idle))
    if not taken:
        raise _moved_meanwhile(job.id)


def _refuse_if_posted(tx: Tx, job_id: int) -> None:
    found = publications.latest_of(tx, job_id)
    state = found[0].state if found else None
    if state in (PublicationState.COMMITTING, PublicationState.UNCONFIRMED):
        raise Conflict(
            f"Job {job_id} is being published at this moment; it may be live already.",
            action="Wait until the system has asked the destination, then look at the job again.",
        )
    if state is not None and state.is_live:
        raise Conflict(
            f"Job {job_id} has been published already; there is nothing left to stop.",
            action="Delete the post at its destination if it should not be there.",
        )


def _instead(status: JobStatus) -> str:
    return {
        JobStatus.RUNNING: "Wait for its end, or cancel it.",
        JobStatus.QUEUED: "Nothing to do: it starts by itself.",
        JobStatus.CAPTCHA: "Complete the check in the platform's app, then mark it solved on the account.",
        JobStatus.PAUSED: "Mend the account, resume the connection or end the hold; the job goes on by itself.",
        JobStatus.UNCONFIRMED: "Look at the destination and say on the job whether the post is live.",
        JobStatus.SUCCESS: "Nothing to do: it was published.",
    }.get(status, "Reload and look at its present state.")


def _moved_meanwhile(job_id: int) -> Conflict:
    return Conflict(f"Job {job_id} has moved on meanwhile.")


def found(tx: Tx, job_id: int) -> JobView:
    """Raises NotFound; a deleted dead letter is not found."""
    view = overviews.job(tx, job_id)
    if view is None:
        raise NotFound(f"There is no job {job_id}.")
    return view


def _links(view: JobView) -> dict[str, str]:
    job = view.job
    links = {
        "source": view.source_url,
        "destination": job.destination_url,
        "run": f"/dagster/runs/{job.run_id}" if job.run_id else None,
        "connection": f"/connections/{job.connection_id}",
        "lineage": "/dagster/assets/published_post",
        "logs": f"/api/logs?job_id={job.id}",
        "why": f"/api/posts/{job.source_post_id}/why",
    }
    return {name: address for name, address in links.items() if address}


def dead_letter(core: Core, job_id: int, *, reason: str, who: str) -> JobView:
    """Give the job up, with the reason kept as its error; one given up already stays as it is. Raises Conflict."""
    if not reason.strip():
        raise Invalid("Say why the job is given up.", FieldError("reason", "must not be empty"))
    failure = Failure(GIVEN_UP, f"Given up by {who}: {reason.strip()}", "Retry the job when it should go on after all.")
    with core.begin() as tx:
        job, now = found(tx, job_id).job, core.clock.now()
        if job.status is JobStatus.DEAD:
            return found(tx, job_id)
        if job.status.is_terminal or job.status is JobStatus.UNCONFIRMED:
            raise Conflict(f"Job {job_id} is {job.status} and cannot be given up.", action=_instead(job.status))
        _take(tx, job, JobStatus.DEAD, now, failure)
        _refuse_if_posted(tx, job_id)
        details = {"was": job.status, "reason": reason.strip()}
        people.audit(tx, who=who, what="job_given_up", target=f"job:{job_id}", now=now, details=details)
        given_up = found(tx, job_id)
    about(job_id=job_id, connection_id=job.connection_id, code=GIVEN_UP).warning("Job %s: %s", job_id, failure.message)
    return given_up


class Answer(StrEnum):
    """What a person says of a job of which nobody knows whether it was posted."""

    LIVE = "live"
    AGAIN = "again"


def confirm(
    core: Core, job_id: int, answer: Answer, *, who: str, remote_id: str | None = None, url: str | None = None
) -> JobView:
    """Settle an unconfirmed job; the same answer again changes nothing. Raises Conflict for a job that is not one."""
    get(core, job_id)
    try:
        if answer is Answer.LIVE:
            confirming.it_is_live(core, job_id, who=who, remote_id=remote_id, url=url)
        else:
            confirming.publish_again(core, job_id, who=who)
    except Conflict:
        answered = get(core, job_id)
        if answered.job.status is not (JobStatus.SUCCESS if answer is Answer.LIVE else JobStatus.QUEUED):
            raise
        return answered
    return get(core, job_id)
