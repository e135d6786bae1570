"""Jobs: the list, one with its story, the dead-letter queue, retry and cancel."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from admin_app.api.deps import CoreDep, Who
from admin_app.api.schemas.base import Page
from admin_app.api.schemas.jobs import DeadLetter, DeadLetters, JobDetail, JobDone, JobOut, JobQuery
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.services import jobs

router = APIRouter(prefix="/api/jobs", tags=["Jobs & logs"])


@router.get("")
def list_jobs(query: Annotated[JobQuery, Query()], core: CoreDep) -> Page[JobOut]:
    """Newest first."""
    found = jobs.page(core, query.wanted(), before=query.before, limit=query.limit + 1)
    shown = found[: query.limit]
    more = str(shown[-1].job.id) if len(found) > query.limit else None
    return Page(items=[JobOut.of(view) for view in shown], next_cursor=more)


@router.get("/dead-letter")
def list_dead_letters(query: Annotated[JobQuery, Query()], core: CoreDep) -> DeadLetters:
    """Jobs that failed for good and wait for a decision. The filter `status` says nothing here."""
    wanted = query.model_copy(update={"status": [JobStatus.DEAD]}).wanted()
    found = jobs.page(core, wanted, before=query.before, limit=query.limit + 1)
    shown = found[: query.limit]
    more = str(shown[-1].job.id) if len(found) > query.limit else None
    letters = [DeadLetter.of(view) for view in shown]
    return DeadLetters(total_count=jobs.count(core, wanted), jobs=letters, next_cursor=more)


@router.get("/{job_id}")
def get_job(job_id: int, core: CoreDep) -> JobDetail:
    """With its attempts, its log from the first message on, what was decided about its file, and links."""
    return JobDetail.of_story(jobs.story(core, job_id))


@router.post("/{job_id}/retry")
def retry(job_id: int, core: CoreDep, who: Who) -> JobDone:
    """A new attempt of the same job: dead and cancelled ones from the start, a waiting one at once."""
    queued = jobs.retry(core, job_id, who=who)
    return JobDone(job=JobOut.of(queued), message=f"Job {job_id} queued for retry")


@router.post("/{job_id}/cancel")
def cancel(job_id: int, core: CoreDep, who: Who) -> JobDone:
    """409 once the post may be live already."""
    cancelled = jobs.cancel(core, job_id, who=who)
    return JobDone(job=JobOut.of(cancelled), message=f"Job {job_id} cancelled")
