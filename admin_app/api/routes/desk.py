"""The challenge desk: a platform wants a person. Saying that the check is done, and handing over the code it sent."""

from __future__ import annotations

from fastapi import APIRouter, status

from admin_app.api.deps import CoreDep, Who
from admin_app.api.schemas.base import RowId
from admin_app.api.schemas.desk import (
    ChallengeOut,
    ChallengesOut,
    CodeIn,
    Resolved,
    ResolveIn,
    SignInDone,
    SignInOut,
)
from forwarder_core.services import accounts, challenges, interactive_login

router = APIRouter(prefix="/api", tags=["Accounts"])
_ACCOUNT = "/accounts/{account_id}"


@router.get("/challenges")
def list_challenges(core: CoreDep) -> ChallengesOut:
    """Every account that waits for a person, and what waits with it."""
    return ChallengesOut(items=[ChallengeOut.of(one) for one in challenges.open_challenges(core)])


@router.post(f"{_ACCOUNT}/captcha-resolve")
def captcha_resolve(account_id: RowId, body: ResolveIn, core: CoreDep, who: Who) -> Resolved:
    """The check is done in the platform's app: one job goes first, the others follow when it has arrived."""
    had_one = challenges.challenge_of(core, account_id) is not None
    done = challenges.resolve(
        core, account_id, notes=body.resolution_notes, who=who, resume_connections=body.resume_connections
    )
    words = "CAPTCHA marked as solved for" if had_one else "No CAPTCHA is open for"
    return Resolved(
        message=f"{words} {done.account.alias}",
        account_status=done.account.status,
        connections_resumed=list(done.connections_resumed),
        jobs_requeued=list(done.jobs_requeued),
    )


@router.get(f"{_ACCOUNT}/sign-in")
def get_sign_in(account_id: RowId, core: CoreDep) -> SignInOut:
    """How the newest sign-in with a person stands."""
    accounts.get(core, account_id)
    return SignInOut.of(account_id, interactive_login.look(core, account_id))


@router.post(f"{_ACCOUNT}/sign-in", status_code=status.HTTP_202_ACCEPTED)
def begin_sign_in(account_id: RowId, core: CoreDep, who: Who) -> SignInDone:
    """Sign in again with a person at hand. Repeated while one is under way, it is that one."""
    asked = interactive_login.request(core, account_id, who=who)
    return SignInDone(sign_in=SignInOut.of(account_id, asked), message="The sign-in begins within seconds")


@router.delete(f"{_ACCOUNT}/sign-in")
def give_up_sign_in(account_id: RowId, core: CoreDep, who: Who) -> SignInDone:
    """End a sign-in that is under way."""
    accounts.get(core, account_id)
    ended = interactive_login.give_up(core, account_id, who=who)
    return SignInDone(sign_in=SignInOut.of(account_id, ended), message="No sign-in is under way")


@router.post(f"{_ACCOUNT}/challenge-code", status_code=status.HTTP_202_ACCEPTED)
def challenge_code(account_id: RowId, body: CodeIn, core: CoreDep, who: Who) -> SignInDone:
    """The code the platform sent, for the sign-in that waits for it. 409 when none does."""
    accounts.get(core, account_id)
    handed = interactive_login.give_code(core, account_id, body.code, who=who)
    return SignInDone(sign_in=SignInOut.of(account_id, handed), message="The code was handed to the waiting sign-in")
