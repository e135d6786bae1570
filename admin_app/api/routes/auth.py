"""Signing in and out, who am I, and the administrator's password."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from admin_app import auth
from admin_app.api.deps import CallerDep, CoreDep
from admin_app.api.schemas.auth import (
    CheckOut,
    CodeIn,
    LoginIn,
    LoginOut,
    PasswordIn,
    SecondFactorDone,
    SecondFactorOut,
    SecondFactorProposed,
    UserOut,
)
from admin_app.api.schemas.base import Done
from forwarder_core.services import second_factor, signing_in

router = APIRouter(prefix="/api", tags=["Authentication"])


@router.post("/login")
def login(body: LoginIn, request: Request, response: Response, core: CoreDep) -> LoginOut:
    """Open a session. 401 second_factor_needed: send `code` too. Ten wrong tries in 15 minutes end in 429."""
    opened = signing_in.sign_in(
        core,
        body.username,
        body.password,
        address=auth.address_of(request),
        remember=body.remember,
        code=body.code,
    )
    response.headers["set-cookie"] = auth.set_session_cookie(opened, secure=auth.is_secure(request))
    session = opened.session
    user = UserOut(id=session.user_id, username=session.username)
    return LoginOut(token=opened.token, user=user, expires_at=session.expires_at)


@router.post("/logout")
def logout(request: Request, response: Response, core: CoreDep, caller: CallerDep) -> Done:
    """End this session; its token opens nothing any more."""
    signing_in.sign_out(core, caller.token)
    response.headers["set-cookie"] = auth.drop_session_cookie(secure=auth.is_secure(request))
    return Done(message="Signed out.")


@router.get("/auth/check")
def check(caller: CallerDep) -> CheckOut:
    """Who is signed in, until when, and the CSRF token a browser needs."""
    session = caller.session
    user = UserOut(id=session.user_id, username=session.username)
    return CheckOut(user=user, expires_at=session.expires_at, csrf_token=session.csrf_token)


@router.put("/admin/password")
def change_password(body: PasswordIn, request: Request, response: Response, core: CoreDep, caller: CallerDep) -> Done:
    """Change the password; every session ends, this one too."""
    signing_in.change_password(
        core,
        caller.session.username,
        current=body.current_password,
        new=body.new_password,
        confirm=body.confirm_password,
        address=auth.address_of(request),
    )
    response.headers["set-cookie"] = auth.drop_session_cookie(secure=auth.is_secure(request))
    return Done(message="Password updated successfully. Please login again.")


@router.get("/admin/second-factor")
def second_factor_standing(core: CoreDep, caller: CallerDep) -> SecondFactorOut:
    """Is a code asked for at sign-in?"""
    found = second_factor.standing(core, caller.session.username)
    return SecondFactorOut(is_on=found.is_on, recovery_codes_left=found.codes_left)


@router.post("/admin/second-factor")
def propose_second_factor(core: CoreDep, caller: CallerDep) -> SecondFactorProposed:
    """A new secret for an authenticator app. Nothing changes until a code of it is PUT here."""
    made = second_factor.propose(core, caller.session.username)
    return SecondFactorProposed(secret=made.secret, uri=made.uri)


@router.put("/admin/second-factor")
def switch_second_factor_on(body: CodeIn, request: Request, core: CoreDep, caller: CallerDep) -> SecondFactorDone:
    """From now on a sign-in takes a code as well. The recovery codes are in this answer and nowhere else."""
    codes = second_factor.confirm(core, caller.session.username, body.code, address=auth.address_of(request))
    return SecondFactorDone(recovery_codes=codes, message="Second factor on. Keep the recovery codes.")


@router.post("/admin/second-factor/off")
def switch_second_factor_off(body: CodeIn, request: Request, core: CoreDep, caller: CallerDep) -> Done:
    """By a code of it, or a recovery code."""
    second_factor.end(core, caller.session.username, body.code, address=auth.address_of(request))
    return Done(message="Second factor off.")
