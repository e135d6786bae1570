"""Forwarding: the single door into a run, the claim of a job, and its happy end.

`dispatchable` alone decides what starts; run-now, retry, a solved challenge and a dead-letter retry only write rows.
A run's first act is `claim`. What happens after a failure is in `failing`, after a death in `recovery`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import datetime, timedelta

import psutil

from forwarder_core import crashpoints
from forwarder_core.db import accounts, dispatch, jobs, publications, schema
from forwarder_core.db import pacing as pacing_rows
from forwarder_core.db.engine import Tx
from forwarder_core.domain.jobs import STOPPED, TERMINATED, Dispatch, JobStatus, Lease
from forwarder_core.domain.publications import PublicationState
from forwarder_core.errors import Fenced
from forwarder_core.services import alerting, breakers, challenges, confirming, disk, incidents, pacing, tunables
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core
from forwarder_core.services.journal import about
from forwarder_core.services.pacing import Pacer
from forwarder_core.services.tunables import Tuned


def dispatchable(core: Core) -> list[Dispatch]:
    """The jobs to start now, stamped: nobody is told of them again before the stamp runs out.

    Never more than `dispatch.max_running` are under way, so that Dagster's own queue stays empty and a Stop takes
    effect at once.
    """
    now = core.clock.now()
    with core.begin() as tx:
        if not dispatch.has_work(tx):
            return []
        dispatch.lock_dispatch(tx)
        tuned = tunables.read(tx)
        left = cancel_left(tx, now)
        asked = confirming.look_again(tx, now)
        chosen = _choose(core, tx, now, tuned)
        crashpoints.at("dispatch.before_stamp")
        dispatch.stamp(tx, chosen, now + timedelta(seconds=tuned.number("dispatch.stamp_s")))
    crashpoints.at("dispatch.after_stamp")
    for job_id in asked:
        about(job_id=job_id).info("Job %s: the destination is asked again, as its connection says", job_id)
    for job_id in left:
        about(job_id=job_id).warning("Job %s: %s Status changed to 'cancelled'", job_id, STOPPED.message)
    return chosen


def cancel_left(tx: Tx, now: datetime, connection_id: int | None = None) -> list[int]:
    """Cancel what waits on stopped connections: at the stop, and whenever a job comes back to one afterwards (its
    worker died, its challenge was solved), so that no later start publishes it."""
    left = dispatch.left_by_their_connection(tx, connection_id)
    return jobs.move(tx, left, JobStatus.CANCELLED, now=now, failure=STOPPED, wait_reason=None) if left else []


def _choose(core: Core, tx: Tx, now: datetime, tuned: Tuned) -> list[Dispatch]:
    if pacing.is_held(tuned):
        pacing_rows.hold(tx, now)
        return []
    room = tuned.count("dispatch.max_running") - dispatch.count_under_way(tx, now)
    if room <= 0:
        return []
    pacer = pacing.Pacer(core, tx, now)
    chosen = dispatch.due(
        tx,
        now,
        room=room,
        per_destination=tuned.count("dispatch.per_destination"),
        per_source=tuned.count("dispatch.per_source"),
        may=disk.gated(core, tuned, _gate(tx, now, pacer)),
    )
    pacer.settle()
    return chosen


def _gate(tx: Tx, now: datetime, pacer: Pacer) -> Callable[[Dispatch], bool]:
    """The pace of the destination; breakers; and canaries: of an account whose challenge was just solved, at either
    end, one job goes first."""
    is_open, on_probation = breakers.gate(tx, now), accounts.on_probation(tx)
    busy = dispatch.busy_accounts(tx, now) if on_probation else set()

    def may(job: Dispatch) -> bool:
        ends = {job.source_account_id, job.destination_account_id}
        if ends & on_probation & busy or not pacer.allows(job) or not is_open(job):
            return False
        busy.update(ends)
        pacer.take(job)
        return True

    return may


def claim(core: Core, job_id: int, dispatch_no: int, run_id: str) -> Lease | None:
    """Take the job for this run; None when it is not to be had, and then the run ends without doing anything."""
    crashpoints.at("claim.before")
    with core.begin() as tx:
        lease = _take(core, tx, job_id, dispatch_no, run_id)
    return _claimed(lease)


def claim_again(core: Core, job_id: int, run_id: str) -> Lease | None:
    """Take a job that waits for its retry, or that is dead, for a run somebody re-executed by hand: its next attempt.

    None in any other state: a job that is published, running or held is not touched.
    """
    now = core.clock.now()
    with core.begin() as tx:
        dispatch.lock_dispatch(tx)
        again = dispatch.stamp_again(tx, job_id, now + timedelta(seconds=tunables.read(tx).number("dispatch.stamp_s")))
        lease = None if again is None else _take(core, tx, job_id, again, run_id, by_hand=True)
        if lease is None:
            tx.rollback()  # a job that may not run now stays what it was
    return _claimed(lease)


def _take(core: Core, tx: Tx, job_id: int, dispatch_no: int, run_id: str, *, by_hand: bool = False) -> Lease | None:
    if not schema.is_ours(tx):  # a worker that an update forgot begins nothing
        return None
    now, tuned = core.clock.now(), tunables.read(tx)
    if not pacing.may_start(core, tx, job_id, now, tuned, by_hand=by_hand):
        return None
    until = now + timedelta(seconds=tuned.number("lease.seconds"))
    return jobs.claim(tx, job_id, dispatch_no, run_id=run_id, worker=this_worker(), now=now, until=until)


def _claimed(lease: Lease | None) -> Lease | None:
    if lease is not None:
        crashpoints.at("claim.after")
        about(job_id=lease.job_id).info("Job %s: Status changed to 'running'", lease.job_id)
    return lease


def this_worker() -> dict[str, str | int | float]:
    """This process, so that another can tell whether it still lives: host, pid, and when that pid was born."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "born": psutil.Process().create_time()}


