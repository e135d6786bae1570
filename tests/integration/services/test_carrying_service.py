"""Carrying: a step tells where it stands, stops when the job was taken away, and leaves it in a named state always."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from forwarder_core.clock import ManualClock
from forwarder_core.db import jobs
from forwarder_core.db.tables import flow, system
from forwarder_core.domain.jobs import JobStatus, Step
from forwarder_core.errors import Bug, Fenced, LocalFailed, NetworkFailed
from forwarder_core.services import forwarding, journal, tunables
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.context import Core
from forwarder_core.simulator.testing import eventually
from tests.factories import add_connection, add_job, dispatch, job_of, later, rows

pytestmark = pytest.mark.slow


@pytest.fixture
def carrier(core: Core) -> Iterator[Carrier]:
    job = add_job(core, add_connection(core))
    made = Carrier(core, job, dispatch(core, job).dispatch_no, "run-1")
    assert made.claim()
    yield made
    made.let_go()


def take_away(carrier: Carrier) -> None:
    with carrier.core.begin() as tx:
        assert jobs.take_away(tx, carrier.lease.job_id, JobStatus.QUEUED, now=carrier.core.clock.now())


def test_a_step_tells_where_the_job_stands_and_how_long_it_took(carrier: Carrier) -> None:
    job = carrier.lease.job_id
    with carrier.step(Step.FETCH) as report:
        assert job_of(carrier.core, job).step is Step.FETCH
        report.fact(bytes_fetched=7, proxy="direct")
        report._said_at = 0.0  # the last word was long ago
        report.progress(7.5, "75 MB")
        assert job_of(carrier.core, job).progress == 1.0
    (attempt,) = rows(carrier.core, flow.attempts)
    assert (attempt["bytes_fetched"], attempt["proxy"], attempt["state"]) == (7, "direct", "running")
    assert attempt["seconds"]["fetch_post"] >= 0 and attempt["seconds"]["cpu"] > 0


@pytest.fixture
def heard(core: Core) -> Iterator[Carrier]:
    """One whose messages become rows."""
    handler = journal.install(core)
    job = add_job(core, add_connection(core))
    made = Carrier(core, job, dispatch(core, job).dispatch_no, "run-1")
    assert made.claim()
    yield made
    made.let_go()
    logging.getLogger(journal.LOGGER).removeHandler(handler)


def said(core: Core) -> list[str]:
    return [str(row["text"]).partition(": ")[2] for row in sorted(rows(core, system.log_events), key=lambda r: r["id"])]


def test_a_step_with_facts_and_messages_takes_two_transactions(heard: Carrier) -> None:
    begun: list[object] = []
    event.listen(heard.core.engine, "begin", begun.append)
    with heard.step(Step.FETCH) as report:
        report.info("Half of it")
        report.fact(bytes_fetched=7)
    assert len(begun) == 2
    assert said(heard.core) == ["Status changed to 'running'", "Half of it"]
    (line, _) = rows(heard.core, system.log_events)
    assert line["connection_id"] == heard.errand().job.connection_id


def test_a_message_no_database_takes_fails_no_step(heard: Carrier) -> None:
    with heard.step(Step.FETCH) as report:
        report.info("Sun\x00set over the bay")
    assert said(heard.core)[-1] == "Sunset over the bay"


def test_a_message_waits_for_a_second_at_most_and_no_warning_waits(heard: Carrier) -> None:
    with heard.step(Step.FETCH) as report:
        report.info("First")
        eventually(lambda: "First" in said(heard.core))
        report.info("Second")
        journal.about(job_id=heard.lease.job_id).warning("Job: Look here")
        assert said(heard.core)[-2:] == ["Second", "Look here"]


def test_no_message_is_lost_with_the_transaction_that_took_it_along(heard: Carrier) -> None:
    with pytest.raises(Fenced), heard.step(Step.FETCH) as report:
        report.info("Half of it")
        take_away(heard)
    assert said(heard.core)[-2:] == ["Half of it", "it was taken from this worker, which stops"]


def test_facts_are_kept_where_a_step_fails(carrier: Carrier) -> None:
    with pytest.raises(NetworkFailed), carrier.step(Step.FETCH) as report:
        report.fact(bytes_fetched=7)
        raise NetworkFailed("Cut.")
    assert rows(carrier.core, flow.attempts)[0]["bytes_fetched"] == 7


def test_a_failure_is_written_down_where_its_facts_cannot_be(carrier: Carrier) -> None:
    with pytest.raises(NetworkFailed), carrier.step(Step.FETCH) as report:
        report.fact(bytes_fetched=2**80)  # more than the column takes
        raise NetworkFailed("Cut.")
    assert rows(carrier.core, flow.attempts)[0]["error_code"] == NetworkFailed.code


def test_what_has_not_changed_is_written_rarely_and_notices_a_loss_all_the_same(carrier: Carrier) -> None:
    with pytest.raises(Fenced), carrier.step(Step.TRANSFORM) as report:
        while_ago = report._said_at = report._said_at - 3.0
        report.progress(0.0)
        assert report._said_at == while_ago, "it waits for its turn, as three seconds ago"
        report.progress(0.1)
        assert report._said_at > while_ago, "what is new is written"
        report._said_at -= 6.0
        take_away(carrier)
        report.progress(0.1)


def test_a_claim_is_made_once_and_one_that_is_refused_says_why(carrier: Carrier) -> None:
    assert carrier.claim() and job_of(carrier.core, carrier.lease.job_id).attempts == 1
    other = Carrier(carrier.core, carrier.lease.job_id, 1, "run-2")
    assert not other.claim() and "running" in other.why_not()
    with pytest.raises(Fenced):
        other.lease  # noqa: B018
    assert "no job" in Carrier(carrier.core, 10**9, 1, "run-3").why_not()


def test_a_step_whose_job_was_taken_away_stops_at_its_next_word(carrier: Carrier) -> None:
    reached = []
    with pytest.raises(Fenced), carrier.step(Step.TRANSFORM) as report:
        take_away(carrier)
        report._said_at = 0.0
        report.progress(0.5)
        reached.append("after")
    assert reached == []
    after = job_of(carrier.core, rows(carrier.core, flow.jobs)[0]["id"])
    assert (after.status, after.failure) == (JobStatus.QUEUED, None)
    with pytest.raises(Fenced), carrier.step(Step.PUBLISH):
        reached.append("another step")
    assert reached == []


def test_a_step_whose_job_was_taken_away_does_not_end_well(carrier: Carrier) -> None:
    with pytest.raises(Fenced), carrier.step(Step.TRANSFORM):
        take_away(carrier)


def test_a_failure_of_a_worker_that_lost_its_job_changes_nothing(carrier: Carrier) -> None:
    job = carrier.lease.job_id
    with pytest.raises(NetworkFailed), carrier.step(Step.FETCH):
        take_away(carrier)
        raise NetworkFailed("Cut.")
    after = job_of(carrier.core, job)
    assert (after.status, after.retries_used, after.failure) == (JobStatus.QUEUED, 0, None)


def test_a_failed_step_leaves_the_job_waiting_for_its_retry(carrier: Carrier) -> None:
    job = carrier.lease.job_id
    with pytest.raises(NetworkFailed), carrier.step(Step.FETCH):
        raise NetworkFailed("The connection failed with token=abcdefgh.")
    after = job_of(carrier.core, job)
    assert (after.status, after.next_attempt_at) == (JobStatus.RETRY_WAIT, later(carrier.core, 10))
    assert after.failure is not None and "abcdefgh" not in after.failure.message


def test_what_nobody_expected_is_a_bug_and_the_job_is_dead_not_lost(carrier: Carrier) -> None:
    job = carrier.lease.job_id
    with pytest.raises(Bug) as raised, carrier.step(Step.TRANSFORM):
        raise KeyError("password=swordfish-1")
    assert "swordfish" not in str(raised.value.raw)
    after = job_of(carrier.core, job)
    assert after.status is JobStatus.DEAD and after.failure is not None and after.failure.code == "bug"


def test_a_database_that_went_away_is_this_servers_trouble_and_retried(carrier: Carrier) -> None:
    job = carrier.lease.job_id
    with pytest.raises(LocalFailed), carrier.step(Step.FETCH):
        raise OperationalError("SELECT 1", {}, Exception("gone"))
    assert job_of(carrier.core, job).status is JobStatus.RETRY_WAIT


def test_the_lease_is_renewed_while_the_work_goes_on(core: Core, clock: ManualClock) -> None:
    tunables.change(core, {"lease.seconds": 2})
    job = add_job(core, add_connection(core))
    carrier = Carrier(core, job, dispatch(core, job).dispatch_no, "run-1")
    assert carrier.claim()
    first = rows(core, flow.jobs)[0]["lease_until"]
    clock.move(1.5)
    eventually(lambda: rows(core, flow.jobs)[0]["lease_until"] > first)
    carrier.let_go()
    assert rows(core, flow.jobs)[0]["lease_until"] == later(core, 2)


def test_the_heartbeat_of_a_worker_that_lost_its_job_notices(core: Core) -> None:
    tunables.change(core, {"lease.seconds": 2})
    job = add_job(core, add_connection(core))
    carrier = Carrier(core, job, dispatch(core, job).dispatch_no, "run-1")
    carrier.claim()
    with core.begin() as tx:
        jobs.take_away(tx, job, JobStatus.CANCELLED, now=core.clock.now())
    eventually(carrier._fenced.is_set)
    with pytest.raises(Fenced):
        carrier.lease  # noqa: B018
    carrier.let_go()


def test_an_interrupted_run_hands_its_job_back_or_cancels_it(core: Core) -> None:
    for cancel, expected in ((False, JobStatus.QUEUED), (True, JobStatus.CANCELLED)):
        job = add_job(core, add_connection(core))
        carrier = Carrier(core, job, dispatch(core, job).dispatch_no, "run-1")
        carrier.claim()
        carrier.interrupt(because="The worker was stopped.", cancel=cancel)
        carrier.let_go()
        after = job_of(core, job)
        assert (after.status, after.retries_used, after.rescues) == (expected, 0, 0)
        assert rows(core, flow.attempts, job_id=job)[0]["state"] == "interrupted"


def test_a_run_made_again_by_hand_opens_the_next_attempt_of_a_dead_or_waiting_job_only(core: Core) -> None:
    for status in JobStatus:
        job = add_job(core, add_connection(core), status=status, next_attempt_at=later(core, 900))
        again = Carrier(core, job, None, "again")
        may = status in (JobStatus.QUEUED, JobStatus.RETRY_WAIT, JobStatus.DEAD)
        assert again.claim() == may, status
        again.let_go()
        assert job_of(core, job).status is (JobStatus.RUNNING if may else status)
    assert forwarding.dispatchable(core) == []
