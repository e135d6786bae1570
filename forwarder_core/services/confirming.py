"""Confirming: the two answers a person can give to “not known whether it was posted”."""

from __future__ import annotations

from forwarder_core.db import jobs, people, posts, publications
from forwarder_core.db.engine import Tx
from forwarder_core.domain.jobs import Errand, JobStatus
from forwarder_core.domain.publications import Publication, PublicationState
from forwarder_core.errors import Conflict, NotFound
from forwarder_core.services.context import Core
from forwarder_core.services.journal import about


def it_is_live(core: Core, job_id: int, *, who: str, remote_id: str | None = None, url: str | None = None) -> None:
    """The person saw it at the destination: the job is done. With its id there, an echo of it is never forwarded."""
    now = core.clock.now()
    with core.begin() as tx:
        errand, publication = _unconfirmed(tx, job_id)
        facts = {"remote_id": remote_id, "remote_url": url, "published_at": now}
        if not publications.move(tx, publication.id, PublicationState.PUBLISHED, lease=None, **facts):
            raise _answered(job_id)
        if remote_id:
            posts.add_origin(
                tx,
                platform=errand.destination.platform,
                remote_id=remote_id,
                root_post_id=publication.root_post_id,
                publication_id=publication.id,
                now=now,
            )
        if remote_id or url:
            jobs.set_published(tx, job_id, remote_id or "", url or "")
        jobs.move(tx, [job_id], JobStatus.SUCCESS, now=now, error_code=None, error_message=None, error_action=None)
        people.audit(tx, who=who, what="confirmed_live", target=f"job:{job_id}", now=now)
    about(job_id=job_id).info("Job %s: confirmed as live by %s", job_id, who)


def publish_again(core: Core, job_id: int, *, who: str) -> None:
    """The person saw that it is not there: it is published anew."""
    now = core.clock.now()
    with core.begin() as tx:
        _, publication = _unconfirmed(tx, job_id)
        if not publications.move(tx, publication.id, PublicationState.ABANDONED, lease=None, session_ref=None):
            raise _answered(job_id)
        jobs.move(tx, [job_id], JobStatus.QUEUED, now=now, wait_reason=None, retries_used=0)
        people.audit(tx, who=who, what="publish_again", target=f"job:{job_id}", now=now)
    about(job_id=job_id).info("Job %s: to be published again, says %s", job_id, who)


def _answered(job_id: int) -> Conflict:
    return Conflict(f"Job {job_id} has been answered for meanwhile.")


def _unconfirmed(tx: Tx, job_id: int) -> tuple[Errand, Publication]:
    job = jobs.get(tx, job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id}.")
    found = publications.latest_of(tx, job_id)
    if job.status is not JobStatus.UNCONFIRMED or found is None:
        raise Conflict(f"Job {job_id} is {job.status}, not unconfirmed.")
    return jobs.errand(tx, job_id), found[0]
