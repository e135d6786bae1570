"""Posts as a source shows them, and the decision each connection takes about each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPost:
    """One post as its platform listed it. Counts are None where the platform does not say.

    `platform_post_id` is text always: Instagram's 19-digit numbers do not survive a JavaScript number.
    """

    platform_post_id: str
    url: str
    caption: str
    posted_at: datetime
    duration_s: float | None = None
    views: int | None = None
    likes: int | None = None
    comments: int | None = None
    has_audio: bool | None = None
    has_licensed_music: bool | None = None
    is_video: bool = True


@dataclass(frozen=True, slots=True)
class SourcePost:
    """A seen post with our own id: what jobs and decisions refer to."""

    id: int
    account_id: int
    post: SeenPost
    seen_at: datetime


class Verdict(StrEnum):
    """What a connection does with a post. What becomes of a `forward` is its job's state."""

    FORWARD = "forward"
    FILTERED = "filtered"
    DUPLICATE = "duplicate"
    TOO_LATE = "too_late"
    BEFORE_START = "before_start"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Decision:
    """Why a post is or is not forwarded: the rule that decided, the value it looked at, and for `held` until when."""

    verdict: Verdict
    rule: str
    value: str = ""
    until: datetime | None = field(default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of a post on one connection: what was decided, and its job's status where there is one."""

    connection_id: int
    connection: str
    verdict: str
    rule: str
    job_id: int | None
    job_status: str | None
