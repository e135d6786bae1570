"""Signing in and out, who am I, and the administrator's password."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from admin_app import auth
from admin_app.api.deps import CallerDep, CoreDep
from admin_app.api.schemas.auth import CheckOut, LoginIn, LoginOut, PasswordIn, UserOut
from admin_app.api.schemas.base import Done
from forwarder_core.services import signing_in

router = APIRouter(prefix="/api", tags=["Authentication"])


@router.post("/login")
def login(body: LoginIn, request: Request, response: Response, core: CoreDep) -> LoginOut:
    """Open a session. Ten wrong tries in 15 minutes end in 429 with Retry-After."""
    opened = signing_in.sign_in(
        core, body.username, body.password, address=auth.address_of(request), remember=body.remember
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
