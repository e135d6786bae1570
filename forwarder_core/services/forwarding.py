"""Forwarding: the single door into a run, the claim of a job, and the end of an attempt.

`dispatchable` alone decides what starts; run-now, retry, a solved challenge and a dead-letter retry only write rows.
A run's first act is `claim`. Whatever ends an attempt (`succeed`, `fail`) writes job, attempt and alert at once.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import psutil

from forwarder_core.db import accounts, connections, jobs
from forwarder_core.db.engine import Tx
from forwarder_core.domain import retries
from forwarder_core.domain.accounts import AccountStatus
from forwarder_core.domain.jobs import Dispatch, Errand, Failure, Job, JobStatus, Lease, Step
from forwarder_core.domain.retries import NextMove, RetryPolicy, Strategy
from forwarder_core.errors import Fenced, Retry, Scope, StepFailed
from forwarder_core.logs import redact
from forwarder_core.services import alerting, tunables
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core
from forwarder_core.services.journal import about

_HELD_AS = {
    "captcha_detected": AccountStatus.CAPTCHA_DETECTED,
    "token_expired": AccountStatus.REQUIRES_REAUTH,
    "invalid_credentials": AccountStatus.REQUIRES_REAUTH,
    "account_suspended": AccountStatus.DISABLED,
    "action_blocked": AccountStatus.PAUSED,
}


def dispatchable(core: Core) -> list[Dispatch]:
    """The jobs to start now, stamped: nobody is told of them again before the stamp runs out.

    Never more than `dispatch.max_running` are under way, so that Dagster's own queue stays empty and a Stop takes
    effect at once.
    """
    now = core.clock.now()
    with core.begin() as tx:
        jobs.lock_dispatch(tx)
        tuned = tunables.read(tx)
        room = tuned.count("dispatch.max_running") - jobs.count_under_way(tx, now)
        if room <= 0:
            return []
        chosen = jobs.due(
            tx,
            now,
            room=room,
            per_destination=tuned.count("dispatch.per_destination"),
            per_source=tuned.count("dispatch.per_source"),
        )
        jobs.stamp(tx, chosen, now + timedelta(seconds=tuned.number("dispatch.stamp_s")))
    return chosen


def claim(core: Core, job_id: int, dispatch_no: int, run_id: str) -> Lease | None:
    """Take the job for this run; None when it is not to be had, and then the run ends without doing anything."""
    now = core.clock.now()
    with core.begin() as tx:
        lease_s = tunables.read(tx).number("lease.seconds")
        until = now + timedelta(seconds=lease_s)
        lease = jobs.claim(tx, job_id, dispatch_no, run_id=run_id, worker=this_worker(), now=now, until=until)
    if lease is not None:
        about(job_id=job_id).info("Job %s: attempt started", job_id)
    return lease


def this_worker() -> dict[str, str | int | float]:
    """This process, so that another can tell whether it still lives: host, pid, and when that pid was born."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "born": psutil.Process().create_time()}


def renew(core: Core, lease: Lease, *, at_least_s: float = 0.0) -> None:
    """Carry the lease on. Raises Fenced when it is another's."""
    with core.begin() as tx:
        lease_s = max(tunables.read(tx).number("lease.seconds"), at_least_s)
        if not jobs.renew(tx, lease, core.clock.now() + timedelta(seconds=lease_s)):
            raise Fenced(f"Job {lease.job_id} is carried by another worker now.")


def errand(core: Core, job_id: int) -> Errand:
    with core.begin() as tx:
        return jobs.errand(tx, job_id)


def succeed(core: Core, lease: Lease) -> None:
    """The post is live and looked at: the job is done."""
    now = core.clock.now()
    with core.begin() as tx:
        done = jobs.errand(tx, lease.job_id)
        if not jobs.close(tx, lease, JobStatus.SUCCESS, now=now, wait_reason=None, next_attempt_at=None, progress=1.0):
            raise Fenced(f"Job {lease.job_id} is carried by another worker now.")
        if done.job.attempts > 1:
            alerting.about_job(
                tx, AlertKind.JOB_RECOVERED, done, now=now, attempts=done.job.attempts, url=done.job.destination_url
            )
    about(job_id=lease.job_id, connection_id=done.job.connection_id).info(
        "Job %s: Status changed to 'success'", lease.job_id
    )


