"""What is due: the most urgent first, within the limits of each account, and nothing that may not run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db import breakers, jobs
from forwarder_core.db import dispatch as dispatch_db
from forwarder_core.db.tables import accounts as account_tables
from forwarder_core.db.tables import flow
from forwarder_core.domain.accounts import AccountStatus
from forwarder_core.domain.jobs import Dispatch, JobStatus
from forwarder_core.services import forwarding, tunables
from forwarder_core.services.context import Core
from tests.factories import (
    STAMP_S,
    add_account,
    add_connection,
    add_job,
    add_post,
    change_row,
    claimed,
    dispatch,
    job_of,
    later,
    rows,
)

pytestmark = pytest.mark.slow


def due(core: Core, *, room: int = 100, per_destination: int = 100, per_source: int = 100) -> list[int]:
    with core.begin() as tx:
        found = dispatch_db.due(tx, core.clock.now(), room=room, per_destination=per_destination, per_source=per_source)
    return [d.job_id for d in found]


def test_a_post_queued_twice_on_one_connection_makes_one_job(core: Core) -> None:
    connection = add_connection(core)
    post = add_post(core, connection.source_account_id)
    row = {
        "connection_id": connection.id,
        "source_post_id": post,
        "root_post_id": post,
        "created_at": core.clock.now(),
        "changed_at": core.clock.now(),
    }
    with core.begin() as tx:
        first, again = jobs.add(tx, [row]), jobs.add(tx, [row])
        assert jobs.add(tx, []) == []
    assert len(first) == 1 and again == []
    assert len(rows(core, flow.jobs)) == 1


def test_the_most_urgent_comes_first_and_among_equals_the_oldest(core: Core) -> None:
    connection = add_connection(core)
    usual, urgent, also_usual = (add_job(core, connection, priority=p) for p in (0, 9, 0))
    assert due(core) == [urgent, usual, also_usual]
    assert due(core, room=2) == [urgent, usual]


def test_one_destination_gets_one_job_at_a_time_counting_those_under_way(core: Core) -> None:
    connection, other = add_connection(core), add_connection(core)
    first, second = add_job(core, connection), add_job(core, connection)
    elsewhere = add_job(core, other)
    assert due(core, per_destination=1) == [first, elsewhere]
    claimed(core, first)
    assert due(core, per_destination=1) == []
    assert due(core, per_destination=2) == [second]


def test_a_source_gives_so_many_at_once_whatever_their_destinations(core: Core, clock: ManualClock) -> None:
    source = add_account(core)
    made = [add_job(core, add_connection(core, source)) for _ in range(4)]
    assert due(core, per_source=3) == made[:3]
    claimed(core, made[0])
    assert len(due(core, per_source=3)) == 0, "one runs and two are dispatched"
    clock.move(STAMP_S + 1)
    assert due(core, per_source=3) == made[1:3]


def test_a_job_that_waits_for_its_source_hides_no_later_job_of_the_same_destination(core: Core) -> None:
    crowded, free = add_account(core), add_account(core)
    destination = add_account(core, "youtube")
    claimed(core, add_job(core, add_connection(core, crowded)))
    add_job(core, add_connection(core, crowded, destination), priority=9)
    later_one = add_job(core, add_connection(core, free, destination))
    assert due(core, per_destination=1, per_source=1) == [later_one]


def test_a_job_whose_platform_rests_hides_no_later_job_of_the_same_destination(core: Core) -> None:
    destination = add_account(core, "archive")
    add_job(core, add_connection(core, add_account(core), destination), priority=9)
    later_one = add_job(core, add_connection(core, add_account(core, "youtube"), destination))
    with core.begin() as tx:
        breakers.count_failure(tx, "platform", "instagram")
        now = core.clock.now()
        breakers.hold_open(tx, "platform", "instagram", since=now, now=now, until=later(core, 60))
    assert [job.job_id for job in forwarding.dispatchable(core)] == [later_one]


def test_a_connection_that_does_not_run_has_nothing_due(core: Core) -> None:
    for status in ("paused", "stopped"):
        add_job(core, add_connection(core, status=status))
    assert due(core) == []


def test_a_deleted_connection_has_nothing_due(core: Core) -> None:
    connection = add_connection(core)
    add_job(core, connection)
    with core.begin() as tx:
        change_row(tx, flow.connections, connection.id, deleted_at=core.clock.now())
    assert due(core) == []


def test_an_account_that_needs_a_person_has_nothing_due_at_either_end(core: Core) -> None:
    for status in AccountStatus:
        ends = {"source": add_account(core), "destination": add_account(core, "youtube")}
        for end in ends:
            expected = [add_job(core, add_connection(core, **ends))]
            with core.begin() as tx:
                change_row(tx, account_tables.accounts, ends[end].id, status=status)
            assert due(core) == (expected if status.is_usable else []), (status, end)
            with core.begin() as tx:
                jobs.move(tx, expected, JobStatus.CANCELLED, now=core.clock.now())
                change_row(tx, account_tables.accounts, ends[end].id, status="active")


def test_an_account_that_cools_down_has_nothing_due_until_it_has(core: Core, clock: ManualClock) -> None:
    made = []
    for end in ("source", "destination"):
        ends = {"source": add_account(core), "destination": add_account(core, "youtube")}
        made.append(add_job(core, add_connection(core, **ends)))
        with core.begin() as tx:
            change_row(tx, account_tables.accounts, ends[end].id, cool_down_until=later(core, 30))
    assert due(core) == []
    clock.move(30)
    assert due(core) == made


def test_a_retry_is_due_when_its_wait_is_over_and_no_sooner(core: Core, clock: ManualClock) -> None:
    job = add_job(core, add_connection(core), status=JobStatus.RETRY_WAIT, next_attempt_at=later(core, 10))
    assert due(core) == []
    clock.move(9.9)
    assert due(core) == []
    clock.move(0.1)
    assert due(core) == [job]


def test_only_what_is_queued_or_waits_for_its_retry_is_ever_due(core: Core) -> None:
    connection = add_connection(core)
    made = {status: add_job(core, connection, status=status, next_attempt_at=core.clock.now()) for status in JobStatus}
    assert due(core) == [made[JobStatus.QUEUED], made[JobStatus.RETRY_WAIT]]


def test_a_dispatched_job_is_hidden_until_its_stamp_runs_out_and_then_has_a_new_number(
    core: Core, clock: ManualClock
) -> None:
    job = add_job(core, add_connection(core))
    first = dispatch(core, job)
    assert forwarding.dispatchable(core) == []
    clock.move(STAMP_S)
    assert forwarding.dispatchable(core) == []
    clock.move(1)
    again = dispatch(core, job)
    assert (first.dispatch_no, again.dispatch_no) == (1, 2)
    assert first.run_key != again.run_key


def test_never_more_are_under_way_than_allowed(core: Core, clock: ManualClock) -> None:
    tunables.change(core, {"dispatch.max_running": 2})
    made = [add_job(core, add_connection(core)) for _ in range(4)]
    assert [d.job_id for d in forwarding.dispatchable(core)] == made[:2]
    assert forwarding.dispatchable(core) == []
    claim_all(core, made[:2])
    clock.move(STAMP_S + 1)
    assert forwarding.dispatchable(core) == [], "running ones count too"


def claim_all(core: Core, job_ids: list[int]) -> None:
    for job in job_ids:
        assert forwarding.claim(core, job, job_of(core, job).dispatch_no, f"run-{job}") is not None


def test_eight_dispatchers_at_once_never_launch_a_job_twice_nor_too_many(core: Core) -> None:
    tunables.change(core, {"dispatch.max_running": 7})
    for _ in range(30):
        add_job(core, add_connection(core))
    with ThreadPoolExecutor(8) as pool:
        launches = [d for found in pool.map(lambda _: forwarding.dispatchable(core), range(24)) for d in found]
    assert len({d.job_id for d in launches}) == len(launches) == 7
    assert all(isinstance(d, Dispatch) and d.dispatch_no == 1 for d in launches)
