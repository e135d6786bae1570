"""Watching credentials: renewed before they end, and a person told before only a person can help.

What lives here: the hourly and the six-hourly look at every account's credentials. What does not: one renewal
(`renewing`) and what a status means for connections (`standing`).
The fact to know: a warning is about `expires_at`, the day a person must act, never about the hour an access token
lasts. It is said once for each threshold of the account, whoever looks how often.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from forwarder_core.db import accounts, tokens
from forwarder_core.domain import tokens as rules
from forwarder_core.domain.accounts import AccountEvent, AccountStatus
from forwarder_core.errors import ForwarderError
from forwarder_core.logs import redact
from forwarder_core.services import renewing, standing
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core
from forwarder_core.services.renewing import Held

_AT_ONCE = 3  # renewals at the same time: fewer than the pool has connections
_MANY = 100_000
_RENEWED_IN = (AccountStatus.ACTIVE, AccountStatus.EXPIRY_WARNING, AccountStatus.REFRESH_FAILED)
_EXPIRED = "Token expired"


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of one credential, in words for the log of the run."""

    account: str
    words: str


def refresh_due(core: Core) -> list[Looked]:
    """Renew every credential whose time has come. One that fails delays no other."""
    now = core.clock.now()
    due = [
        held for held in _every(core) if held.account.status in _RENEWED_IN and rules.is_refresh_due(held.facts, now)
    ]
    if not due:
        return []
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="renew") as pool:
        return list(pool.map(lambda held: _renewed(core, held), due))


def _renewed(core: Core, held: Held) -> Looked:
    name = _name(held)
    try:
        fresh = renewing.renew(core, held)
    except ForwarderError as e:
        return Looked(name, f"not refreshed: {redact(e.message)}")
    until = fresh.facts.access_expires_at
    return Looked(name, f"refreshed, valid until {until:%Y-%m-%d %H:%M %Z}" if until else "refreshed")


def watch_expiry(core: Core) -> list[Looked]:
    """Warn of what ends soon, stop what has ended; take back a warning that no longer holds."""
    return [Looked(_name(held), words) for held in _every(core) if (words := _judge(core, held))]


def _judge(core: Core, held: Held) -> str:
    now, ends = core.clock.now(), held.facts.expires_at
    if not held.facts.is_signed_in:
        return ""
    if rules.is_expired(ends, now):
        return _expire(core, held)
    settings = rules.alert_settings(held.account.alerts)
    threshold = rules.threshold_at(ends, now, settings.before_days)
    if ends is not None and threshold is not None:
        return _warn(core, held, threshold, rules.days_left(ends, now), is_told=settings.enabled)
    if held.token.is_own and held.account.status is AccountStatus.EXPIRY_WARNING:
        with core.begin() as tx:
            accounts.move(tx, held.account.id, AccountEvent.RENEWED, None)
        return "no warning any more"
    return ""


def _expire(core: Core, held: Held) -> str:
    now, account = core.clock.now(), held.account
    detail = f"The sign-in has ended. {held.facts.by_hand}"
    with core.begin() as tx:
        if held.token.is_own:
            is_news = standing.fall(tx, account, AccountEvent.EXPIRED, title=_EXPIRED, detail=detail)
        else:
            is_news = bool(standing.fall_token(tx, account, held.token, title=_EXPIRED))
        if is_news:
            once = f"{held.token.id}:{held.facts.expires_at}"
            action = held.facts.by_hand
            renewing.tell(tx, AlertKind.TOKEN_EXPIRED, held, now, once=once, error=detail, action=action)
    return "expired"


def _warn(core: Core, held: Held, threshold: int, days: int, *, is_told: bool) -> str:
    now, account = core.clock.now(), held.account
    words = f"The sign-in ends in {days} day{'' if days == 1 else 's'}. {held.facts.by_hand}"
    with core.begin() as tx:
        if held.token.is_own:
            accounts.move(tx, account.id, AccountEvent.EXPIRY_NEAR, words)
        if is_told:
            once = f"{held.token.id}:{held.facts.expires_at}:{threshold}"
            action = held.facts.by_hand
            renewing.tell(tx, AlertKind.TOKEN_EXPIRING, held, now, once=once, error=words, action=action, days=days)
    return words


def _every(core: Core) -> Iterator[Held]:
    """Each account's own credential and its further ones, the facts written down anew."""
    with core.begin() as tx:
        known = accounts.page(tx, after=0, limit=_MANY)
        further = [token.id for token in tokens.of_accounts(tx, [one.id for one in known]) if not token.is_own]
    for token_id in [*(account.id for account in known), *further]:
        yield renewing.hold(core, token_id)


def _name(held: Held) -> str:
    return f"{held.account.alias} ({held.token.label})" if held.token.label else held.account.alias
