"""Approving: a job that must not go on before a person answered a question puts it here, and waits.

A worker calls `ask`: it returns the answer where there is one, else it lays the job down (paused, `approval`) and
raises `AwaitingAnswer`, which ends the run in good order. Whoever answers first, in the UI, over the API or in
Telegram, sends the job on its way again. The fact to know: a job that was resumed without an answer asks again, so no
road leads around the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from forwarder_core.db import approvals, jobs, people, publications
from forwarder_core.db.engine import Tx
from forwarder_core.db.overviews import JobView
from forwarder_core.domain.jobs import Errand, Failure, Job, JobStatus, Lease, WaitReason
from forwarder_core.domain.questions import APPROVE, PUBLISH, REJECT, Choice, Question
from forwarder_core.errors import AwaitingAnswer, Conflict, Fenced, FieldError, Invalid
from forwarder_core.services import alerting
from forwarder_core.services import jobs as jobs_service
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core
from forwarder_core.services.journal import about

_CAN_BE_ANSWERED = (JobStatus.PAUSED, JobStatus.QUEUED, JobStatus.RETRY_WAIT)
_MOST = 500


def ask(core: Core, lease: Lease, question: str, choices: Sequence[Choice], *, topic: str) -> str:
    """The word of the choice a person made for this topic of the job.

    Raises AwaitingAnswer while nobody did: the attempt is closed then, and the job waits. Raises Fenced.
    """
    now = core.clock.now()
    with core.begin() as tx:
        known = approvals.get(tx, lease.job_id, topic)
        if known is not None and known.standing_answer is not None:
            return known.standing_answer
        asking = jobs.errand(tx, lease.job_id)
        if not _lay_down(tx, lease, now):
            raise Fenced(f"Job {lease.job_id} is carried by another worker now.")
        if known is None or not known.is_open:
            approvals.ask(tx, job_id=lease.job_id, topic=topic, text=question, choices=choices, now=now)
            pairs = [[choice.word, choice.label] for choice in choices]
            alerting.about_job(tx, AlertKind.APPROVAL, asking, now=now, question=question, topic=topic, choices=pairs)
    about(job_id=lease.job_id).info("Job %s: waits for an answer: %s", lease.job_id, question)
    raise AwaitingAnswer(f"Job {lease.job_id} waits for an answer: {question}")


def _lay_down(tx: Tx, lease: Lease, now: datetime) -> bool:
    return jobs.close(
        tx,
        lease,
        JobStatus.PAUSED,
        now=now,
        attempt_state="asked",
        wait_reason=WaitReason.APPROVAL,
        next_attempt_at=None,
    )


def ask_before_publishing(core: Core, lease: Lease, errand: Errand) -> None:
    """Where the connection wants it, nothing is published that nobody approved. What was begun already goes on."""
    if not errand.publish_options.get("approval"):
        return
    with core.begin() as tx:
        if publications.latest_of(tx, errand.job.id) is not None:
            return
    ask(core, lease, f"Publish this post on {errand.destination.alias}?", (APPROVE, REJECT), topic=PUBLISH)


def answer(core: Core, job_id: int, choice: str, who: str) -> JobView:
    """Answer the job's open question; the same answer again changes nothing.

    Raises NotFound, Invalid for a word that is no choice, Conflict when there is nothing to answer.
    """
    now = core.clock.now()
    with core.begin() as tx:
        job = jobs_service.found(tx, job_id).job
        every = approvals.of_job(tx, job_id)
        open_ = next((question for question in every if question.is_open), None)
        if open_ is None:
            if every and every[-1].answer == choice:
                return jobs_service.found(tx, job_id)
            raise Conflict(f"Job {job_id} asks nothing.", action="Look at the job; it may have been answered already.")
        chosen = _chosen(open_, choice)
        if job.status not in _CAN_BE_ANSWERED:
            raise Conflict(f"Job {job_id} is {job.status}; it waits for no answer.")
        if not approvals.settle(tx, job_id, open_.topic, chosen.word, who=who, now=now):
            raise Conflict(f"Job {job_id} was answered meanwhile.")
        _send_on(core, tx, job, chosen, who)
        people.audit(tx, who=who, what="job_answered", target=f"job:{job_id}", now=now, details={"answer": chosen.word})
        alerting.about_job(tx, AlertKind.JOB_ANSWERED, jobs.errand(tx, job_id), now=now, answer=chosen.label, by=who)
        moved = jobs_service.found(tx, job_id)
    about(job_id=job_id, connection_id=job.connection_id).info("Job %s: %s, says %s", job_id, chosen.label, who)
    return moved


def question_of(core: Core, job_id: int) -> Question | None:
    """What the job asks or asked last. Raises NotFound."""
    with core.begin() as tx:
        jobs_service.found(tx, job_id)
        every = approvals.of_job(tx, job_id)
    return next((question for question in every if question.is_open), every[-1] if every else None)


def waiting(core: Core) -> list[Question]:
    """Every question that holds up a job, oldest first."""
    with core.begin() as tx:
        return approvals.waiting(tx, _MOST)


def _chosen(question: Question, word: str) -> Choice:
    chosen = question.choice(word)
    if chosen is None:
        known = ", ".join(choice.word for choice in question.choices)
        raise Invalid("That is no answer to this question.", FieldError("choice", f"one of {known}"))
    return chosen


def _send_on(core: Core, tx: Tx, job: Job, chosen: Choice, who: str) -> None:
    now = core.clock.now()
    if chosen.ends:
        failure = Failure("rejected", f"{chosen.label}, said {who}.", "Retry the job when it should be asked anew.")
        moved = jobs.move(
            tx, [job.id], JobStatus.CANCELLED, now=now, failure=failure, wait_reason=None, next_attempt_at=None
        )
    elif job.status is JobStatus.PAUSED and job.wait_reason is WaitReason.APPROVAL:
        moved = jobs.move(tx, [job.id], JobStatus.QUEUED, now=now, wait_reason=None, next_attempt_at=None)
    else:
        return  # it waits for something else too, and finds the answer when it gets there
    if not moved:
        raise Conflict(f"Job {job.id} has moved on meanwhile.")
