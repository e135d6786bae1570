"""Dropping: one post left for ever, by a person; and which posts of a connection go next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from forwarder_core.db import connections, jobs, pacing, people, posts, publications
from forwarder_core.domain.jobs import Failure, JobStatus
from forwarder_core.domain.posts import Decision, SourcePost, Verdict
from forwarder_core.errors import Conflict, NotFound
from forwarder_core.services.context import Core
from forwarder_core.services.journal import about

DROPPED = "dropped"
_WAITING = (JobStatus.QUEUED, JobStatus.RETRY_WAIT, JobStatus.PAUSED, JobStatus.CAPTCHA)
_FAILURE = Failure(DROPPED, "The post was dropped by hand.", "Nothing to do: it is left for ever.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NextPost:
    """`at` None: as soon as there is room."""

    job_id: int
    source_post_id: str
    wait_reason: str | None
    at: datetime | None


def drop(core: Core, connection_id: int, post_id: int, *, who: str) -> tuple[SourcePost, Decision]:
    """Leave this post for ever: no later look, backfill or change of rules brings it back. Raises Conflict once it is
    running or may be live."""
    now = core.clock.now()
    decision = Decision(Verdict.FILTERED, DROPPED, f"by {who}")
    with core.begin() as tx:
        connection = connections.get(tx, connection_id)
        post = posts.get(tx, post_id)
        if connection is None or post is None or post.account_id != connection.source_account_id:
            raise NotFound(f"Connection {connection_id} has no post {post_id}.")
        job = jobs.of_post(tx, connection_id, post_id)
        if job is not None and job.status not in (*_WAITING, JobStatus.DEAD, JobStatus.CANCELLED):
            raise Conflict(f"Its job {job.id} is {job.status}.", action="Cancel the job first, where it still can be.")
        if job is not None and job.status in _WAITING:
            moved = jobs.move(tx, [job.id], JobStatus.CANCELLED, now=now, failure=_FAILURE, wait_reason=None)
            if not moved or publications.unclear_among(tx, [job.id]):
                raise Conflict(f"Job {job.id} has moved on meanwhile.", action="Look at the job again.")
        posts.decide(tx, connection_id, {post_id: decision}, now, over=tuple(Verdict))
        people.audit(
            tx, who=who, what="post_dropped", target=f"connection:{connection_id}", now=now, details={"post": post_id}
        )
    about(connection_id=connection_id).info("Post %s dropped by %s", post.post.platform_post_id, who)
    return post, decision


def next_posts(core: Core, connection_id: int, *, limit: int = 10) -> list[NextPost]:
    """What waits on the connection, in the order it will go."""
    with core.begin() as tx:
        return [
            NextPost(
                job_id=row.id,
                source_post_id=row.platform_post_id,
                wait_reason=row.wait_reason,
                at=row.next_attempt_at,
            )
            for row in pacing.next_turns(tx, connection_id, limit=limit)
        ]
