"""Confirming: the two answers a person can give to “not known whether it was posted”, and the one a policy can.

A connection's policy never answers by guessing: it has the destination asked again, and only what that proves counts,
by the rule of `publishing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from forwarder_core.db import connections, jobs, people, posts, publications
from forwarder_core.db.engine import Tx
from forwarder_core.domain.jobs import Errand, JobStatus
from forwarder_core.domain.publications import Publication, PublicationState, publish_again_after_s
from forwarder_core.errors import Conflict, NotFound
from forwarder_core.services import alerting
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core
from forwarder_core.services.journal import about

POLICY = "policy on_ambiguous"  # who acted, in the audit


def it_is_live(core: Core, job_id: int, *, who: str, remote_id: str | None = None, url: str | None = None) -> None:
    """The person saw it at the destination: the job is done. With its id there, an echo of it is never forwarded."""
    with core.begin() as tx:
        _mark_live(tx, job_id, core.clock.now(), who=who, remote_id=remote_id, url=url)
    about(job_id=job_id).info("Job %s: confirmed as live by %s", job_id, who)


def _mark_live(tx: Tx, job_id: int, now: datetime, *, who: str, remote_id: str | None, url: str | None) -> None:
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
            address=url,
        )
        _refuse_anothers(tx, errand, publication, remote_id, url)
    if remote_id or url:
        jobs.set_published(tx, job_id, remote_id or "", url or "")
    jobs.move(tx, [job_id], JobStatus.SUCCESS, now=now, error_code=None, error_message=None, error_action=None)
    people.audit(tx, who=who, what="confirmed_live", target=f"job:{job_id}", now=now)
    _tell_answer(tx, job_id, "It is live", who, now)


def _refuse_anothers(tx: Tx, errand: Errand, publication: Publication, *names: str | None) -> None:
    """One post at a destination is the result of one publication; a name the ledger knew before stayed that one's."""
    for name in names:
        if name and posts.named(tx, errand.destination.platform, name) != publication.id:
            raise Conflict(
                f"The post {name} is known already as the result of another job.",
                action="Look at its id at the destination again, or answer without one.",
            )


def publish_again(core: Core, job_id: int, *, who: str) -> None:
    """The person saw that it is not there: it is published anew."""
    now = core.clock.now()
    with core.begin() as tx:
        _, publication = _unconfirmed(tx, job_id)
        if not publications.move(tx, publication.id, PublicationState.ABANDONED, lease=None, session_ref=None):
            raise _answered(job_id)
        jobs.move(tx, [job_id], JobStatus.QUEUED, now=now, wait_reason=None, retries_used=0)
        people.audit(tx, who=who, what="publish_again", target=f"job:{job_id}", now=now)
        _tell_answer(tx, job_id, "Publish again", who, now)
    about(job_id=job_id).info("Job %s: to be published again, says %s", job_id, who)


def look_again(tx: Tx, now: datetime) -> list[int]:
    """Queue the unconfirmed jobs whose connections want their destination asked again by now; which those are."""
    due = [asked for asked in publications.unconfirmed(tx) if _is_due(asked, now)]
    for asked in due:
        publications.move(tx, asked.publication_id, PublicationState.COMMITTING, lease=None)
    moved = jobs.move(tx, [asked.job_id for asked in due], JobStatus.QUEUED, now=now, wait_reason=None) if due else []
    for job_id in moved:
        people.audit(tx, who=POLICY, what="destination_asked_again", target=f"job:{job_id}", now=now)
    return moved


def _is_due(asked: publications.Asked, now: datetime) -> bool:
    after_s = _after_s(asked.on_ambiguous)
    return after_s is not None and now >= asked.since + timedelta(seconds=after_s)


def asked_again_after_s(tx: Tx, errand: Errand) -> float | None:
    """None where only a person is asked."""
    connection = connections.get(tx, errand.job.connection_id)
    return _after_s(connection.on_ambiguous) if connection else None


def _after_s(on_ambiguous: str | Mapping[str, object]) -> float | None:
    try:
        return publish_again_after_s(on_ambiguous)
    except ValueError:  # stored before it was checked: a person is asked
        return None


def note_policy(tx: Tx, job_id: int, now: datetime, evidence: str) -> None:
    """A post a person was asked about is published again without them, because it is proven absent."""
    details = {"evidence": evidence}
    people.audit(tx, who=POLICY, what="published_again_by_policy", target=f"job:{job_id}", now=now, details=details)


def _tell_answer(tx: Tx, job_id: int, answer: str, who: str, now: datetime) -> None:
    """In the thread of the question, whichever door the answer came by."""
    alerting.about_job(tx, AlertKind.JOB_ANSWERED, jobs.errand(tx, job_id), now=now, answer=answer, by=who)


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
