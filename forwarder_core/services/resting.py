"""Resting: an account in trouble is left in peace until a person acts, or until the time its platform named.

The same for a failed poll and a failed step, in the transaction that writes the failure down.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from forwarder_core.db import accounts, tokens
from forwarder_core.db.engine import Tx
from forwarder_core.domain.accounts import Account, AccountEvent
from forwarder_core.domain.tokens import StoredToken
from forwarder_core.errors import ChallengeRequired, Retry, Scope, StepFailed
from forwarder_core.logs import redact
from forwarder_core.services import alerting, challenges, standing
from forwarder_core.services.alerting import AlertKind

_MEANS = {
    "token_expired": AccountEvent.SIGN_IN_LOST,
    "invalid_credentials": AccountEvent.SIGN_IN_LOST,
    "account_suspended": AccountEvent.SUSPENDED,
}


def lay_to_rest(
    tx: Tx, account: Account, error: StepFailed, now: datetime, *, connection_id: int | None = None
) -> None:
    """`connection_id`: whose credential was used, where it may name one of its own; then that one rests alone."""
    if isinstance(error, ChallengeRequired):
        challenges.raise_on(tx, account, redact(error.message), now)
    elif _MEANS.get(error.code) is AccountEvent.SIGN_IN_LOST and (token := _named(tx, connection_id)):
        if standing.fall_token(tx, account, token, title=error.title):
            _tell(tx, account, error, now, token_type=f"{token.kind} ({token.label})")
    elif error.retry is Retry.HOLD:
        _hold(tx, account, error, now)
    elif error.retry is Retry.AS_TOLD and error.scope in (Scope.ACCOUNT, Scope.DESTINATION):
        wait = error.retry_after_s if error.retry_after_s is not None else error.wait_s
        accounts.cool_down(tx, account.id, now + timedelta(seconds=wait))


def _hold(tx: Tx, account: Account, error: StepFailed, now: datetime) -> None:
    """The account and its connections pause; their jobs wait, none of them dies."""
    event = _MEANS.get(error.code, AccountEvent.BLOCKED)
    if standing.fall(tx, account, event, title=error.title, detail=error.message):
        _tell(tx, account, error, now)


def _named(tx: Tx, connection_id: int | None) -> StoredToken | None:
    token_id = None if connection_id is None else tokens.ref_of(tx, connection_id)
    return None if token_id is None else tokens.get(tx, token_id)


def _tell(tx: Tx, account: Account, error: StepFailed, now: datetime, **facts: str) -> None:
    alerting.about_account(
        tx,
        AlertKind.ACCOUNT,
        account,
        now=now,
        once=now.isoformat(),
        code=error.code,
        error=error.message,
        action=error.action,
        **facts,
    )
