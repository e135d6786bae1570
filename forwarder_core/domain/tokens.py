"""The life of a credential: until when it works by itself, when it is renewed, when a person must come.

What lives here: the facts a platform tells of its secrets, and the rules over them. What does not: renewing
(the platform) and what follows for the account (`domain.accounts`, `services.standing`).
The fact to know: two ends are kept apart. `access_expires_at` is the end of what is sent to the platform, an hour away
at Google and renewed without anybody noticing; nothing is ever warned of it. `expires_at` is the day a person must act.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

DEFAULT_BEFORE_DAYS = (2,)
RENEW_BEFORE = timedelta(hours=6)  # what ends sooner is renewed by the hourly check
FAILURES_THAT_COUNT = 3  # renewals in a row that failed for a passing reason, an hour apart


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """What a platform reads out of its secrets; times are UTC, None where they are not known.

    `kind` is a stable word (`youtube_oauth`), `title` what messages call it. `refresh_from`: from when on it is renewed
    ahead of time; None where it renews itself or cannot be. `by_hand`: what a person does when `expires_at` comes.
    """

    kind: str
    title: str
    is_signed_in: bool
    issued_at: datetime | None = None
    access_expires_at: datetime | None = None
    expires_at: datetime | None = None
    refresh_from: datetime | None = None
    client_id: str = ""
    scopes: tuple[str, ...] = ()
    by_hand: str = "Enter the credentials again in Accounts → the account → Update token."


NOTHING_KNOWN = TokenFacts(kind="credentials", title="Credentials", is_signed_in=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredToken:
    """A credential as the list of them shows it: no secret. `label` is empty for the account's own one."""

    id: int
    account_id: int
    label: str = ""
    kind: str = ""
    issued_at: datetime | None = None
    access_expires_at: datetime | None = None
    expires_at: datetime | None = None
    refresh_from: datetime | None = None
    refreshed_at: datetime | None = None
    failures: int = 0
    last_error_code: str | None = None
    last_error: str | None = None

    @property
    def is_own(self) -> bool:
        return self.id == self.account_id


class TokenState(StrEnum):
    """How a credential stands, as the API and the screens say it."""

    VALID = "valid"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    REFRESH_FAILED = "refresh_failed"
    NOT_SIGNED_IN = "not_signed_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """What the admin wants to be told of an account's credentials, and how long before their end."""

    enabled: bool = True
    before_days: tuple[int, ...] = DEFAULT_BEFORE_DAYS
    channels: tuple[str, ...] = field(default=())  # empty = every road that is set up


def alert_settings(stored: Mapping[str, object]) -> AlertSettings:
    """Of an account's `alerts`. `before_days` may be one number or several; what says nothing is the default."""
    said = stored.get("before_days")
    many = said if isinstance(said, (list, tuple)) else [said]
    days = sorted({day for day in many if isinstance(day, int) and not isinstance(day, bool) and day >= 0})
    channels = stored.get("channels")
    return AlertSettings(
        enabled=stored.get("enabled") is not False,
        before_days=tuple(days) or DEFAULT_BEFORE_DAYS,
        channels=tuple(str(one) for one in channels) if isinstance(channels, (list, tuple)) else (),
    )


def threshold_at(expires_at: datetime | None, now: datetime, before_days: Sequence[int]) -> int | None:
    """The nearest threshold that has been reached, in days before the end; None before the first, and after the end."""
    if expires_at is None or expires_at <= now:
        return None
    reached = [days for days in before_days if now >= expires_at - timedelta(days=days)]
    return min(reached) if reached else None


def days_left(expires_at: datetime, now: datetime) -> int:
    """Whole days, begun ones counted: what ends in 36 hours ends in 2 days."""
    return max(0, math.ceil((expires_at - now) / timedelta(days=1)))


def is_expired(expires_at: datetime | None, now: datetime) -> bool:
    return expires_at is not None and expires_at <= now


def is_refresh_due(facts: TokenFacts, now: datetime) -> bool:
    """Should the hourly check renew it now? What has passed its last day is a person's."""
    return facts.refresh_from is not None and facts.refresh_from <= now and not is_expired(facts.expires_at, now)


def is_failing(failures: int, access_expires_at: datetime | None, now: datetime) -> bool:
    """Has renewing failed for passing reasons so long that the account cannot work any more?"""
    is_dead = access_expires_at is not None and access_expires_at <= now
    return failures >= FAILURES_THAT_COUNT and is_dead


def state_of(
    *, is_signed_in: bool, expires_at: datetime | None, has_failed: bool, now: datetime, before_days: Sequence[int]
) -> TokenState:
    if not is_signed_in:
        return TokenState.NOT_SIGNED_IN
    if is_expired(expires_at, now):
        return TokenState.EXPIRED
    if has_failed:
        return TokenState.REFRESH_FAILED
    if threshold_at(expires_at, now, before_days) is not None:
        return TokenState.EXPIRING
    return TokenState.VALID
