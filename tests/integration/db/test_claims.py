"""The claim and the fence: one launch has one holder, and whoever lost the job changes nothing any more."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db import attempts, jobs
from forwarder_core.db.tables import accounts as account_tables
from forwarder_core.db.tables import flow
from forwarder_core.domain.accounts import AccountStatus
from forwarder_core.domain.jobs import Failure, JobStatus, Lease, Step, WaitReason
from forwarder_core.services import forwarding
from forwarder_core.services.context import Core
from tests.factories import LEASE_S, add_connection, add_job, change_row, claimed, dispatch, job_of, later, rows

pytestmark = pytest.mark.slow


def test_a_claim_takes_the_job_and_opens_its_attempt(core: Core) -> None:
    job = add_job(core, add_connection(core))
    lease = claimed(core, job)
    now = job_of(core, job)
    assert (now.status, now.attempts, now.started_at) == (JobStatus.RUNNING, 1, core.clock.now())
    assert lease.until == later(core, LEASE_S)
    (attempt,) = rows(core, flow.attempts, job_id=job)
    assert (attempt["id"], attempt["n"], attempt["state"], attempt["run_id"]) == (
        lease.attempt_id,
        1,
        "running",
        now.run_id,
    )


def test_a_run_of_another_launch_gets_nothing(core: Core) -> None:
    job = add_job(core, add_connection(core))
    assert forwarding.claim(core, job, 0, "undispatched") is None
    launch = dispatch(core, job)
    assert forwarding.claim(core, job, launch.dispatch_no + 1, "too-new") is None
    assert forwarding.claim(core, 10**9, launch.dispatch_no, "no-such-job") is None
    assert rows(core, flow.attempts) == []


def test_a_launch_is_claimed_once(core: Core) -> None:
    job = add_job(core, add_connection(core))
    launch = dispatch(core, job)
    with ThreadPoolExecutor(6) as pool:
        leases = list(pool.map(lambda n: forwarding.claim(core, job, launch.dispatch_no, f"run-{n}"), range(6)))
    assert len([lease for lease in leases if lease is not None]) == 1
    assert job_of(core, job).attempts == 1


def test_of_two_launches_of_one_job_the_first_that_comes_has_it(core: Core, clock: ManualClock) -> None:
    job = add_job(core, add_connection(core))
    late = dispatch(core, job)
    clock.move(500)
    again = dispatch(core, job)
    assert forwarding.claim(core, job, late.dispatch_no, "late") is not None
    assert forwarding.claim(core, job, again.dispatch_no, "again") is None
    assert job_of(core, job).attempts == 1


def test_a_stop_or_pause_after_the_dispatch_takes_effect_at_the_claim(core: Core) -> None:
    for status in ("paused", "stopped"):
        connection = add_connection(core)
        job = add_job(core, connection)
        launch = dispatch(core, job)
        with core.begin() as tx:
            change_row(tx, flow.connections, connection.id, status=status)
        assert forwarding.claim(core, job, launch.dispatch_no, "run") is None
        assert job_of(core, job).status is JobStatus.QUEUED


def test_an_account_that_fell_ill_after_the_dispatch_stops_the_claim(core: Core) -> None:
    connection = add_connection(core)
    job = add_job(core, connection)
    launch = dispatch(core, job)
    with core.begin() as tx:
        change_row(tx, account_tables.accounts, connection.source_account_id, status=AccountStatus.CAPTCHA_DETECTED)
    assert forwarding.claim(core, job, launch.dispatch_no, "run") is None


def test_a_job_moved_by_hand_after_the_dispatch_is_not_claimed(core: Core) -> None:
    job = add_job(core, add_connection(core))
    launch = dispatch(core, job)
    with core.begin() as tx:
        assert jobs.move(tx, [job], JobStatus.PAUSED, now=core.clock.now()) == [job]
        assert jobs.move(tx, [job], JobStatus.QUEUED, now=core.clock.now()) == [job]
    assert forwarding.claim(core, job, launch.dispatch_no, "run") is None


def test_each_claim_has_a_higher_fence(core: Core) -> None:
    job = add_job(core, add_connection(core))
    fences = []
    for _ in range(3):
        lease = claimed(core, job)
        fences.append(lease.fence)
        with core.begin() as tx:
            assert jobs.close(tx, lease, JobStatus.QUEUED, now=core.clock.now())
    assert fences == sorted(set(fences))


def writes(core: Core, lease: Lease) -> dict[str, bool]:
    now = core.clock.now()
    with core.begin() as tx:
        return {
            "renew": jobs.renew(tx, lease, later(core, 60)),
            "report": jobs.report(tx, lease, step=Step.FETCH, progress=0.5, note="half", now=now),
            "is_held": jobs.is_held(tx, lease) and jobs.is_held(tx, lease, lock=True),
            "close": jobs.close(tx, lease, JobStatus.SUCCESS, now=now),
        }


def test_the_holder_writes_and_once_it_closed_it_is_no_holder(core: Core) -> None:
    lease = claimed(core, add_job(core, add_connection(core)))
    assert all(writes(core, lease).values())
    assert not any(writes(core, lease).values())


def test_whoever_lost_the_job_changes_nothing(core: Core) -> None:
    job = add_job(core, add_connection(core))
    zombie = claimed(core, job)
    with core.begin() as tx:
        assert jobs.take_away(tx, job, JobStatus.QUEUED, now=core.clock.now())
    holder = claimed(core, job)
    before = rows(core, flow.jobs, id=job)
    assert not any(writes(core, zombie).values())
    assert rows(core, flow.jobs, id=job) == before
    assert [a["state"] for a in rows(core, flow.attempts, job_id=job)] == ["lost", "running"]
    assert holder.fence > zombie.fence and all(writes(core, holder).values())


def test_closing_writes_job_and_attempt_together(core: Core, clock: ManualClock) -> None:
    job = add_job(core, add_connection(core))
    lease = claimed(core, job)
    clock.move(5)
    failure = Failure("network_error", "The connection failed.", "Nothing yet.")
    with core.begin() as tx:
        jobs.report(tx, lease, step=Step.PUBLISH, progress=0.2, note="", now=clock.now())
        assert jobs.close(
            tx,
            lease,
            JobStatus.RETRY_WAIT,
            now=clock.now(),
            failure=failure,
            wait_reason=WaitReason.BACKOFF,
            next_attempt_at=later(core, 10),
            retries_used=1,
        )
    now = job_of(core, job)
    assert (now.status, now.failure, now.retries_used, now.completed_at) == (JobStatus.RETRY_WAIT, failure, 1, None)
    (attempt,) = rows(core, flow.attempts, job_id=job)
    assert (attempt["state"], attempt["error_code"], attempt["step"]) == ("failed", "network_error", "publish_video")
    assert attempt["ended_at"] == clock.now()


def test_facts_of_an_attempt_add_up_and_do_not_replace_each_other(core: Core) -> None:
    job = add_job(core, add_connection(core))
    lease = claimed(core, job)
    with core.begin() as tx:
        attempts.note(tx, lease, seconds={"fetch_post": 1.5}, proxy="direct")
        attempts.note(tx, lease, seconds={"publish_video": 2.5}, bytes_sent=7)
    (attempt,) = rows(core, flow.attempts, job_id=job)
    assert attempt["seconds"] == {"fetch_post": 1.5, "publish_video": 2.5}
    assert (attempt["proxy"], attempt["bytes_sent"]) == ("direct", 7)


def test_only_a_running_job_can_be_taken_away_and_then_its_worker_is_told_by_the_fence(core: Core) -> None:
    job = add_job(core, add_connection(core))
    with core.begin() as tx:
        assert not jobs.take_away(tx, job, JobStatus.CANCELLED, now=core.clock.now())
    lease = claimed(core, job)
    with core.begin() as tx:
        assert jobs.take_away(tx, job, JobStatus.CANCELLED, now=core.clock.now())
        assert not jobs.is_held(tx, lease)
    assert job_of(core, job).completed_at == core.clock.now()
    assert [a["state"] for a in rows(core, flow.attempts, job_id=job)] == ["cancelled"]


def test_a_lease_expires_when_its_time_is_over_and_a_renewed_one_later(core: Core, clock: ManualClock) -> None:
    job = add_job(core, add_connection(core))
    lease = claimed(core, job)

    def expired() -> list[int]:
        with core.begin() as tx:
            return [found.id for found, _ in jobs.expired(tx, clock.now())]

    clock.move(LEASE_S)
    assert expired() == []
    forwarding.renew(core, lease)
    clock.move(LEASE_S)
    assert expired() == []
    clock.move(0.001)
    assert expired() == [job]
    with core.begin() as tx:
        jobs.close(tx, lease, JobStatus.QUEUED, now=clock.now())
    assert expired() == []


def test_a_running_job_is_never_moved_by_hand(core: Core) -> None:
    job = add_job(core, add_connection(core))
    claimed(core, job)
    with core.begin() as tx:
        for status in JobStatus:
            assert jobs.move(tx, [job], status, now=core.clock.now()) == []
    assert job_of(core, job).status is JobStatus.RUNNING
