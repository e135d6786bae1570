"""Tokens over the wire: what is known of a credential, never the credential."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from admin_app.api.schemas.base import Body, Out, RowId, Words
from forwarder_core.domain.accounts import AccountStatus
from forwarder_core.domain.tokens import TokenState, days_left
from forwarder_core.services.tokens import TokenView, can_refresh


class TokenUpload(Body):
    """`credentials` by the names of the account's form: `oauth_client` and `token` are the text of JSON files."""

    account_id: RowId
    label: Words = Field("", max_length=60, description="Of a further credential, for a connection's token_ref")
    credentials: dict[Words, Words] = Field(default_factory=dict, max_length=20, repr=False)


class TokenQuery(Body):
    within_days: int | None = Field(None, ge=0, le=3_650, description="Only those that need a person by then")
    account_id: RowId | None = None
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, pattern=r"^\d{1,18}$", description="next_cursor of the page before")


class TokenOut(Out):
    """`token_expiry`: the end of what is sent to the platform, renewed by itself where `can_refresh`. `next_action_at`:
    when a person must act, null where no date is known."""

    token_id: int
    account_id: int
    account_alias: str
    account_status: AccountStatus
    label: str
    token_type: str
    title: str
    status: TokenState
    client_id: str
    scopes: list[str]
    issued_at: datetime | None
    token_expiry: datetime | None
    last_refreshed: datetime | None
    next_action_at: datetime | None
    next_action: str
    days_left: int | None
    can_refresh: bool
    connections: int
    last_error: str | None

    @classmethod
    def of(cls, view: TokenView, now: datetime) -> TokenOut:
        facts, token = view.facts, view.token
        return cls(
            token_id=token.id,
            account_id=view.account.id,
            account_alias=view.account.alias,
            account_status=view.account.status,
            label=token.label,
            token_type=facts.kind,
            title=facts.title,
            status=view.state,
            client_id=facts.client_id,
            scopes=list(facts.scopes),
            issued_at=facts.issued_at,
            token_expiry=facts.access_expires_at,
            last_refreshed=token.refreshed_at,
            next_action_at=view.next_action_at,
            next_action=view.next_action,
            days_left=days_left(view.next_action_at, now) if view.next_action_at else None,
            can_refresh=can_refresh(view),
            connections=view.connections,
            last_error=token.last_error,
        )


class TokenDone(Out):
    """`authorization_url`: where the sign-in on the platform's own page begins; `warning`: what to register first."""

    status: Literal["success"] = "success"
    token_id: int
    token: TokenOut
    message: str
    authorization_url: str | None = None
    warning: str | None = None


class OAuthQuery(Body):
    account_id: RowId
    token_id: RowId | None = Field(None, description="A further credential of the account, where it is meant")
    login: Literal["instagram_login", "facebook_login"] | None = Field(None, description="Which of Meta's two logins")


class OAuthStarted(Out):
    status: Literal["success"] = "success"
    authorization_url: str
    redirect_uri: str = Field(description="Must be registered at the platform exactly as written here")
    warning: str | None
    expires_at: datetime
