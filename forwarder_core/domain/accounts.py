"""Accounts: what the admin owns on a platform, and in which state its sign-in is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class AccountStatus(StrEnum):
    ACTIVE = "active"
    EXPIRY_WARNING = "expiry_warning"
    TOKEN_EXPIRED = "token_expired"
    REFRESH_FAILED = "refresh_failed"
    REQUIRES_REAUTH = "requires_reauth"
    CAPTCHA_DETECTED = "captcha_detected"
    PAUSED = "paused"
    DISABLED = "disabled"

    @property
    def is_usable(self) -> bool:
        """May a poll or a forward use this account now?"""
        return self in (AccountStatus.ACTIVE, AccountStatus.EXPIRY_WARNING)


class Rights(StrEnum):
    """What the admin declares about the posts of a source account; required before a connection starts."""

    OWN = "own"
    LICENSED = "licensed"
    UNDECLARED = "undeclared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account without its credentials: those never leave the vault except into the connector that uses them.

    `handle` is the username on Instagram, the channel id on YouTube. `remote_id` is the platform's own id, as text.
    """

    id: int
    platform: str
    alias: str
    handle: str
    auth_method: str
    status: AccountStatus = AccountStatus.ACTIVE
    status_reason: str | None = None
    remote_id: str | None = None
    rights: Rights = Rights.UNDECLARED
    rights_note: str = ""
    proxy_id: int | None = None
    token_expiry: datetime | None = None
    alerts: Mapping[str, object] = field(default_factory=dict)
    created_at: datetime | None = None
