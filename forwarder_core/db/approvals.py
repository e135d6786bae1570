"""Questions of jobs and their answers, in SQL. An answer is one guarded UPDATE: the first one counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.flow import jobs
from forwarder_core.db.tables.roads import approvals
from forwarder_core.domain.jobs import JobStatus, WaitReason
from forwarder_core.domain.questions import Choice, Question

_OWN = approvals.c.workspace_id == WORKSPACE


def of_job(tx: Tx, job_id: int) -> list[Question]:
    """Oldest topic first."""
    query = select(approvals).where(_OWN, approvals.c.job_id == job_id).order_by(approvals.c.id)
    return [_question_of(row) for row in tx.execute(query)]


def get(tx: Tx, job_id: int, topic: str) -> Question | None:
    return next((question for question in of_job(tx, job_id) if question.topic == topic), None)


def ask(tx: Tx, *, job_id: int, topic: str, text: str, choices: Sequence[Choice], now: datetime) -> None:
    """Put the question, or put it anew."""
    items = [{"word": c.word, "label": c.label, "ends": c.ends} for c in choices]
    values = {"question": text, "choices": {"items": items}, "asked_at": now}
    unanswered = {"answer": None, "answered_by": None, "answered_at": None}
    made = upsert(approvals).values(job_id=job_id, topic=topic, **values)
    tx.execute(made.on_conflict_do_update(index_elements=["job_id", "topic"], set_={**values, **unanswered}))


def settle(tx: Tx, job_id: int, topic: str, answer: str, *, who: str, now: datetime) -> bool:
    """False when it was answered meanwhile."""
    settled = (
        update(approvals)
        .where(_OWN, approvals.c.job_id == job_id, approvals.c.topic == topic, approvals.c.answer.is_(None))
        .values(answer=answer, answered_by=who, answered_at=now)
    )
    return tx.execute(settled).rowcount == 1


def waiting(tx: Tx, limit: int) -> list[Question]:
    """Open questions of jobs that wait for them, oldest first."""
    query = (
        select(approvals)
        .join(jobs, jobs.c.id == approvals.c.job_id)
        .where(_OWN, approvals.c.answer.is_(None), jobs.c.deleted_at.is_(None))
        .where(jobs.c.status == JobStatus.PAUSED, jobs.c.wait_reason == WaitReason.APPROVAL)
        .order_by(approvals.c.asked_at, approvals.c.id)
    )
    return [_question_of(row) for row in tx.execute(query.limit(limit))]


def _question_of(row: Row[Any]) -> Question:
    return Question(
        job_id=row.job_id,
        topic=row.topic,
        text=row.question,
        choices=tuple(Choice(item["word"], item["label"], item["ends"]) for item in row.choices.get("items", ())),
        answer=row.answer,
        answered_by=row.answered_by,
        asked_at=row.asked_at,
        answered_at=row.answered_at,
    )
