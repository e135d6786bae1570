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


class PasswordIn(Body):
    current_password: str = Field(max_length=1_000)
    new_password: str = Field(max_length=1_000)
    confirm_password: str = Field(max_length=1_000)
