"""What is asked of a connection and may take a while, over the wire: rehearsal, look at once, dry run, backfill."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from admin_app.api.schemas.base import Body, Out, PageQuery, RowId
from admin_app.api.schemas.connections import JobMade
from forwarder_core.domain.backlog import Order
from forwarder_core.domain.jobs import Failure
from forwarder_core.domain.rehearsals import Outcome, Rehearsal
from forwarder_core.domain.requests import Request, RequestState


class CheckOut(Out):
    name: str
    outcome: Outcome
    text: str
    action: str


class RehearsalOut(Out):
    """`can_start`: no check failed. A warning refuses nothing."""

    status: Literal["success"] = "success"
    connection_id: int
    outcome: Outcome
    can_start: bool
    checks: list[CheckOut]

    @classmethod
    def of(cls, connection_id: int, rehearsal: Rehearsal) -> RehearsalOut:
        checks = [CheckOut(name=c.name, outcome=c.outcome, text=c.text, action=c.action) for c in rehearsal.checks]
        return cls(
            connection_id=connection_id, outcome=rehearsal.outcome, can_start=not rehearsal.failed, checks=checks
        )


class ErrorOut(Out):
    code: str
    message: str
    action: str

    @classmethod
    def of(cls, failure: Failure | None) -> ErrorOut | None:
        if failure is None:
            return None
        return cls(code=failure.code, message=failure.message, action=failure.action)


class PollOut(Out):
    """A look at a source on request. `jobs_created` is complete once `state` is done."""

    poll_id: int
    connection_id: int
    state: RequestState
    requested_at: datetime
    ended_at: datetime | None
    jobs_created: list[JobMade]
    error: ErrorOut | None


class DryRunOut(Out):
    """`dry_run_results` grows while it runs; `status` is success as soon as it is complete."""

    status: Literal["success", "running", "failed", "cancelled"]
    dry_run_id: int
    connection_id: int
    state: RequestState
    progress: str
    requested_by: str
    requested_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    run_id: str | None
    dry_run_results: dict[str, Any]
    error: ErrorOut | None
    message: str

    @classmethod
    def of(cls, request: Request) -> DryRunOut:
        status, message = _STATES[request.state]
        return cls(
            status=status,
            dry_run_id=request.id,
            connection_id=request.connection_id,
            state=request.state,
            progress=request.progress,
            requested_by=request.requested_by,
            requested_at=request.requested_at,
            started_at=request.started_at,
            ended_at=request.ended_at,
            run_id=request.run_id,
            dry_run_results=with_addresses(request),
            error=ErrorOut.of(request.failure),
            message=message,
        )


_Status = Literal["success", "running", "failed", "cancelled"]
_STATES: dict[RequestState, tuple[_Status, str]] = {
    RequestState.QUEUED: ("running", "The dry run is waiting for its run; ask again under /api/dry-runs/{id}"),
    RequestState.RUNNING: ("running", "The dry run is under way; ask again under /api/dry-runs/{id}"),
    RequestState.DONE: ("success", "Dry run finished; nothing was posted"),
    RequestState.FAILED: ("failed", "The dry run failed; nothing was posted"),
    RequestState.CANCELLED: ("cancelled", "The dry run was cancelled; nothing was posted"),
}


def with_addresses(request: Request) -> dict[str, Any]:
    """The report, each picture named by the address it is served under."""
    report = dict(request.report)
    report["sample_posts"] = [
        post | {"frames": {which: f"/api/dry-runs/{request.id}/frames/{n}/{which}" for which in post["frames"]}}
        for n, post in enumerate(report.get("sample_posts", ()), 1)
    ]
    return report


class DryRunQuery(PageQuery):
    connection: RowId | None = None


class BackfillIn(Body):
    """Which posts from before are forwarded: those of these days (UTC, both included), only the newest so many of them,
    at most so many a day, in this order. At least one of them is said."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    from_: date | None = Field(None, alias="from")
    to: date | None = None
    newest_n: int | None = Field(None, ge=1, le=100_000)
    per_day: int | None = Field(None, ge=1, le=1_000)
    order: Order = Order.OLDEST


class DownloadIn(BackfillIn):
    """Which posts of the account are stored, as of a backfill."""

    archive_account_id: RowId


class BackfillOut(Out):
    """`pages` and `posts` read so far; `jobs` made, each with its own earliest time."""

    status: Literal["success", "running", "failed", "cancelled"]
    backfill_id: int
    connection_id: int
    state: RequestState
    requested_at: datetime
    ended_at: datetime | None
    asked: dict[str, Any]
    pages: int
    posts: int
    jobs: int
    first_at: str | None
    last_at: str | None
    skipped: dict[str, int]
    error: ErrorOut | None
    message: str

    @classmethod
    def of(cls, request: Request) -> BackfillOut:
        status, _ = _STATES[request.state]
        report = request.report
        return cls(
            status=status,
            backfill_id=request.id,
            connection_id=request.connection_id,
            state=request.state,
            requested_at=request.requested_at,
            ended_at=request.ended_at,
            asked=dict(request.asked),
            pages=report.get("pages", 0),
            posts=report.get("posts", 0),
            jobs=report.get("jobs", 0),
            first_at=report.get("first_at"),
            last_at=report.get("last_at"),
            skipped=report.get("skipped", {}),
            error=ErrorOut.of(request.failure),
            message=f"{report.get('posts', 0)} posts read, {report.get('jobs', 0)} jobs made",
        )
