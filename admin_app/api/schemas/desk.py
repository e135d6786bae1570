"""The challenge desk over the wire: “solved”, the code, and the sign-in that waits for it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from admin_app.api.schemas.base import Body, Out, Words
from forwarder_core.domain.accounts import AccountStatus
from forwarder_core.services.challenges import Challenge
from forwarder_core.services.interactive_login import SignIn, State


class ChallengeOut(Out):
    """`connections`: paused by it; `pending_jobs`: what waits for its end."""

    account_id: int
    account_alias: str
    reason: str | None
    detected_at: datetime | None
    connections: int
    pending_jobs: int

    @classmethod
    def of(cls, one: Challenge) -> ChallengeOut:
        return cls(
            account_id=one.account.id,
            account_alias=one.account.alias,
            reason=one.account.status_reason,
            detected_at=one.detected_at,
            connections=one.connections,
            pending_jobs=one.jobs,
        )


class ChallengesOut(Out):
    items: list[ChallengeOut]


class ResolveIn(Body):
    """`resolved` can only be true: an open CAPTCHA needs no call."""

    resolved: Literal[True]
    resolution_notes: Words = Field("", max_length=2_000)
    resume_connections: bool = True


class Resolved(Out):
    status: Literal["success"] = "success"
    message: str
    account_status: AccountStatus
    connections_resumed: list[int]
    jobs_requeued: list[int]


class CodeIn(Body):
    code: Words = Field(max_length=40, repr=False, examples=["123456"])


class SignInOut(Out):
    """`state` none: no sign-in was ever asked for. `code_until`: a code entered later is of no use."""

    account_id: int
    state: State | Literal["none"]
    asked_by: str | None = None
    asked_at: datetime | None = None
    code_until: datetime | None = None
    reason: str | None = None
    action: str | None = None

    @classmethod
    def of(cls, account_id: int, found: SignIn | None) -> SignInOut:
        if found is None:
            return cls(account_id=account_id, state="none")
        return cls(
            account_id=account_id,
            state=found.state,
            asked_by=found.asked_by,
            asked_at=found.asked_at,
            code_until=found.code_until,
            reason=found.reason,
            action=found.action,
        )


class SignInDone(Out):
    status: Literal["success"] = "success"
    sign_in: SignInOut
    message: str
