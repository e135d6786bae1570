"""Tokens of programs over the wire. The token itself is in one answer only: the one to making it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from admin_app.api.schemas.base import Body, Instant, Out, Words
from forwarder_core.domain.machines import Scope
from forwarder_core.services.api_tokens import ApiToken


class ApiTokenIn(Body):
    """A scope holds those before it: read, write, admin."""

    name: Words = Field(min_length=1, max_length=100, pattern=r"\S", examples=["grafana"])
    scopes: list[Scope] = Field(default_factory=lambda: [Scope.READ], min_length=1, max_length=3, examples=[["read"]])
    expires_at: Instant | None = None


class ApiTokenOut(Out):
    """`hint`: the token's last characters. `used_from`: the address it was last used from."""

    id: int
    name: str
    hint: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    used_from: str

    @classmethod
    def of(cls, token: ApiToken) -> ApiTokenOut:
        return cls(
            id=token.id,
            name=token.name,
            hint=token.hint,
            scopes=list(token.scope.held),
            created_at=token.created_at,
            expires_at=token.expires_at,
            last_used_at=token.used_at,
            used_from=token.used_from,
        )


class ApiTokenDone(Out):
    """`token` goes into `Authorization: Bearer …`; it is shown this once and cannot be had again."""

    status: Literal["success"] = "success"
    api_token: ApiTokenOut
    token: str
    message: str
