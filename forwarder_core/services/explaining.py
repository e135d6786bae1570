"""Explaining: what became of a post on a connection, from the decision to the receipt; and why, in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from forwarder_core.db import attempts, connections, jobs, overviews, posts, publications
from forwarder_core.db.engine import Tx
from forwarder_core.db.overviews import JobView
from forwarder_core.domain import decisions
from forwarder_core.domain.jobs import Job, Step
from forwarder_core.domain.posts import Decision, SourcePost
from forwarder_core.errors import NotFound
from forwarder_core.services.context import Core


@dataclass(frozen=True, slots=True)
class Story:
    """A post that was seen, what was decided, and its job if it got one."""

    post: SourcePost
    decision: Decision | None
    job: Job | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A finished forward in numbers. `seconds` by step; `cpu_s` of the run's process, its start included."""

    job: Job
    source_post_id: str
    sha256: str
    size_bytes: int
    seconds: dict[str, float]
    cpu_s: float


def story_of(core: Core, connection_id: int, source_account_id: int, platform_post_id: str) -> Story | None:
    """None while the source has not been seen to show the post."""
    with core.begin() as tx:
        post = posts.find(tx, source_account_id, platform_post_id)
        if post is None:
            return None
        return Story(post, posts.decision_of(tx, connection_id, post.id), jobs.of_post(tx, connection_id, post.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One connection's view of a post. `decision` None: it has not looked at the post yet."""

    connection_id: int
    connection_name: str
    decision: Decision | None
    job: JobView | None
    because: str


def why(core: Core, post_id: int) -> tuple[SourcePost, list[Reason]]:
    """By every connection that has decided about the post, or takes posts from its account. Raises NotFound."""
    with core.begin() as tx:
        post = posts.get(tx, post_id)
        if post is None:
            raise NotFound(f"No post {post_id} was seen.")
        decided = [(c, name, made) for name, c, _, made in posts.decisions_about(tx, [post_id])]
        known = {connection_id for connection_id, *_ in decided}
        open_ = [(c.id, c.name, None) for c in connections.active_of_source(tx, post.account_id) if c.id not in known]
        return post, [_reason(tx, post_id, *each) for each in (*decided, *open_)]


def _reason(tx: Tx, post_id: int, connection_id: int, name: str, decision: Decision | None) -> Reason:
    job = jobs.of_post(tx, connection_id, post_id)
    view = overviews.job(tx, job.id) if job is not None else None
    said = decisions.why(decision) if decision is not None else "This connection has not decided about it yet."
    if job is not None:
        said += f" Its job {job.id} is {job.status}"
        said += f": {job.failure.message}" if job.failure is not None else "."
    return Reason(connection_id=connection_id, connection_name=name, decision=decision, job=view, because=said)


def receipt_of(core: Core, job_id: int) -> Receipt:
    """The receipt of a job that succeeded; seconds add up over its attempts."""
    with core.begin() as tx:
        errand = jobs.errand(tx, job_id)
        found = publications.latest_of(tx, job_id)
        tries = attempts.of_job(tx, job_id)
    spent = [attempt["seconds"] for attempt in tries]
    return Receipt(
        job=errand.job,
        source_post_id=errand.platform_post_id,
        sha256=(found[0].content_sha256 if found else None) or "",
        size_bytes=(found[0].size_bytes if found else None) or 0,
        seconds={step: round(sum(each.get(step, 0.0) for each in spent), 3) for step in Step},
        cpu_s=round(sum(each.get("cpu", 0.0) for each in spent), 3),
    )
