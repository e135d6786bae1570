"""Signing in, and the administrator's password."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from admin_app.api.schemas.base import Body, Out


class LoginIn(Body):
    username: str = Field(max_length=200, examples=["admin"])
    password: str = Field(max_length=1_000)
    remember: bool = False
    code: str | None = Field(None, max_length=40, description="Of the second factor, where it is on")


class UserOut(Out):
    id: int
    username: str


class LoginOut(Out):
    """`token` goes into `Authorization: Bearer …`; a browser gets it as an HttpOnly cookie too."""

    status: Literal["success"] = "success"
    token: str
    user: UserOut
    expires_at: datetime


class CheckOut(Out):
    """`csrf_token` goes into `X-CSRF-Token` of everything a browser changes."""

    authenticated: Literal[True] = True
    user: UserOut
    expires_at: datetime
    csrf_token: str


class SecondFactorOut(Out):
    """`recovery_codes_left`: how many were not used yet."""

    is_on: bool
    recovery_codes_left: int


class SecondFactorProposed(Out):
    """Put `uri` (or the bare secret) into an authenticator app, then PUT a code of it."""

    status: Literal["success"] = "success"
    secret: str
    uri: str


class CodeIn(Body):
    code: str = Field(min_length=1, max_length=40, examples=["492039"])


class SecondFactorDone(Out):
    """Each recovery code opens once in place of a code; they are shown this once."""

    status: Literal["success"] = "success"
    recovery_codes: list[str]
    message: str


class PasswordIn(Body):
    current_password: str = Field(max_length=1_000)
    new_password: str = Field(max_length=1_000)
    confirm_password: str = Field(max_length=1_000)
