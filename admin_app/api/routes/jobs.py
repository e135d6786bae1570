"""Jobs: the list, one with its story, the dead-letter queue; retry, cancel, give up, and say what became of a post."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from admin_app.api.deps import CoreDep, Who
from admin_app.api.schemas.base import Done, Page, RowId
from admin_app.api.schemas.jobs import (
    CauseOut,
    CausesOut,
    ConfirmIn,
    DeadLetter,
    DeadLetters,
    EnqueueIn,
    GiveUp,
    JobDetail,
    JobDone,
    JobOut,
    JobQuery,
    RetriedMany,
    RetryMany,
)
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.services import bulk, enqueueing, jobs, viewing
from forwarder_core.services.jobs import Answer

router = APIRouter(prefix="/api/jobs", tags=["Jobs & logs"])


@router.get("")
def list_jobs(query: Annotated[JobQuery, Query()], core: CoreDep) -> Page[JobOut]:
    """Newest first. `q` finds beginnings of words in captions, or one id exactly."""
    found = jobs.page(core, query.wanted(), before=query.beyond, limit=query.limit + 1, oldest_first=query.oldest_first)
    shown = found[: query.limit]
    more = str(shown[-1].job.id) if len(found) > query.limit else None
    return Page(items=[JobOut.of(view) for view in shown], next_cursor=more)


@router.post("", status_code=201)
def enqueue(body: EnqueueIn, core: CoreDep, who: Who) -> JobDone:
    """Forward one post by hand, whatever the rules said. 404 while the source has not shown it, 409 if it has a job."""
    job_id = enqueueing.enqueue(core, body.connection, body.post, who=who)
    return JobDone(job=JobOut.of(jobs.get(core, job_id)), message=f"Job {job_id} queued")


@router.get("/dead-letter")
def list_dead_letters(query: Annotated[JobQuery, Query()], core: CoreDep) -> DeadLetters:
    """Jobs that failed for good and wait for a decision. The filter `status` says nothing here."""
    wanted = query.model_copy(update={"status": [JobStatus.DEAD]}).wanted()
    found = jobs.page(core, wanted, before=query.beyond, limit=query.limit + 1, oldest_first=query.oldest_first)
    shown = found[: query.limit]
    more = str(shown[-1].job.id) if len(found) > query.limit else None
    letters = [DeadLetter.of(view) for view in shown]
    return DeadLetters(total_count=jobs.count(core, wanted), jobs=letters, next_cursor=more)


@router.get("/dead-letter/causes")
def list_causes(core: CoreDep) -> CausesOut:
    """Of what the dead letters died, the most frequent first."""
    return CausesOut(items=[CauseOut(error=c.code, count=c.count, action=c.action) for c in bulk.causes(core)])


@router.post("/bulk-retry")
def retry_many(body: RetryMany, core: CoreDep, who: Who) -> RetriedMany:
    """Retry every dead letter of one error. Repeated, it finds none."""
    moved = bulk.retry_all(core, body.error, who=who, connection_id=body.connection)
    noun = "job" if len(moved) == 1 else "jobs"
    message = f"{len(moved)} {noun} queued for retry"
    return RetriedMany(error=body.error, count=len(moved), jobs_requeued=moved, message=message)


@router.get("/{job_id}")
def get_job(job_id: RowId, core: CoreDep) -> JobDetail:
    """With its attempts, its log from the first message on, what was decided about its file, and links."""
    return JobDetail.of_story(jobs.story(core, job_id), viewing.addresses(core, job_id))


@router.post("/{job_id}/retry")
def retry(job_id: RowId, core: CoreDep, who: Who) -> JobDone:
    """A new attempt of the same job: dead and cancelled ones from the start, a waiting one at once."""
    queued = jobs.retry(core, job_id, who=who)
    return JobDone(job=JobOut.of(queued), message=f"Job {job_id} queued for retry")


@router.post("/{job_id}/cancel")
def cancel(job_id: RowId, core: CoreDep, who: Who) -> JobDone:
    """409 once the post may be live already."""
    cancelled = jobs.cancel(core, job_id, who=who)
    return JobDone(job=JobOut.of(cancelled), message=f"Job {job_id} cancelled")


@router.post("/{job_id}/confirm")
def confirm(job_id: RowId, body: ConfirmIn, core: CoreDep, who: Who) -> JobDone:
    """Settle an unconfirmed job, after a look at the destination: it is live, or it is to be published again."""
    settled = jobs.confirm(core, job_id, body.answer, who=who, remote_id=body.remote_id, url=body.url)
    said = "confirmed as live" if body.answer is Answer.LIVE else "queued to be published again"
    return JobDone(job=JobOut.of(settled), message=f"Job {job_id} {said}")


@router.post("/{job_id}/dead-letter")
def give_up(job_id: RowId, body: GiveUp, core: CoreDep, who: Who) -> JobDone:
    """Put a job into the dead-letter queue by hand. 409 once the post may be live already."""
    given_up = jobs.dead_letter(core, job_id, reason=body.reason, who=who)
    return JobDone(job=JobOut.of(given_up), message=f"Job {job_id} given up")


@router.delete("/{job_id}")
def delete(job_id: RowId, core: CoreDep, who: Who) -> Done:
    """Dead letters only. It leaves every list; the decision about its post and what was published stay as history."""
    bulk.delete(core, job_id, who=who)
    return Done(message=f"Job {job_id} deleted")
