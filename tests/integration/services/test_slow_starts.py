"""Runs that start later than their launch was good for: the job goes on by the first that comes, and only once."""

from __future__ import annotations

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db.tables import flow
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.errors import NetworkFailed
from forwarder_core.services import failing, forwarding
from forwarder_core.services.context import Core
from tests.factories import STAMP_S, add_connection, add_job, dispatch, job_of, rows

pytestmark = pytest.mark.slow


@pytest.fixture
def job(core: Core) -> int:
    return add_job(core, add_connection(core))


def test_where_every_run_starts_too_late_for_its_own_launch_the_job_begins_all_the_same(
    core: Core, clock: ManualClock, job: int
) -> None:
    launches = []
    for _ in range(3):
        launches.append(dispatch(core, job).dispatch_no)
        clock.move(STAMP_S + 1)
    launches.append(dispatch(core, job).dispatch_no)
    leases = [forwarding.claim(core, job, number, f"run-{number}") for number in launches]
    assert [lease is not None for lease in leases] == [True, False, False, False], "the first that comes has it"
    assert [row["run_id"] for row in rows(core, flow.attempts)] == ["run-1"]


def test_a_late_run_finds_no_stamp_to_go_by_and_does_nothing(core: Core, clock: ManualClock, job: int) -> None:
    """What is under way is counted by its stamps: a run outside of them would break the limits of its accounts."""
    late = dispatch(core, job).dispatch_no
    clock.move(STAMP_S + 1)
    assert forwarding.claim(core, job, late, "late-run") is None
    assert job_of(core, job).status is JobStatus.QUEUED


def test_a_late_run_does_not_shorten_the_wait_of_a_retry(core: Core, clock: ManualClock, job: int) -> None:
    late = dispatch(core, job).dispatch_no
    clock.move(STAMP_S + 1)
    lease = forwarding.claim(core, job, dispatch(core, job).dispatch_no, "run")
    assert lease is not None
    failing.fail(core, lease, NetworkFailed("The connection failed."))
    assert job_of(core, job).status is JobStatus.RETRY_WAIT
    assert forwarding.claim(core, job, late, "late-run") is None
    assert forwarding.claim(core, job, late + 1, "the-same-again") is None


def test_a_launch_nobody_made_is_none(core: Core, job: int) -> None:
    made = dispatch(core, job).dispatch_no
    assert forwarding.claim(core, job, made + 1, "run") is None