def renew(core: Core, lease: Lease) -> float:
    """Carry the lease on, and say for how many seconds. Raises Fenced when it is another's."""
    with core.begin() as tx:
        lease_s = tunables.read(tx).number("lease.seconds")
        if not jobs.renew(tx, lease, core.clock.now() + timedelta(seconds=lease_s)):
            raise Fenced(f"Job {lease.job_id} is carried by another worker now.")
    return lease_s


def succeed(core: Core, lease: Lease) -> None:
    """The post is live and looked at: the job is done."""
    crashpoints.at("success.before")
    now = core.clock.now()
    with core.begin() as tx:
        done = jobs.errand(tx, lease.job_id)
        if not jobs.close(tx, lease, JobStatus.SUCCESS, now=now, wait_reason=None, next_attempt_at=None, progress=1.0):
            raise Fenced(f"Job {lease.job_id} is carried by another worker now.")
        breakers.note_success(tx, done)
        challenges.note_success(tx, done, now)
        incidents.note_success(core, tx, done, now)
        told = AlertKind.JOB_RECOVERED if done.job.retries_used or done.job.rescues else AlertKind.JOB_SUCCEEDED
        alerting.about_job(tx, told, done, now=now, attempts=done.job.attempts, url=done.job.destination_url)
    crashpoints.at("success.after")
    log = about(job_id=lease.job_id, connection_id=done.job.connection_id)
    log.info("Job %s: Status changed to 'success'", lease.job_id)


def hand_back(core: Core, lease: Lease, *, because: str, cancel: bool = False) -> None:
    """Stop carrying the job, on purpose and in good order: it is queued again at once, or cancelled.

    A job whose irreversible call may have gone out is not cancelled: it is looked into first.
    """
    with core.begin() as tx:
        found = publications.latest_of(tx, lease.job_id)
        is_unclear = found is not None and found[0].state is PublicationState.COMMITTING
        status = JobStatus.CANCELLED if cancel and not is_unclear else JobStatus.QUEUED
        failure = TERMINATED if status is JobStatus.CANCELLED else None
        if not jobs.close(tx, lease, status, now=core.clock.now(), failure=failure, attempt_state="interrupted"):
            return
    about(job_id=lease.job_id).warning("Job %s: %s Status changed to '%s'", lease.job_id, because, status)