def fail(core: Core, lease: Lease, error: StepFailed) -> NextMove | None:
    """End the attempt with `error` and decide what comes next; None when another worker holds the job already."""
    now = core.clock.now()
    failure = Failure(error.code, redact(error.message), error.action)
    with core.begin() as tx:
        failed = jobs.errand(tx, lease.job_id)
        move = retries.after(error, retries_used=failed.job.retries_used, policy=policy_of(tx, failed))
        if not _close(tx, lease, failed, move, failure, now):
            return None
        _lay_to_rest(tx, failed, error, now)
        _tell(tx, failed, move, failure, now)
    log = about(job_id=lease.job_id, connection_id=failed.job.connection_id, code=error.code)
    wait = f" for {move.wait_s:g} s" if move.wait_s is not None else ""
    log.error("Job %s: %s Status changed to '%s'%s", lease.job_id, failure.message, move.status, wait)
    if error.raw:
        log.warning("Job %s: the platform's own words: %s", lease.job_id, error.raw)
    return move


def policy_of(tx: Tx, errand: Errand) -> RetryPolicy:
    """The retry policy in force for a job: its connection's where it says something, else the installation's."""
    tuned = tunables.read(tx)
    connection = connections.get(tx, errand.job.connection_id)
    said: dict[str, Any] = dict(connection.retry_policy) if connection else {}
    steps = {"initial_delay_seconds", "backoff_multiplier", "max_delay_seconds", "backoff_strategy"} & said.keys()
    usual = RetryPolicy()
    return RetryPolicy(
        max_retries=int(said.get("max_attempts", tuned.count("retry.max_retries"))),
        delays_s=() if steps else tuned.numbers("retry.delays_s"),
        strategy=Strategy(said.get("backoff_strategy", usual.strategy)),
        multiplier=float(said.get("backoff_multiplier", usual.multiplier)),
        initial_delay_s=float(said.get("initial_delay_seconds", usual.initial_delay_s)),
        max_delay_s=float(said.get("max_delay_seconds", usual.max_delay_s)),
        retry_on=frozenset(said.get("retry_on_errors", ())),
        no_retry_on=frozenset(said.get("no_retry_on_errors", ())),
    )


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
    """Let the account that failed rest: until a person acts, or until the time the platform named."""
    account = failed.source if failed.job.step is Step.FETCH else failed.destination
    if error.retry is Retry.HOLD:
        reason = f"{error.title}: {redact(error.message)}"
        accounts.set_status(tx, account.id, _HELD_AS.get(error.code, AccountStatus.PAUSED), reason)
        connections.pause_all_of(tx, account.id, f"{account.alias}: {error.title}")
    elif error.retry is Retry.AS_TOLD and error.scope in (Scope.ACCOUNT, Scope.DESTINATION):
        wait = error.retry_after_s if error.retry_after_s is not None else error.wait_s
        accounts.change(tx, account.id, {"cool_down_until": now + timedelta(seconds=wait)})


def _tell(tx: Tx, failed: Errand, move: NextMove, failure: Failure, now: datetime) -> None:
    kind = {
        JobStatus.DEAD: AlertKind.JOB_DEAD,
        JobStatus.CAPTCHA: AlertKind.CAPTCHA,
        JobStatus.PAUSED: AlertKind.ACCOUNT,
    }
    retry = failed.job.retries_used + move.burns_retry
    told = kind.get(move.status, AlertKind.JOB_RETRYING)
    alerting.about_job(tx, told, failed, now=now, failure=failure, retry=retry, wait_s=move.wait_s)


# ---- recovery ---------------------------------------------------------------------------------------------------


def rescue(core: Core, *, is_alive: Callable[[Mapping[str, Any]], bool]) -> list[Job]:
    """Take jobs back from workers whose lease ran out and who are proven dead; returns those taken.

    `is_alive` answers for a worker as `this_worker` described it; one that is alive keeps its job until it is stopped,
    because bytes on the wire heed no fence. A job that outlived too many workers is dead.
    """
    now = core.clock.now()
    taken = []
    with core.begin() as tx:
        most = tunables.read(tx).count("lease.max_rescues")
        for job, worker in jobs.expired(tx, now):
            if is_alive(worker):
                continue
            if job.rescues >= most:
                moved = jobs.take_away(tx, job.id, JobStatus.DEAD, now=now, **_killer(job))
            else:
                moved = jobs.take_away(tx, job.id, JobStatus.QUEUED, now=now, rescues=job.rescues + 1)
            if moved:
                taken.append(job)
    for job in taken:
        about(job_id=job.id).warning("Job %s: its worker died; taken back (rescue %s)", job.id, job.rescues + 1)
    return taken


def _killer(job: Job) -> dict[str, str]:
    return {
        "error_code": "workers_died",
        "error_message": f"{job.rescues + 1} workers died while carrying this job.",
        "error_action": "Check the server's memory and the log of this job, then retry it by hand.",
    }
