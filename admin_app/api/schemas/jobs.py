"""Jobs, posts and log events over the wire. Ids of platforms are text: they do not fit a JavaScript number."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from admin_app.api.schemas.base import Body, Instant, Out, PageQuery, RowId, SortedQuery, Words, split
from forwarder_core.domain.posts import Decision, SourcePost
from forwarder_core.services.explaining import Reason
from forwarder_core.services.jobs import Answer, JobStory, JobView, Wanted


class JobQuery(SortedQuery):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    connection: RowId | None = None
    account: RowId | None = None
    status: list[str] = Field(default_factory=list, description="Comma-separated or repeated")
    error: str | None = Field(None, max_length=100, description="Code of the last error")
    q: str | None = Field(
        None, max_length=200, description="Beginnings of words of the caption, or the id of a job or post exactly"
    )
    since: Instant | None = Field(None, alias="from", description="Made then or later")
    until: Instant | None = Field(None, alias="to", description="Made then or earlier")
    ended_from: Instant | None = Field(None, description="Ended then or later")
    ended_before: Instant | None = None
    ended_hour: int | None = Field(None, ge=0, le=23, description="Ended in this hour of a local day")

    def wanted(self) -> Wanted:
        return Wanted(
            status=split(self.status),
            connection_id=self.connection,
            account_id=self.account,
            error=self.error,
            since=self.since,
            until=self.until,
            ended_since=self.ended_from,
            ended_until=self.ended_before,
            ended_hour=self.ended_hour,
            q=self.q,
        )


class ErrorOut(Out):
    code: str
    message: str
    action: str


class JobOut(Out):
    """`progress` is the part of the present step that is done, 0 to 1. `job_id`, `last_error` and
    `last_error_message` are `id` and the parts of `error` under their other names."""

    id: int
    job_id: int
    connection_id: int
    connection_name: str
    source_post_id: str
    source_media_url: str
    caption: str
    duration_s: float | None
    priority: int
    status: str
    wait_reason: str | None
    step: str | None
    progress: float
    attempts: int
    error: ErrorOut | None
    last_error: str | None
    last_error_message: str | None
    next_retry_at: datetime | None
    destination_post_id: str | None
    destination_url: str | None
    run_id: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None

    @classmethod
    def of(cls, view: JobView) -> JobOut:
        return cls(**_job_facts(view))


class AttemptOut(Out):
    n: int
    state: str
    step: str | None
    run_id: str | None
    proxy: str | None
    proxy_id: int | None
    proxy_alias: str | None
    bytes_fetched: int | None
    bytes_sent: int | None
    seconds: dict[str, float]
    error_code: str | None
    error_message: str | None
    started_at: datetime
    ended_at: datetime | None


class LogOut(Out):
    id: int
    at: datetime
    level: str
    job_id: int | None
    account_id: int | None
    connection_id: int | None
    code: str | None
    text: str

    @classmethod
    def of(cls, row: dict[str, Any]) -> LogOut:
        return cls(**{name: row[name] for name in cls.model_fields})


class JobDetail(JobOut):
    """A job with everything that happened to it. `plan`: what was decided about its file; `receipt`: what went in,
    what came out and what that cost; `media`: where its kept files are served."""

    attempts_made: list[AttemptOut]
    timeline: list[LogOut]
    plan: dict[str, Any]
    receipt: dict[str, Any]
    media: dict[str, str]
    publication: str | None
    links: dict[str, str]

    @classmethod
    def of_story(cls, story: JobStory, media: dict[str, str]) -> JobDetail:
        return cls(
            **_job_facts(story.view),
            attempts_made=[AttemptOut(**{name: a[name] for name in AttemptOut.model_fields}) for a in story.attempts],
            timeline=[LogOut.of(row) for row in story.timeline],
            plan={name: value for name, value in story.plan.items() if name != "receipt"},
            receipt=story.plan.get("receipt", {}),
            media=media,
            publication=story.publication,
            links=story.links,
        )


class JobDone(Out):
    status: Literal["success"] = "success"
    job: JobOut
    message: str


class EnqueueIn(Body):
    """`post`: its address on the platform, or the platform's id."""

    connection: RowId
    post: Words = Field(min_length=1, max_length=2_000, examples=["https://www.instagram.com/reel/C0dE12/"])


class RetryMany(Body):
    """All dead letters whose last error this is; with `connection` only those of one connection."""

    error: Words = Field(min_length=1, max_length=100, examples=["quota_exceeded"])
    connection: RowId | None = None


class RetriedMany(Out):
    status: Literal["success"] = "success"
    error: str
    count: int
    jobs_requeued: list[int]
    message: str


class GiveUp(Body):
    reason: Words = Field(min_length=1, max_length=2_000)


class ConfirmIn(Body):
    """`live`: the post is at the destination; with its id there an echo of it is never forwarded back. `again`: not."""

    answer: Answer
    remote_id: Words | None = Field(None, min_length=1, max_length=200, pattern=r"^\S+$")
    url: Words | None = Field(None, max_length=2_000, pattern=r"^https?://\S+$")

    @model_validator(mode="after")
    def _nothing_beside_again(self) -> ConfirmIn:
        if self.answer is Answer.AGAIN and (self.remote_id or self.url):
            raise ValueError("remote_id and url belong to the answer live")
        return self


