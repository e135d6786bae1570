"""Failing: what an attempt's failure means for its job, its account, its connection and its platform.

The decision is `domain.retries.after`; here are its consequences, all in the transaction that closes the attempt.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from forwarder_core import crashpoints
from forwarder_core.db import attempts, connections, jobs, overviews
from forwarder_core.db.engine import Tx
from forwarder_core.domain import retries
from forwarder_core.domain.connections import ConnectionStatus
from forwarder_core.domain.incidents import blamed
from forwarder_core.domain.jobs import Errand, Failure, JobStatus, Lease, Step, WaitReason
from forwarder_core.domain.retries import NextMove
from forwarder_core.errors import PolicyRejected, StepFailed
from forwarder_core.logs import redact
from forwarder_core.media.store import MediaStore
from forwarder_core.services import (
    alerting,
    breakers,
    confirming,
    echoes,
    incidents,
    proxy_evidence,
    quotas,
    resting,
    retry_policies,
)
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core
from forwarder_core.services.journal import about

REJECTIONS_IN_A_ROW = 3  # so many posts refused for the destination's rules pause the connection
_SAID_ELSEWHERE = (JobStatus.CANCELLED, JobStatus.CAPTCHA, JobStatus.PAUSED)
_KINDS = {
    JobStatus.DEAD: AlertKind.JOB_DEAD,
    JobStatus.UNCONFIRMED: AlertKind.JOB_UNCONFIRMED,
}


def fail(core: Core, lease: Lease, error: StepFailed) -> NextMove | None:
    """End the attempt with `error` and decide what comes next; None when another worker holds the job already."""
    crashpoints.at("failure.before")
    error = proxy_evidence.judged(core, lease, error)
    now = core.clock.now()
    failure = Failure(error.code, redact(error.message), error.action)
    with core.begin() as tx:
        failed = jobs.errand(tx, lease.job_id)
        is_open = breakers.note_failure(tx, failed, error, began=attempts.began(tx, lease.attempt_id), now=now)
        policy = retry_policies.policy_of(tx, failed.job.connection_id, error.code)
        move = retries.after(error, retries_used=failed.job.retries_used, policy=policy, is_free=is_open)
        if move.status is JobStatus.RETRY_WAIT and move.wait_reason is not WaitReason.SETTLING:
            move = _unless_stopped(tx, failed, move)
        if not _close(tx, lease, failed, move, failure, now):
            return None
        _lay_to_rest(tx, failed, error, now)
        quotas.note_failure(core, tx, failed, blamed(failed), error)
        incidents.note_failure(core, tx, failed, error, now)
        if isinstance(error, echoes.SameVideo):
            echoes.decide_again(tx, failed, error, now)
        _tell(tx, failed, move, failure, now)
    crashpoints.at("failure.after")
    if move.status is JobStatus.DEAD:
        MediaStore(core.media_root).remove(lease.job_id)
    _say(failed, move, failure, error)
    return move


def _unless_stopped(tx: Tx, failed: Errand, move: NextMove) -> NextMove:
    """A connection stopped or deleted while its job ran gets no further attempt."""
    connection = connections.get(tx, failed.job.connection_id)
    if connection is not None and connection.status is not ConnectionStatus.STOPPED:
        return move
    return NextMove(JobStatus.CANCELLED, None, None, False)


def _close(tx: Tx, lease: Lease, failed: Errand, move: NextMove, failure: Failure, now: datetime) -> bool:
    return jobs.close(
        tx,
        lease,
        move.status,
        now=now,
        failure=failure,
        wait_reason=move.wait_reason,
        next_attempt_at=None if move.wait_s is None else now + timedelta(seconds=move.wait_s),
        retries_used=failed.job.retries_used + move.burns_retry,
    )


def _lay_to_rest(tx: Tx, failed: Errand, error: StepFailed, now: datetime) -> None:
    """Let what failed rest: its account, and a connection whose posts are refused one after the other."""
    at_destination = None if failed.job.step is Step.FETCH else failed.job.connection_id
    resting.lay_to_rest(tx, blamed(failed), error, now, connection_id=at_destination)
    if isinstance(error, PolicyRejected):
        last = overviews.last_errors(tx, failed.job.connection_id, REJECTIONS_IN_A_ROW)
        if last == [error.code] * REJECTIONS_IN_A_ROW:
            _pause_connection(tx, failed, error, now)


def _pause_connection(tx: Tx, failed: Errand, error: StepFailed, now: datetime) -> None:
    reason = f"{REJECTIONS_IN_A_ROW} posts in a row were rejected by the destination's rules"
    if connections.pause_active(tx, failed.job.connection_id, reason):
        action = "Look into the destination's own notices, change what is posted, then resume the connection."
        kind, once = AlertKind.CONNECTION_PAUSED, now.isoformat()
        text = f"{reason}. {error.message}"
        alerting.about_connection(tx, kind, failed, now=now, once=once, code=error.code, error=text, action=action)


def _tell(tx: Tx, failed: Errand, move: NextMove, failure: Failure, now: datetime) -> None:
    """One alert per attempt, except where there is nothing to say, or its account says it for all of them."""
    if move.status in _SAID_ELSEWHERE or move.wait_reason is WaitReason.SETTLING:
        return
    if move.status is JobStatus.UNCONFIRMED and failed.job.failure and failed.job.failure.code == "unconfirmed":
        return  # the question stands already; the destination was asked again, and still would not say
    retry = failed.job.retries_used + move.burns_retry
    kind = _KINDS.get(move.status, AlertKind.JOB_RETRYING)
    again = confirming.asked_again_after_s(tx, failed) if move.status is JobStatus.UNCONFIRMED else None
    alerting.about_job(tx, kind, failed, now=now, failure=failure, retry=retry, wait_s=move.wait_s, again_after_s=again)


def _say(failed: Errand, move: NextMove, failure: Failure, error: StepFailed) -> None:
    job = failed.job
    log = about(job_id=job.id, connection_id=job.connection_id, code=failure.code)
    wait = f" for {move.wait_s:g} s" if move.wait_s is not None else ""
    log.error("Job %s: %s Status changed to '%s'%s", job.id, failure.message, move.status, wait)
    if error.raw:
        log.warning("Job %s: the platform's own words: %s", job.id, error.raw)
