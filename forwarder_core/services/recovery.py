"""Recovery: find the jobs of dead workers, prove the death, and let another worker go on.

What the product needs of whatever runs its runs is `RunControl`; the Dagster one lives beside the other Dagster code.
The fact to know: an expired lease is not a proof of death. A stopped process that wakes up again still has bytes to
send, and bytes on the wire heed no fence; so it is killed first, and only a process of this machine can be. One of a
machine that fell silent is waited for until its last call must have ended.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

import psutil

from forwarder_core import crashpoints
from forwarder_core.db import events, jobs, publications
from forwarder_core.db.engine import Tx
from forwarder_core.domain.jobs import NEVER_BEGAN, TERMINATED, WORKER_DIED, Failure, Job, JobStatus
from forwarder_core.domain.publications import PublicationState
from forwarder_core.services import alerting, tunables
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core
from forwarder_core.services.journal import about

_KILL_WAIT_S = 5.0
_SAME_BIRTH_S = 1.0  # process start times are rounded


class RunControl(Protocol):
    def close(self, run_id: str, reason: str) -> None:
        """Have the run engine count this run as failed, if it still counts it as under way."""
        ...


def reap(core: Core, runs: RunControl) -> list[Job]:
    """One round: jobs whose lease ran out go back to the queue once their worker is dead; returns those taken."""
    crashpoints.at("reap.before")
    taken = []
    now = core.clock.now()
    with core.begin() as tx:
        expired = jobs.expired(tx, now)
        if not expired:
            return _reaped([], runs)
        # Each irreversible call renews the lease past itself first (300 s), so a worker whose lease is out has none
        # under way and can begin none; the silence is a margin on that.
        silent_since = now - timedelta(seconds=tunables.read(tx).number("lease.silent_host_s"))
        long_expired = {job.id for job, _ in jobs.expired(tx, silent_since)}
        heard = events.hosts_heard_since(tx, silent_since)
    for job, worker in expired:
        is_cut_off = job.id in long_expired and _is_elsewhere(worker) and worker["host"] not in heard
        if (is_cut_off or not survives_killing(worker)) and _rescue(core, job, expired_before=core.clock.now()):
            taken.append(job)
    return _reaped(taken, runs)


def _reaped(taken: list[Job], runs: RunControl) -> list[Job]:
    crashpoints.at("reap.after")
    for job in taken:
        if job.run_id:
            runs.close(job.run_id, "Its worker died; the job goes on in another run.")
    return taken


def run_ended(core: Core, run_id: str, *, by_its_own_worker: bool = False, is_cancelled: bool = False) -> bool:
    """A run ended without closing its job: take the job back at once, without waiting for the lease.

    False when there is nothing to take, or its worker still lives and will close the job itself
    (`by_its_own_worker`: the caller is that worker). `is_cancelled`: somebody terminated the run, which means the job.
    """
    with core.begin() as tx:
        found = jobs.of_run(tx, run_id)
    if found is None or (not by_its_own_worker and is_alive(found[1])):
        return False
    return _cancel(core, found[0]) if is_cancelled else _rescue(core, found[0])


def _cancel(core: Core, job: Job) -> bool:
    """Cancel the job of a terminated run; one whose irreversible call may have gone out is looked into instead."""
    now = core.clock.now()
    with core.begin() as tx:
        found = publications.latest_of(tx, job.id)
        is_unclear = found is not None and found[0].state is PublicationState.COMMITTING
        if is_unclear:
            return jobs.take_away(tx, job.id, JobStatus.QUEUED, now=now, run_id=job.run_id)
        return jobs.take_away(tx, job.id, JobStatus.CANCELLED, now=now, run_id=job.run_id, failure=TERMINATED)


def sweep(core: Core, runs: RunControl) -> list[Job]:
    """At the start of everything, before any worker: jobs of workers that are no more go back at once."""
    taken = []
    with core.begin() as tx:
        running = jobs.running(tx)
    for job, worker in running:
        if not is_alive(worker) and _rescue(core, job):
            taken.append(job)
    for job in taken:
        if job.run_id:
            runs.close(job.run_id, "Its worker died with the machine or the product; the job goes on in another run.")
    return taken


def _rescue(core: Core, job: Job, *, expired_before: datetime | None = None) -> bool:
    """Take the job from its worker, who is dead; a job that outlived too many workers is dead itself."""
    now = core.clock.now()
    with core.begin() as tx:
        most = tunables.read(tx).count("lease.max_rescues")
        taken = _take(tx, job, now, is_last=job.rescues >= most, expired_before=expired_before)
    if taken:
        about(job_id=job.id).warning("Job %s: its worker died; taken back (rescue %s)", job.id, job.rescues + 1)
    return taken


def _take(tx: Tx, job: Job, now: datetime, *, is_last: bool, expired_before: datetime | None) -> bool:
    guard: dict[str, Any] = {"run_id": job.run_id, "expired_before": expired_before, "rescues": job.rescues + 1}
    if not is_last:
        if not jobs.take_away(tx, job.id, JobStatus.QUEUED, now=now, **guard):
            return False
        _tell(tx, job, WORKER_DIED, now)
        return True
    failure = Failure(
        "workers_died",
        f"{job.rescues + 1} workers died while carrying this job.",
        "Check the server's memory and the log of this job, then retry it by hand.",
    )
    taken = jobs.take_away(tx, job.id, JobStatus.DEAD, now=now, failure=failure, **guard)
    if taken:
        alerting.about_job(tx, AlertKind.JOB_DEAD, jobs.errand(tx, job.id), now=now, failure=failure)
    return taken


def _tell(tx: Tx, job: Job, failure: Failure, now: datetime, **facts: Any) -> None:
    """An alert, once, of a failure that no step of the job could report."""
    errand = jobs.errand(tx, job.id)
    alerting.about_job(
        tx, AlertKind.JOB_RETRYING, errand, now=now, failure=failure, retry=job.retries_used, wait_s=None, **facts
    )


def never_began(core: Core, job_id: int, dispatch_no: int) -> bool:
    """A run ended before it could claim its job (its code could not be loaded, its process not be started): tell it.

    The job is left as it is: its launch counts as made until the stamp runs out, so that a code location in trouble
    is asked once in that time. False where the job went on meanwhile.
    """
    with core.begin() as tx:
        job = jobs.get(tx, job_id)
        if job is None or job.dispatch_no != dispatch_no or job.status not in (JobStatus.QUEUED, JobStatus.RETRY_WAIT):
            return False
        _tell(tx, job, NEVER_BEGAN, core.clock.now(), once=f"launch-{dispatch_no}")
    about(job_id=job_id).warning("Job %s: %s", job_id, NEVER_BEGAN.message)
    return True


def is_alive(worker: Mapping[str, Any]) -> bool:
    """Whether the worker may still act. One of another machine may, for all we know."""
    if _is_elsewhere(worker):
        return True
    process = _process_of(worker)
    return process is not None and _lives(process)


def survives_killing(worker: Mapping[str, Any]) -> bool:
    """Kill the worker if it still lives; False when it is dead for certain. One elsewhere, or of a user whose processes
    are not ours to end, cannot be judged: it may act yet."""
    if _is_elsewhere(worker):
        return True
    process = _process_of(worker)
    if process is None:
        return False
    try:
        process.kill()
        process.wait(_KILL_WAIT_S)
    except psutil.NoSuchProcess:
        return False
    except psutil.TimeoutExpired:
        return _lives(process)
    except psutil.AccessDenied:
        return True
    return False


def _is_elsewhere(worker: Mapping[str, Any]) -> bool:
    return bool(worker) and worker["host"] != socket.gethostname()


def _process_of(worker: Mapping[str, Any]) -> psutil.Process | None:
    """The worker's process on this machine; None when it is gone, and its number another's."""
    if not worker:
        return None
    try:
        process = psutil.Process(int(worker["pid"]))
        same = abs(process.create_time() - float(worker["born"])) <= _SAME_BIRTH_S
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:  # somebody else's process: whether it is the worker, it will not say
        same = True
    return process if same else None


def _lives(process: psutil.Process) -> bool:
    """A zombie has sent its last byte."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
