"""Approvals: what jobs ask a person, and the answer they go on with."""

from __future__ import annotations

from fastapi import APIRouter

from admin_app.api.deps import CoreDep, Who
from admin_app.api.schemas.approvals import Answered, AnswerIn, QuestionOut, QuestionsOut
from admin_app.api.schemas.base import RowId
from admin_app.api.schemas.jobs import JobOut
from forwarder_core.services import approving

router = APIRouter(prefix="/api", tags=["Jobs & logs"])


@router.get("/approvals")
def list_questions(core: CoreDep) -> QuestionsOut:
    """Every question that holds up a job, oldest first."""
    return QuestionsOut(items=[QuestionOut.of(one) for one in approving.waiting(core)])


@router.get("/jobs/{job_id}/approval")
def get_question(job_id: RowId, core: CoreDep) -> QuestionOut | None:
    """What the job asks, or asked last; null where it never did."""
    asked = approving.question_of(core, job_id)
    return QuestionOut.of(asked) if asked else None


@router.post("/jobs/{job_id}/approve")
def answer(job_id: RowId, core: CoreDep, who: Who, body: AnswerIn | None = None) -> Answered:
    """Answer; without a body it is `approve`. The same answer again changes nothing. 409 when nothing is asked."""
    choice = body.choice if body else "approve"
    moved = approving.answer(core, job_id, choice, who)
    return Answered(job=JobOut.of(moved), message=f"Job {job_id} answered: {choice}")
