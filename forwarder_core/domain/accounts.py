"""Accounts: what the admin owns on a platform, and in which state its sign-in is.

The fact to know: `MOVES` is the whole status machine. What an event finds in any other state it leaves as it is: a
token that is renewed solves no challenge, and a suspended account needs no new sign-in.
"""

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


class AccountEvent(StrEnum):
    """What can happen to an account's sign-in."""

    EXPIRY_NEAR = "expiry_near"
    EXPIRED = "expired"
    REFRESH_FAILED = "refresh_failed"  # for reasons that pass, and too often
    SIGN_IN_LOST = "sign_in_lost"  # only a person can help
    RENEWED = "renewed"  # by itself
    SIGNED_IN = "signed_in"  # by a person: new credentials, proven
    CHALLENGED = "challenged"
    CHALLENGE_SOLVED = "challenge_solved"
    BLOCKED = "blocked"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class AccountMove:
    to: AccountStatus
    among: frozenset[AccountStatus]


def _moves() -> dict[AccountEvent, AccountMove]:
    s, e = AccountStatus, AccountEvent
    usable = {s.ACTIVE, s.EXPIRY_WARNING}
    lost = {s.TOKEN_EXPIRED, s.REFRESH_FAILED, s.REQUIRES_REAUTH}
    return {
        e.EXPIRY_NEAR: AccountMove(s.EXPIRY_WARNING, frozenset({s.ACTIVE})),
        e.EXPIRED: AccountMove(s.TOKEN_EXPIRED, frozenset(usable | {s.REFRESH_FAILED})),
        e.REFRESH_FAILED: AccountMove(s.REFRESH_FAILED, frozenset(usable)),
        e.SIGN_IN_LOST: AccountMove(s.REQUIRES_REAUTH, frozenset(usable | {s.REFRESH_FAILED})),
        e.RENEWED: AccountMove(s.ACTIVE, frozenset({s.EXPIRY_WARNING, s.REFRESH_FAILED})),
        e.SIGNED_IN: AccountMove(s.ACTIVE, frozenset(lost | {s.EXPIRY_WARNING})),
        e.CHALLENGED: AccountMove(s.CAPTCHA_DETECTED, frozenset(set(s) - {s.CAPTCHA_DETECTED, s.DISABLED})),
        e.CHALLENGE_SOLVED: AccountMove(s.ACTIVE, frozenset({s.CAPTCHA_DETECTED})),
        e.BLOCKED: AccountMove(s.PAUSED, frozenset(usable | lost)),
        e.SUSPENDED: AccountMove(s.DISABLED, frozenset(set(s) - {s.DISABLED})),
    }


MOVES: Mapping[AccountEvent, AccountMove] = _moves()


def after(status: AccountStatus, event: AccountEvent) -> AccountStatus:
    """The status an event leaves an account in; its own where the event means nothing to it."""
    move = MOVES[event]
    return move.to if status in move.among else status


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
