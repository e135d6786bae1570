"""A machine of several falls silent: its jobs go on elsewhere, but only after its last call must have ended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db import events
from forwarder_core.db.tables import flow
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.services import recovery
from forwarder_core.services.context import Core
from tests.factories import add_connection, add_job, change_row, claimed, job_of
from tests.integration.services.far_ends import NoRuns

pytestmark = pytest.mark.slow


@pytest.fixture
def job(core: Core, clock: ManualClock) -> int:
    """Carried by a worker of a machine that gave a sign of life just now."""
    made = add_job(core, add_connection(core))
    claimed(core, made)
    with core.begin() as tx:
        change_row(tx, flow.jobs, made, worker={"host": "far-away", "pid": 7, "born": 0.0})
        events.beat(tx, name="worker@far-away", kind="celery", host="far-away", pid=1, now=clock.now(), facts={})
    return made


@pytest.mark.parametrize(
    ("lease_ended_for_s", "silent_for_s", "is_taken"),
    [(700, 700, True), (700, 30, False), (60, 700, False)],
    ids=["silent and long ended", "the machine lives", "its last call may be under way"],
)
def test_the_job_of_a_silent_machine_is_taken_when_nothing_of_it_can_be_under_way(
    core: Core, clock: ManualClock, job: int, *, lease_ended_for_s: float, silent_for_s: float, is_taken: bool
) -> None:
    clock.move(1_000)
    with core.begin() as tx:
        ended = clock.move(0)
        change_row(tx, flow.jobs, job, lease_until=ended - timedelta(seconds=lease_ended_for_s))
        events.beat(
            tx,
            name="worker@far-away",
            kind="celery",
            host="far-away",
            pid=1,
            now=ended - timedelta(seconds=silent_for_s),
            facts={},
        )
    assert [found.id for found in recovery.reap(core, NoRuns())] == ([job] if is_taken else [])
    assert job_of(core, job).status is (JobStatus.QUEUED if is_taken else JobStatus.RUNNING)
