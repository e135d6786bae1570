"""Questions of jobs over the wire, and their answers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from admin_app.api.schemas.base import Body, Out, Words
from admin_app.api.schemas.jobs import JobOut
from forwarder_core.domain.questions import Question


class AnswerIn(Body):
    """`choice`: the word of one of the question's choices; `approve` or `reject` before publishing."""

    choice: Words = Field("approve", max_length=40, examples=["approve", "reject"])


class ChoiceOut(Out):
    """`ends`: the job is cancelled by this answer."""

    word: str
    label: str
    ends: bool


class QuestionOut(Out):
    """`answer` null: the job waits for one."""

    job_id: int
    topic: str
    question: str
    choices: list[ChoiceOut]
    answer: str | None
    answered_by: str | None
    asked_at: datetime
    answered_at: datetime | None

    @classmethod
    def of(cls, asked: Question) -> QuestionOut:
        return cls(
            job_id=asked.job_id,
            topic=asked.topic,
            question=asked.text,
            choices=[ChoiceOut(word=c.word, label=c.label, ends=c.ends) for c in asked.choices],
            answer=asked.answer,
            answered_by=asked.answered_by,
            asked_at=asked.asked_at,
            answered_at=asked.answered_at,
        )


class QuestionsOut(Out):
    items: list[QuestionOut]


class Answered(Out):
    status: Literal["success"] = "success"
    job: JobOut
    message: str
