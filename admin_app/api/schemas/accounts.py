"""Accounts over the wire. Credentials go in and never come out."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, model_validator

from admin_app.api.schemas.base import Body, Instant, Out, PageQuery, RowId
from forwarder_core.domain.accounts import Account, AccountStatus, Rights


class Alerts(Body):
    enabled: bool = True
    before_days: list[int] = Field(default_factory=list, max_length=20)
    channels: list[str] = Field(default_factory=list, max_length=10)


class AccountIn(Body):
    """`credentials` by the names of the platform's fields; `username` or `channel_id` by what the platform has."""

    type: str = Field(max_length=40, examples=["instagram"])
    alias: str = Field(max_length=120)
    username: str | None = Field(None, max_length=200)
    channel_id: str | None = Field(None, max_length=200)
    auth_method: str | None = Field(None, max_length=40, description="May be left out where there is only one")
    credentials: dict[str, str] = Field(default_factory=dict, max_length=20, repr=False)
    facebook_page_id: str | None = Field(None, max_length=100)
    token_expiry: Instant | None = None
    rights: Rights = Rights.UNDECLARED
    rights_note: str = Field("", max_length=2_000)
    proxy_id: RowId | None = None
    alerts: Alerts | None = None

    @model_validator(mode="after")
    def _one_handle(self) -> AccountIn:
        if bool(self.username) == bool(self.channel_id):
            raise ValueError("give either username or channel_id")
        return self

    @property
    def handle(self) -> str:
        return self.username or self.channel_id or ""


class AccountChange(Body):
    """Only what is given changes."""

    alias: str = Field("", max_length=120)
    rights: Rights = Rights.UNDECLARED
    rights_note: str = Field("", max_length=2_000)
    proxy_id: RowId | None = None
    alerts: Alerts = Field(default_factory=Alerts)


class AccountQuery(PageQuery):
    type: str | None = Field(None, max_length=40)
    status: list[str] = Field(default_factory=list)


class AccountOut(Out):
    id: int
    type: str
    alias: str
    username: str | None
    channel_id: str | None
    auth_method: str
    status: AccountStatus
    status_reason: str | None
    remote_id: str | None
    rights: Rights
    rights_note: str
    proxy_id: int | None
    token_expiry: datetime | None
    alerts: dict[str, object]
    created_at: datetime | None

    @classmethod
    def of(cls, account: Account) -> AccountOut:
        is_channel = account.platform == "youtube"
        return cls(
            id=account.id,
            type=account.platform,
            alias=account.alias,
            username=None if is_channel else account.handle,
            channel_id=account.handle if is_channel else None,
            auth_method=account.auth_method,
            status=account.status,
            status_reason=account.status_reason,
            remote_id=account.remote_id,
            rights=account.rights,
            rights_note=account.rights_note,
            proxy_id=account.proxy_id,
            token_expiry=account.token_expiry,
            alerts=dict(account.alerts),
            created_at=account.created_at,
        )


class AccountDone(Out):
    status: Literal["success"] = "success"
    account: AccountOut
    message: str


class AccountTested(Out):
    status: Literal["success"] = "success"
    account_id: int
    name: str
    message: str
