"""The job: one post on its way over one connection, and the only moves it can make.

States and moves are one table here; every change of a stored state is a guarded UPDATE that allows exactly what this
table allows. A manual or bulk retry is a new attempt of the same job, never a second job.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from forwarder_core.domain.accounts import Account


class JobStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    RETRY_WAIT = "retry_wait"
    CAPTCHA = "captcha"
    PAUSED = "paused"
    UNCONFIRMED = "unconfirmed"
    SUCCESS = "success"
    DEAD = "dead"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self in (JobStatus.SUCCESS, JobStatus.DEAD, JobStatus.CANCELLED)


_J = JobStatus
MOVES: dict[JobStatus, frozenset[JobStatus]] = {
    _J.QUEUED: frozenset({_J.RUNNING, _J.RETRY_WAIT, _J.PAUSED, _J.CANCELLED, _J.DEAD}),
    _J.RUNNING: frozenset(
        {_J.SUCCESS, _J.RETRY_WAIT, _J.CAPTCHA, _J.PAUSED, _J.UNCONFIRMED, _J.DEAD, _J.CANCELLED, _J.QUEUED}
    ),
    _J.RETRY_WAIT: frozenset({_J.RUNNING, _J.QUEUED, _J.PAUSED, _J.CANCELLED, _J.DEAD}),
    _J.CAPTCHA: frozenset({_J.QUEUED, _J.CANCELLED, _J.DEAD}),
    _J.PAUSED: frozenset({_J.QUEUED, _J.CANCELLED, _J.DEAD}),
    _J.UNCONFIRMED: frozenset({_J.QUEUED, _J.SUCCESS, _J.DEAD}),
    _J.SUCCESS: frozenset(),
    _J.DEAD: frozenset({_J.QUEUED}),
    _J.CANCELLED: frozenset({_J.QUEUED}),
}

# The client's words for the same states, accepted in filters (contract of the REST API).
SYNONYMS = {
    "retrying": JobStatus.RETRY_WAIT,
    "captcha_pending": JobStatus.CAPTCHA,
    "failed": JobStatus.DEAD,
    "succeeded": JobStatus.SUCCESS,
}


def before(status: JobStatus) -> frozenset[JobStatus]:
    """The states from which `status` may be reached: what a guarded UPDATE allows in its WHERE."""
    return frozenset(origin for origin, targets in MOVES.items() if status in targets)


class Step(StrEnum):
    """The four steps of a forward, named as Dagster's ops are."""

    FETCH = "fetch_post"
    TRANSFORM = "transform_video"
    PUBLISH = "publish_video"
    VERIFY = "verify_publication"


class WaitReason(StrEnum):
    """Why a job in retry_wait or paused is not moving."""

    BACKOFF = "backoff"
    BREAKER = "breaker"  # the platform is in trouble for everybody
    RATE = "rate"
    QUOTA = "quota"
    DAILY_LIMIT = "daily_limit"
    WINDOW = "window"  # the connection publishes at certain hours
    SPACING = "spacing"  # the destination had a post a moment ago
    DRIP = "drip"  # an old post whose day has not come
    SETTLING = "settling"  # the destination's listing may still lag behind a publication
    ACCOUNT = "account"  # an account of the connection needs a person
    HOLD = "hold"
    APPROVAL = "approval"


@dataclass(frozen=True, slots=True)
class Failure:
    """The last error of a job, as the admin reads it."""

    code: str
    message: str
    action: str


TERMINATED = Failure("terminated", "The run was terminated by hand.", "Retry the job when it should go on after all.")
STOPPED = Failure("connection_stopped", "The connection was stopped.", "Retry the job when it should go on after all.")
WORKER_DIED = Failure(
    "worker_died",
    "The worker that carried this job died, or its run ended without a word.",
    "Nothing: another run takes it up where it stood. Look at the server's memory if it repeats.",
)
NEVER_BEGAN = Failure(
    "run_never_began",
    "Dagster could not begin the run of this job.",
    "Look at the run in Dagit; the job is started again by itself.",
)
RE_AIMED = Failure(
    "connection_re_aimed",
    "The connection was given another destination.",
    "Retry the job when its post should go to the new destination.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    id: int
    connection_id: int
    source_post_id: int
    root_post_id: int
    status: JobStatus
    wait_reason: WaitReason | None = None
    step: Step | None = None
    progress: float = 0.0
    priority: int = 0
    dispatch_no: int = 0
    attempts: int = 0
    retries_used: int = 0
    rescues: int = 0
    next_attempt_at: datetime | None = None
    failure: Failure | None = None
    run_id: str | None = None
    destination_post_id: str | None = None
    destination_url: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to carry a job. Every write of its holder says `fence`; another claim makes a higher one."""

    job_id: int
    attempt_id: int
    fence: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A job that may start now: what a sensor needs to ask for a run, ids only."""

    job_id: int
    dispatch_no: int
    connection_id: int
    source_post_id: int
    priority: int
    source_account_id: int
    destination_account_id: int
    is_old: bool = False  # posted before its connection's start
    is_urgent: bool = False  # a person asked for it: it waits for no window
    is_past: bool = False  # its post may be live: it goes to find out, not to publish

    @property
    def partition_key(self) -> str:
        return f"{self.connection_id}|{self.source_post_id}"

    @property
    def run_key(self) -> str:
        """Used once for ever by Dagster, hence the number of the launch in it."""
        return f"job:{self.job_id}:{self.dispatch_no}"


@dataclass(frozen=True, slots=True)
class Errand:
    """All a worker must know of the job it carries: both ends and the post, without any secret."""

    job: Job
    connection_name: str
    proxy_id: int | None  # of the connection, before its accounts' own
    token_id: int | None  # the credential of its destination account that the connection names; None: the account's own
    source: Account
    destination: Account
    platform_post_id: str
    source_url: str
    caption: str
    posted_at: datetime
    transform_options: dict[str, object]
    publish_options: dict[str, object]
    has_audio: bool | None = None  # what the source's platform says of the post
    is_muted: bool = False  # it goes without its sound
