"""Accounts over the wire. Credentials go in and never come out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from admin_app.api.schemas.base import Body, Instant, Out, PageQuery, RowId, Words
from forwarder_core.domain.accounts import AccountStatus, Rights
from forwarder_core.services.account_views import AccountView
from forwarder_core.services.importing import Action, Line

Days = Annotated[int, Field(ge=0, le=365)]


class Alerts(Body):
    """Warnings of an end in sight: how many days before (one number or several), and over which roads (all by
    default)."""

    enabled: bool = True
    before_days: Days | Annotated[list[Days], Field(max_length=20)] = 2
    channels: list[Words] = Field(default_factory=list, max_length=10, examples=[["telegram"]])


class AccountIn(Body):
    """`credentials` by the names of the platform's fields; `username` or `channel_id` by what the platform has."""

    type: Words = Field(max_length=40, examples=["instagram"])
    alias: Words = Field(max_length=120)
    username: Words | None = Field(None, max_length=200)
    channel_id: Words | None = Field(None, max_length=200)
    auth_method: Words | None = Field(None, max_length=40, description="May be left out where there is only one")
    credentials: dict[Words, Words] = Field(default_factory=dict, max_length=20, repr=False)
    facebook_page_id: Words | None = Field(None, max_length=100)
    token_expiry: Instant | None = None
    rights: Rights = Rights.UNDECLARED
    rights_note: Words = Field("", max_length=2_000)
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

    alias: Words = Field("", max_length=120)
    rights: Rights = Rights.UNDECLARED
    rights_note: Words = Field("", max_length=2_000)
    proxy_id: RowId | None = None
    alerts: Alerts = Field(default_factory=Alerts)


class AccountQuery(PageQuery):
    type: str | None = Field(None, max_length=40)
    status: list[str] = Field(default_factory=list)


class AccountOut(Out):
    """`health_score`: 0 to 100 of the last 30 days, null for an account that has done nothing; `health_parts`: its
    points of 40 for success, 30 for uptime, 20 for the sign-in, 10 for the last failure. `meta`: what its form was told
    and is no secret."""

    id: int
    type: str
    alias: str
    username: str | None
    channel_id: str | None
    auth_method: str
    facebook_page_id: str | None
    meta: dict[str, str]
    status: AccountStatus
    status_reason: str | None
    health_score: int | None
    health_parts: dict[str, float | None]
    remote_id: str | None
    rights: Rights
    rights_note: str
    proxy_id: int | None
    token_ref: int
    token_expiry: datetime | None
    next_action_at: datetime | None = Field(description="When a person must sign in again, where a date is known")
    last_refreshed: datetime | None
    alerts: dict[str, object]
    created_at: datetime | None

    @classmethod
    def of(cls, view: AccountView) -> AccountOut:
        account, token = view.account, view.token
        is_channel = account.platform == "youtube"
        return cls(
            id=account.id,
            type=account.platform,
            alias=account.alias,
            username=None if is_channel else account.handle,
            channel_id=account.handle if is_channel else None,
            auth_method=account.auth_method,
            facebook_page_id=view.meta.get("facebook_page_id"),
            meta=dict(view.meta),
            status=account.status,
            status_reason=account.status_reason,
            health_score=view.health.score,
            health_parts=dict(view.health.parts),
            remote_id=account.remote_id,
            rights=account.rights,
            rights_note=account.rights_note,
            proxy_id=account.proxy_id,
            token_ref=account.id,
            token_expiry=account.token_expiry,
            next_action_at=token.expires_at if token else None,
            last_refreshed=token.refreshed_at if token else None,
            alerts=dict(account.alerts),
            created_at=account.created_at,
        )


class AccountDone(Out):
    """`authorization_url`: where its sign-in on the platform's own page begins; `warning`: what to register first."""

    status: Literal["success"] = "success"
    account: AccountOut
    message: str
    authorization_url: str | None = None
    warning: str | None = None


class AccountTested(Out):
    status: Literal["success"] = "success"
    account_id: int
    name: str
    message: str


class ImportQuery(Body):
    dry_run: bool = Field(False, description="Only say what each row would do, with every mistake")


class RowChange(Out):
    now: str
    then: str


class RowMistake(Out):
    field: str
    message: str


class ImportedRow(Out):
    """What a row did, or would do. `line`: where it stands; `account_id` null: no such account yet."""

    line: int
    platform: str
    username: str
    alias: str
    action: Action
    account_id: int | None
    changes: dict[str, RowChange]
    note: str
    errors: list[RowMistake]

    @classmethod
    def of(cls, line: Line) -> ImportedRow:
        return cls(
            line=line.number,
            platform=line.platform,
            username=line.username,
            alias=line.alias,
            action=line.action,
            account_id=line.account_id,
            changes={name: RowChange(now=now, then=then) for name, (now, then) in line.changes.items()},
            note=line.note,
            errors=[RowMistake(field=error.field, message=error.message) for error in line.errors],
        )


class ImportDone(Out):
    status: Literal["success"] = "success"
    dry_run: bool
    rows: list[ImportedRow]
    created: int
    changed: int
    unchanged: int
    failed: int
    message: str

    @classmethod
    def of(cls, lines: list[Line], *, dry_run: bool) -> ImportDone:
        counted = {action: sum(line.action is action for line in lines) for action in Action}
        parts = [f"{counted[Action.CREATE]} new", f"{counted[Action.CHANGE]} changed"]
        parts += [f"{counted[Action.UNCHANGED]} as they were"]
        parts += [f"{counted[Action.ERROR]} with mistakes"] if counted[Action.ERROR] else []
        return cls(
            dry_run=dry_run,
            rows=[ImportedRow.of(line) for line in lines],
            created=counted[Action.CREATE],
            changed=counted[Action.CHANGE],
            unchanged=counted[Action.UNCHANGED],
            failed=counted[Action.ERROR],
            message=("Nothing was changed; it would be: " if dry_run else "Accounts imported: ") + ", ".join(parts),
        )
