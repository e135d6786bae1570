"""Explaining: what became of a post on a connection, from the decision to the receipt."""

from __future__ import annotations

from dataclasses import dataclass

from forwarder_core.db import jobs, posts, publications
from forwarder_core.domain.jobs import Job, Step
from forwarder_core.domain.posts import Decision, SourcePost
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


def receipt_of(core: Core, job_id: int) -> Receipt:
    """The receipt of a job that succeeded; seconds add up over its attempts."""
    with core.begin() as tx:
        errand = jobs.errand(tx, job_id)
        found = publications.latest_of(tx, job_id)
        attempts = jobs.attempts_of(tx, job_id)
    spent = [attempt["seconds"] for attempt in attempts]
    return Receipt(
        job=errand.job,
        source_post_id=errand.platform_post_id,
        sha256=(found[0].content_sha256 if found else None) or "",
        size_bytes=(found[0].size_bytes if found else None) or 0,
        seconds={step: round(sum(each.get(step, 0.0) for each in spent), 3) for step in Step},
        cpu_s=round(sum(each.get("cpu", 0.0) for each in spent), 3),
    )
