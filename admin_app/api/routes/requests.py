"""What is asked of a connection and may take a while: rehearsal, look at once, dry run, backfill.

Each answers within about ten seconds: with the result, or 202 and the id under which to ask for it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from admin_app import auth
from admin_app.api.deps import CoreDep, Who
from admin_app.api.schemas.base import Page, RowId
from admin_app.api.schemas.connections import ConnectionRan, JobMade
from admin_app.api.schemas.requests import (
    BackfillIn,
    BackfillOut,
    DownloadIn,
    DryRunOut,
    DryRunQuery,
    ErrorOut,
    PollOut,
    RehearsalOut,
)
from forwarder_core.domain.jobs import Job
from forwarder_core.domain.requests import Request as Asked
from forwarder_core.services import backfilling, connections, downloading, dry_running, jobs, polling, rehearsing
from forwarder_core.services.context import Core

router = APIRouter(prefix="/api", tags=["Connections"])
_JPEG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}}}


@router.post("/connections/{connection_id}/rehearse")
def rehearse(connection_id: RowId, core: CoreDep) -> RehearsalOut:
    """Everything a start needs, looked at now; nothing is written at any platform."""
    return RehearsalOut.of(connection_id, rehearsing.rehearse(core, connection_id))


@router.post("/connections/{connection_id}/run", responses={202: {"model": ConnectionRan}})
def run(connection_id: RowId, core: CoreDep, who: Who, request: Request, response: Response) -> ConnectionRan:
    """Look at the source now; the jobs that came of it are queued when this answers. Calls at the same time are one.

    202 with `poll_id` where the source takes longer than ten seconds: the look goes on.
    """
    ran = connections.run_now(core, connection_id, who=who, waited_s=auth.waited_s_of(request.scope))
    if ran.look.state.is_open:
        response.status_code = HTTPStatus.ACCEPTED
        message = f"The source is slow; the look goes on. Ask again under /api/polls/{ran.look.id}"
        return ConnectionRan(message=message, jobs_created=[], poll_id=ran.look.id)
    return ConnectionRan(message="Manual run triggered", jobs_created=_made(core, ran.jobs), poll_id=ran.look.id)


@router.get("/polls/{poll_id}")
def get_poll(poll_id: RowId, core: CoreDep) -> PollOut:
    look = polling.get(core, poll_id)
    return PollOut(
        poll_id=look.id,
        connection_id=look.connection_id,
        state=look.state,
        requested_at=look.requested_at,
        ended_at=look.ended_at,
        jobs_created=_made(core, polling.jobs_of(core, look)),
        error=ErrorOut.of(look.failure),
    )


@router.post("/connections/{connection_id}/dry-run", responses={202: {"model": DryRunOut}})
def dry_run(connection_id: RowId, core: CoreDep, who: Who, response: Response) -> DryRunOut:
    """Fetch, transform and word up to five of the newest posts; nothing is posted. 202 while it is under way."""
    return _dry_run(dry_running.ask(core, connection_id, who=who), response)


@router.get("/dry-runs")
def list_dry_runs(query: Annotated[DryRunQuery, Query()], core: CoreDep) -> Page[DryRunOut]:
    """Newest first."""
    found = dry_running.page(core, connection_id=query.connection, before=query.before, limit=query.limit + 1)
    shown = found[: query.limit]
    more = str(shown[-1].id) if len(found) > query.limit else None
    return Page(items=[DryRunOut.of(request) for request in shown], next_cursor=more)


@router.get("/dry-runs/{dry_run_id}")
def get_dry_run(dry_run_id: RowId, core: CoreDep) -> DryRunOut:
    return DryRunOut.of(dry_running.get(core, dry_run_id))


@router.post("/dry-runs/{dry_run_id}/cancel")
def cancel_dry_run(dry_run_id: RowId, core: CoreDep, who: Who) -> DryRunOut:
    """It stops within two seconds, wherever it is; what it found so far stays. 409 when it has ended."""
    return DryRunOut.of(dry_running.cancel(core, dry_run_id, who=who))


@router.get("/dry-runs/{dry_run_id}/frames/{number}/{which}", response_class=FileResponse, responses=_JPEG)
def get_frame(dry_run_id: RowId, number: RowId, which: Literal["before", "after"], core: CoreDep) -> FileResponse:
    """A picture of the post of this number, as its source has it or as it would be posted."""
    path = dry_running.frame(core, dry_run_id, number, which)
    return FileResponse(path, media_type="image/jpeg", headers={"cache-control": "private, max-age=300"})


@router.post("/connections/{connection_id}/backfill", responses={202: {"model": BackfillOut}})
def backfill(connection_id: RowId, body: BackfillIn, core: CoreDep, who: Who, response: Response) -> BackfillOut:
    """Forward posts from before the start: read as far back as asked for, each with its own earliest time.

    202 with `backfill_id` while the source's listing is still being read.
    """
    asked = body.model_dump(mode="json", by_alias=True, exclude_none=True)
    request = backfilling.ask(core, connection_id, asked, who=who)
    if request.state.is_open:
        response.status_code = HTTPStatus.ACCEPTED
    return BackfillOut.of(request)


@router.post("/accounts/{account_id}/download", responses={202: {"model": BackfillOut}})
def download(account_id: RowId, body: DownloadIn, core: CoreDep, who: Who, response: Response) -> BackfillOut:
    """Store posts the account has already in an archive: a job each, and each post once however often it is asked for.

    It is a backfill of a connection of its own, which forwards nothing by itself: progress and cancel are under
    `/api/backfills/{backfill_id}`, its jobs under `/api/jobs?connection=`. 202 while the listing is read.
    """
    asked = body.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"archive_account_id"})
    request = downloading.ask(core, account_id, body.archive_account_id, asked, who=who)
    if request.state.is_open:
        response.status_code = HTTPStatus.ACCEPTED
    return BackfillOut.of(request)


@router.get("/backfills/{backfill_id}")
def get_backfill(backfill_id: RowId, core: CoreDep) -> BackfillOut:
    return BackfillOut.of(backfilling.get(core, backfill_id))


@router.post("/backfills/{backfill_id}/cancel")
def cancel_backfill(backfill_id: RowId, core: CoreDep, who: Who) -> BackfillOut:
    """No job is made of it. 409 when it has ended."""
    return BackfillOut.of(backfilling.cancel(core, backfill_id, who=who))


def _dry_run(request: Asked, response: Response) -> DryRunOut:
    if request.state.is_open:
        response.status_code = HTTPStatus.ACCEPTED
    return DryRunOut.of(request)


def _made(core: Core, made: tuple[Job, ...] | list[Job]) -> list[JobMade]:
    views = [jobs.get(core, job.id) for job in made]
    return [JobMade(job_id=v.job.id, source_post_id=v.source_post_id, status=v.job.status) for v in views]