class DeadLetter(Out):
    job_id: int
    id: int
    connection_id: int
    connection_name: str
    source_post_id: str
    final_error: str | None
    error_message: str | None
    error_action: str | None
    attempts: int
    failed_at: datetime | None
    can_retry: bool

    @classmethod
    def of(cls, view: JobView) -> DeadLetter:
        job = view.job
        return cls(
            job_id=job.id,
            id=job.id,
            connection_id=job.connection_id,
            connection_name=view.connection_name,
            source_post_id=view.source_post_id,
            final_error=job.failure.code if job.failure else None,
            error_message=job.failure.message if job.failure else None,
            error_action=job.failure.action if job.failure else None,
            attempts=job.attempts,
            failed_at=job.completed_at,
            can_retry=True,
        )


class CauseOut(Out):
    error: str
    count: int
    action: str


class CausesOut(Out):
    items: list[CauseOut]


class DeadLetters(Out):
    total_count: int
    jobs: list[DeadLetter]
    next_cursor: str | None = None


class PostQuery(PageQuery):
    connection: RowId


class DecisionOut(Out):
    verdict: str
    rule: str
    value: str
    until: datetime | None


class PostOut(Out):
    id: int
    source_post_id: str
    url: str
    caption: str
    duration_s: float | None
    posted_at: datetime
    seen_at: datetime
    decision: DecisionOut

    @classmethod
    def of(cls, seen: SourcePost, decision: Decision) -> PostOut:
        return cls(
            id=seen.id,
            source_post_id=seen.post.platform_post_id,
            url=seen.post.url,
            caption=seen.post.caption,
            duration_s=seen.post.duration_s,
            posted_at=seen.post.posted_at,
            seen_at=seen.seen_at,
            decision=DecisionOut(
                verdict=decision.verdict, rule=decision.rule, value=decision.value, until=decision.until
            ),
        )


class WhyOut(Out):
    """Of one connection. `because` says in a sentence what the decision and the job say in facts."""

    connection_id: int
    connection_name: str
    decision: DecisionOut | None
    job: JobOut | None
    because: str

    @classmethod
    def of(cls, reason: Reason) -> WhyOut:
        shown = None
        if (made := reason.decision) is not None:
            shown = DecisionOut(verdict=made.verdict, rule=made.rule, value=made.value, until=made.until)
        return cls(
            connection_id=reason.connection_id,
            connection_name=reason.connection_name,
            decision=shown,
            job=JobOut.of(reason.job) if reason.job else None,
            because=reason.because,
        )


class PostWhyOut(Out):
    """Why a post was forwarded or not, by every connection of its source."""

    id: int
    source_post_id: str
    url: str
    caption: str
    posted_at: datetime
    seen_at: datetime
    connections: list[WhyOut]

    @classmethod
    def of(cls, seen: SourcePost, reasons: list[Reason]) -> PostWhyOut:
        return cls(
            id=seen.id,
            source_post_id=seen.post.platform_post_id,
            url=seen.post.url,
            caption=seen.post.caption,
            posted_at=seen.post.posted_at,
            seen_at=seen.seen_at,
            connections=[WhyOut.of(reason) for reason in reasons],
        )


class LogQuery(SortedQuery):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    account: RowId | None = Field(None, description="Written about it, or about a connection it is an end of")
    connection: RowId | None = None
    job_id: RowId | None = None
    level: Literal["debug", "info", "warning", "error", "critical"] | None = None
    error: str | None = Field(None, max_length=100, description="Code of the error")
    q: str | None = Field(None, max_length=200, description="Beginnings of words in the message")
    since: Instant | None = Field(None, alias="from")
    until: Instant | None = Field(None, alias="to")
    hour: int | None = Field(None, ge=0, le=23, description="In this hour of a local day")

    def wanted(self) -> dict[str, Any]:
        return {
            "account_id": self.account,
            "connection_id": self.connection,
            "job_id": self.job_id,
            "level": self.level,
            "code": self.error,
            "q": self.q,
            "since": self.since,
            "until": self.until,
            "hour": self.hour,
        }


def _job_facts(view: JobView) -> dict[str, Any]:
    job = view.job
    failure = job.failure
    return {
        "id": job.id,
        "job_id": job.id,
        "connection_id": job.connection_id,
        "connection_name": view.connection_name,
        "source_post_id": view.source_post_id,
        "source_media_url": view.source_url,
        "caption": view.caption,
        "duration_s": view.duration_s,
        "priority": job.priority,
        "status": job.status,
        "wait_reason": job.wait_reason,
        "step": job.step,
        "progress": job.progress,
        "attempts": job.attempts,
        "error": ErrorOut(code=failure.code, message=failure.message, action=failure.action) if failure else None,
        "last_error": failure.code if failure else None,
        "last_error_message": failure.message if failure else None,
        "next_retry_at": job.next_attempt_at,
        "destination_post_id": job.destination_post_id,
        "destination_url": job.destination_url,
        "run_id": job.run_id,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "completed_at": job.completed_at,
    }
