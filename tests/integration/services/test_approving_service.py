"""A job that asks waits, whoever resumes what around it, and goes on by the first answer."""

from __future__ import annotations

import pytest

from forwarder_core.db.tables.people import audit_log
from forwarder_core.db.tables.system import outbox
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.jobs import JobStatus, WaitReason
from forwarder_core.domain.questions import APPROVE, REJECT, Choice
from forwarder_core.errors import AwaitingAnswer, Conflict, Fenced, Invalid
from forwarder_core.services import approving, connections, forwarding, jobs
from forwarder_core.services.context import Core
from forwarder_core.simulator.testing import Simulator
from tests import factories

pytestmark = pytest.mark.slow
CHOICES = (Choice("trim", "Trim it"), Choice("skip", "Skip it", ends=True))


def asked(core: Core, **ends: Account) -> int:
    """A job that waits for an answer before it is published."""
    job = factories.add_job(core, factories.add_connection(core, publish_options={"approval": True}, **ends))
    ask_again(core, job)
    return job


def ask_again(core: Core, job: int) -> None:
    lease = factories.claimed(core, job)
    with pytest.raises(AwaitingAnswer):
        approving.ask_before_publishing(core, lease, factories.errand_of(core, job))


def test_a_job_that_asks_pauses_with_one_alert_and_its_worker_may_write_no_more(core: Core) -> None:
    job = factories.add_job(core, factories.add_connection(core))
    lease = factories.claimed(core, job)
    with pytest.raises(AwaitingAnswer):
        approving.ask(core, lease, "Too long: 3 min. What now?", CHOICES, topic="too_long")

    found = factories.job_of(core, job)
    assert (found.status, found.wait_reason, found.failure) == (JobStatus.PAUSED, WaitReason.APPROVAL, None)
    assert [row["kind"] for row in factories.rows(core, outbox)] == ["approval"]
    assert [q.text for q in approving.waiting(core)] == ["Too long: 3 min. What now?"]
    with pytest.raises(Fenced):
        forwarding.renew(core, lease)


def test_the_answer_queues_the_job_and_is_what_it_finds_when_it_asks_again(core: Core) -> None:
    job = factories.add_job(core, factories.add_connection(core))
    with pytest.raises(AwaitingAnswer):
        approving.ask(core, factories.claimed(core, job), "What now?", CHOICES, topic="too_long")
    assert approving.answer(core, job, "trim", "telegram:42").job.status is JobStatus.QUEUED

    lease = factories.claimed(core, job)
    assert approving.ask(core, lease, "What now?", CHOICES, topic="too_long") == "trim"
    (audited,) = factories.rows(core, audit_log)
    assert (audited["who"], audited["what"]) == ("telegram:42", "job_answered")
    assert [row["kind"] for row in factories.rows(core, outbox)] == ["approval", "job_answered"]


def test_a_no_cancels_and_a_retry_of_it_asks_anew(core: Core) -> None:
    job = asked(core)
    refused = approving.answer(core, job, REJECT.word, "admin").job
    assert refused.status is JobStatus.CANCELLED and refused.failure is not None and refused.failure.code == "rejected"

    jobs.retry(core, job, who="admin")
    ask_again(core, job)
    assert approving.answer(core, job, APPROVE.word, "admin").job.status is JobStatus.QUEUED


def test_resuming_the_connection_is_no_answer(real_core: Core, simulator: Simulator) -> None:
    ends = [factories.simulated_account(real_core, simulator, platform)[0] for platform in ("instagram", "youtube")]
    job = asked(real_core, source=ends[0], destination=ends[1])
    connection = factories.job_of(real_core, job).connection_id
    connections.pause(real_core, connection)
    connections.resume(real_core, connection)

    assert factories.job_of(real_core, job).wait_reason is WaitReason.APPROVAL
    assert len(factories.rows(real_core, outbox)) == 1


def test_a_job_that_runs_again_without_an_answer_asks_again_and_tells_nobody_twice(core: Core) -> None:
    job = asked(core)
    with core.begin() as tx:
        factories.jobs.move(tx, [job], JobStatus.QUEUED, now=core.clock.now(), wait_reason=None)
    ask_again(core, job)

    assert factories.job_of(core, job).wait_reason is WaitReason.APPROVAL
    assert len(factories.rows(core, outbox)) == 1


def test_the_first_answer_counts_and_the_same_again_changes_nothing(core: Core) -> None:
    job = asked(core)
    approving.answer(core, job, "approve", "admin")
    assert approving.answer(core, job, "approve", "telegram:42").job.status is JobStatus.QUEUED
    with pytest.raises(Conflict):
        approving.answer(core, job, "reject", "telegram:42")
    with pytest.raises(Invalid) as unknown:
        approving.answer(core, asked(core), "perhaps", "admin")
    assert unknown.value.fields[0].field == "choice"


def test_a_publication_that_was_begun_is_not_held_up(core: Core) -> None:
    job = factories.add_job(core, factories.add_connection(core, publish_options={"approval": True}))
    lease = factories.claimed(core, job)
    factories.add_publication(core, job)

    approving.ask_before_publishing(core, lease, factories.errand_of(core, job))
    assert factories.job_of(core, job).status is JobStatus.RUNNING
