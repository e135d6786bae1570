"""Recovery: a job goes on without its worker only when that worker is dead for certain."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db import jobs
from forwarder_core.db.tables import flow
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.services import forwarding, recovery, tunables
from forwarder_core.services.context import Core
from tests.factories import LEASE_S, add_connection, add_job, add_publication, change_row, claimed, job_of, rows

pytestmark = pytest.mark.slow
NOBODY = {"host": socket.gethostname(), "pid": 2**22 + 1, "born": 0.0}


class Runs:
    def __init__(self) -> None:
        self.closed: list[str] = []

    def close(self, run_id: str, reason: str) -> None:
        self.closed.append(run_id)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def carried_by(core: Core, worker: dict[str, Any]) -> int:
    """A running job whose worker is this one."""
    job = add_job(core, add_connection(core))
    claimed(core, job)
    with core.begin() as tx:
        change_row(tx, flow.jobs, job, worker=worker)
    return job


def described(process: subprocess.Popen[bytes], **other: Any) -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "pid": process.pid,
        "born": psutil.Process(process.pid).create_time(),
        **other,
    }


def reap(core: Core, clock: ManualClock) -> tuple[list[int], list[str]]:
    clock.move(LEASE_S + 1)
    runs = Runs()
    return [job.id for job in recovery.reap(core, runs)], runs.closed


def test_the_job_of_a_dead_worker_is_queued_again_and_its_run_closed(core: Core, clock: ManualClock) -> None:
    job = carried_by(core, NOBODY)
    run = job_of(core, job).run_id
    assert reap(core, clock) == ([job], [run])
    after = job_of(core, job)
    assert (after.status, after.rescues, after.retries_used) == (JobStatus.QUEUED, 1, 0)
    assert [a["state"] for a in rows(core, flow.attempts)] == ["lost"]
    assert claimed(core, job), "another worker may go on"


def test_nobody_is_touched_before_its_lease_is_over(core: Core) -> None:
    job = carried_by(core, NOBODY)
    assert recovery.reap(core, Runs()) == []
    assert job_of(core, job).status is JobStatus.RUNNING


def test_a_worker_that_still_lives_is_killed_first(
    core: Core, clock: ManualClock, sleeper: subprocess.Popen[bytes]
) -> None:
    job = carried_by(core, described(sleeper))
    assert reap(core, clock)[0] == [job]
    assert not psutil.pid_exists(sleeper.pid) or psutil.Process(sleeper.pid).status() == psutil.STATUS_ZOMBIE


def test_a_process_that_only_has_the_workers_number_is_left_alone(
    core: Core, clock: ManualClock, sleeper: subprocess.Popen[bytes]
) -> None:
    job = carried_by(core, described(sleeper, born=psutil.Process(sleeper.pid).create_time() - 3_600))
    assert reap(core, clock)[0] == [job]
    assert sleeper.poll() is None


def test_a_worker_of_another_machine_keeps_its_job(
    core: Core, clock: ManualClock, sleeper: subprocess.Popen[bytes]
) -> None:
    job = carried_by(core, described(sleeper, host="elsewhere.example"))
    assert reap(core, clock)[0] == []
    assert job_of(core, job).status is JobStatus.RUNNING and sleeper.poll() is None


def test_a_job_that_outlived_too_many_workers_is_dead_and_says_why(core: Core, clock: ManualClock) -> None:
    tunables.change(core, {"lease.max_rescues": 1})
    job = carried_by(core, NOBODY)
    reap(core, clock)
    claimed(core, job)
    with core.begin() as tx:
        change_row(tx, flow.jobs, job, worker=NOBODY)
    reap(core, clock)
    after = job_of(core, job)
    assert (after.status, after.rescues, after.retries_used) == (JobStatus.DEAD, 2, 0)
    assert after.failure is not None and after.failure.code == "workers_died" and after.failure.action


def test_a_job_that_changed_hands_while_its_old_worker_was_being_killed_stays_with_the_new_one(
    core: Core, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = carried_by(core, NOBODY)
    killing = recovery.survives_killing

    def slow_killing(worker: dict[str, Any]) -> bool:
        monkeypatch.setattr(recovery, "survives_killing", killing)
        recovery.reap(core, Runs())  # another reaper is faster
        claimed(core, job)
        return False

    monkeypatch.setattr(recovery, "survives_killing", slow_killing)
    clock.move(LEASE_S + 1)
    assert recovery.reap(core, Runs()) == []
    after = job_of(core, job)
    assert (after.status, after.rescues, after.attempts) == (JobStatus.RUNNING, 1, 2)


def test_the_sweep_at_the_start_waits_for_no_lease_and_leaves_the_living_alone(
    core: Core, sleeper: subprocess.Popen[bytes]
) -> None:
    dead, alive = carried_by(core, NOBODY), carried_by(core, described(sleeper))
    runs = Runs()
    assert [job.id for job in recovery.sweep(core, runs)] == [dead]
    assert job_of(core, alive).status is JobStatus.RUNNING and sleeper.poll() is None
    assert runs.closed == [rows(core, flow.attempts, job_id=dead)[0]["run_id"]]


def test_a_run_that_ended_without_closing_its_job_gives_it_back_at_once(core: Core) -> None:
    job = carried_by(core, NOBODY)
    run = job_of(core, job).run_id
    assert run is not None
    assert recovery.run_ended(core, run) and not recovery.run_ended(core, run)
    assert job_of(core, job).status is JobStatus.QUEUED
    assert not recovery.run_ended(core, "no-such-run")


def test_a_run_whose_worker_lives_closes_its_job_by_itself(core: Core) -> None:
    job = carried_by(core, forwarding.this_worker())
    run = job_of(core, job).run_id
    assert run is not None and not recovery.run_ended(core, run)
    assert recovery.run_ended(core, run, by_its_own_worker=True)


def test_a_terminated_run_cancels_its_job_unless_the_post_may_be_live(core: Core) -> None:
    plain, unclear = carried_by(core, NOBODY), carried_by(core, NOBODY)
    add_publication(core, unclear, state="committing")
    for job in (plain, unclear):
        assert recovery.run_ended(core, str(job_of(core, job).run_id), is_cancelled=True)
    assert (job_of(core, plain).status, job_of(core, unclear).status) == (JobStatus.CANCELLED, JobStatus.QUEUED)


def test_a_worker_we_may_not_end_keeps_its_job_and_holds_up_no_other(
    core: Core, clock: ManualClock, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of another user's process: asking it to end is refused, and whether it will act again is not known."""
    guarded, dead = carried_by(core, described(sleeper)), carried_by(core, NOBODY)

    def refused(process: psutil.Process) -> None:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "kill", refused)
    assert reap(core, clock)[0] == [dead]
    assert job_of(core, guarded).status is JobStatus.RUNNING
    for ask in ("status", "create_time"):
        monkeypatch.setattr(psutil.Process, ask, refused)
        assert recovery.is_alive(described_as(guarded, core)), "what cannot be asked may live"


def described_as(job: int, core: Core) -> dict[str, Any]:
    (row,) = rows(core, flow.jobs, id=job)
    return dict(row["worker"])


def test_without_a_running_job_there_is_nothing_to_reap(core: Core, clock: ManualClock) -> None:
    add_job(core, add_connection(core))
    assert reap(core, clock) == ([], [])
    with core.begin() as tx:
        assert jobs.running(tx) == []
