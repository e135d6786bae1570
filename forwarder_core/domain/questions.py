"""A question a job puts to a person, with the answers it can go on with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

PUBLISH = "publish"  # the topic of approve-before-publish


@dataclass(frozen=True, slots=True)
class Choice:
    """`word` goes over the wire, `label` stands on the button. `ends`: the job is cancelled by this answer."""

    word: str
    label: str
    ends: bool = False


APPROVE = Choice("approve", "Publish it")
REJECT = Choice("reject", "Reject", ends=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One topic of one job; asked again only when an answer that ended the job was overruled by a retry."""

    job_id: int
    topic: str
    text: str
    choices: Sequence[Choice]
    answer: str | None
    answered_by: str | None
    asked_at: datetime
    answered_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.answer is None

    def choice(self, word: str) -> Choice | None:
        return next((choice for choice in self.choices if choice.word == word), None)

    @property
    def standing_answer(self) -> str | None:
        """What the job may go on with; an answer that ended it is none for the attempt after."""
        given = self.choice(self.answer) if self.answer is not None else None
        return given.word if given is not None and not given.ends else None
