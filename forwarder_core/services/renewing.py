"""Renewing credentials without a person, and what a renewal that failed means.

What lives here: one renewal with its consequences. What does not: which are due (`token_watch`) and how a platform
renews (its authenticator, under the credential box's lock: one call however many ask).
The fact to know: a failure that passes (network, a server's error) changes nothing while the token still works; only
one that a person must mend, or three in a row over a token that has ended, pauses the account.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from forwarder_core.connectors.sign_ins import RenewingAuthenticator
from forwarder_core.db import accounts, tokens
from forwarder_core.db.engine import Tx
from forwarder_core.domain import tokens as rules
from forwarder_core.domain.accounts import Account, AccountEvent, AccountStatus
from forwarder_core.domain.tokens import StoredToken, TokenFacts
from forwarder_core.errors import ChallengeRequired, Conflict, NotFound, Retry, StepFailed
from forwarder_core.logs import redact
from forwarder_core.services import alerting, credentials, exits, happenings, proving, resting, standing
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core
from forwarder_core.services.credentials import StoredCredentials
from forwarder_core.services.journal import about

_TITLE = "Token refresh failed"


@dataclass(frozen=True, slots=True)
class Held:
    """A credential with its account and what the platform reads out of its present secrets."""

    account: Account
    token: StoredToken
    facts: TokenFacts


def hold(core: Core, token_id: int) -> Held:
    """Raises NotFound. Writes the facts down anew: they may be of a version that knew less."""
    with core.begin() as tx:
        known = tokens.get(tx, token_id)
        account = accounts.get(tx, known.account_id if known else token_id)
    if account is None:
        raise NotFound(f"There is no token {token_id}.")
    secrets = StoredCredentials(core, account.id, token_id).read()
    with core.begin() as tx:
        facts = credentials.keep_facts(core, tx, account.id, secrets, token_id=token_id)
        token = tokens.get(tx, token_id) or StoredToken(id=token_id, account_id=account.id)
        account = accounts.get(tx, account.id) or account
    return Held(account, token, facts)


def renew(core: Core, held: Held, *, event: AccountEvent = AccountEvent.RENEWED, who: str = "system") -> Held:
    """Renew it now. Raises Conflict where the platform does not renew without a person, and the platform's StepFailed,
    whose consequences have been written then."""
    account, token_id = held.account, held.token.id
    try:
        with core.begin() as tx:
            exit_ = exits.exit_of(core, tx, account)
        authenticator = exits.authenticator(core, account, exit_, token_id=token_id)
        if not isinstance(authenticator, RenewingAuthenticator):
            raise Conflict(
                f"{held.facts.title} of “{account.alias}” is not renewed by itself.", action=held.facts.by_hand
            )
        authenticator.renew()
        if event is AccountEvent.SIGNED_IN:
            proving.check_same(account, authenticator.identify())
    except StepFailed as e:
        _failed(core, held, e)
        raise
    fresh = hold(core, token_id)
    _succeeded(core, fresh, event, who)
    return fresh


def _succeeded(core: Core, held: Held, event: AccountEvent, who: str) -> None:
    account, facts, now = held.account, held.facts, core.clock.now()
    ends = facts.expires_at or facts.access_expires_at
    with core.begin() as tx:
        tokens.note_renewed(tx, held.token.id, now)
        happenings.note_renewal(tx, held.token.id, account.alias, now)
        if not held.token.is_own:
            standing.rise_token(tx, account, held.token, now=now, expires_at=ends)
        elif not _still_warned(account, facts, now):
            standing.rise(tx, account, event, now=now, who=who, expires_at=ends)
    until = facts.access_expires_at.isoformat(timespec="minutes") if facts.access_expires_at else "no date known"
    about(account_id=account.id).info("Token of '%s' refreshed; valid until %s", account.alias, until)


def _still_warned(account: Account, facts: TokenFacts, now: datetime) -> bool:
    """A new access token does not put off the day a person must come."""
    near = rules.threshold_at(facts.expires_at, now, rules.alert_settings(account.alerts).before_days)
    return account.status is AccountStatus.EXPIRY_WARNING and near is not None


def _failed(core: Core, held: Held, error: StepFailed) -> None:
    now = core.clock.now()
    with core.begin() as tx:
        failures = tokens.note_failed(tx, held.token.id, error.code, redact(error.message))
        if isinstance(error, ChallengeRequired) or error.retry is Retry.AS_TOLD:
            resting.lay_to_rest(tx, held.account, error, now)
        elif error.retry is Retry.HOLD:
            _fall(tx, held, error, AccountEvent.SIGN_IN_LOST, now)
        elif rules.is_failing(failures, held.facts.access_expires_at, now):
            _fall(tx, held, error, AccountEvent.REFRESH_FAILED, now)
    log = about(account_id=held.account.id, code=error.code)
    log.warning("Token of '%s' was not refreshed: %s", held.account.alias, redact(error.message))


def _fall(tx: Tx, held: Held, error: StepFailed, event: AccountEvent, now: datetime) -> None:
    account, token = held.account, held.token
    if token.is_own:
        is_news = standing.fall(tx, account, event, title=_TITLE, detail=error.message)
    else:
        is_news = bool(standing.fall_token(tx, account, token, title=_TITLE))
    if is_news:
        tell(tx, AlertKind.REFRESH_FAILED, held, now, once=now.isoformat(), error=error.message, action=error.action)


def tell(
    tx: Tx, kind: AlertKind, held: Held, now: datetime, *, once: str, error: str, action: str, **more: object
) -> None:
    """An alert about a credential, in its account's thread."""
    facts, label = held.facts, held.token.label
    ends = {"expires_at": facts.expires_at.isoformat()} if facts.expires_at else {}
    alerting.about_account(
        tx,
        kind,
        held.account,
        now=now,
        once=once,
        code="",
        error=error,
        action=action,
        token_type=f"{facts.title} ({label})" if label else facts.title,
        **ends,
        **more,
    )
