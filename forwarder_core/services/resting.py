"""Resting: an account in trouble is left in peace until a person acts, or until the time its platform named.

The same for a failed poll and a failed step, in the transaction that writes the failure down.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from forwarder_core.db import accounts, connections
from forwarder_core.db.engine import Tx
from forwarder_core.domain.accounts import Account, AccountStatus
from forwarder_core.errors import ChallengeRequired, Retry, Scope, StepFailed
from forwarder_core.logs import redact
from forwarder_core.services import alerting, challenges
from forwarder_core.services.alerting import AlertKind

_HELD_AS = {
    "token_expired": AccountStatus.REQUIRES_REAUTH,
    "invalid_credentials": AccountStatus.REQUIRES_REAUTH,
    "account_suspended": AccountStatus.DISABLED,
    "action_blocked": AccountStatus.PAUSED,
}


def lay_to_rest(tx: Tx, account: Account, error: StepFailed, now: datetime) -> None:
    if isinstance(error, ChallengeRequired):
        challenges.raise_on(tx, account, redact(error.message), now)
    elif error.retry is Retry.HOLD:
        _hold(tx, account, error, now)
    elif error.retry is Retry.AS_TOLD and error.scope in (Scope.ACCOUNT, Scope.DESTINATION):
        wait = error.retry_after_s if error.retry_after_s is not None else error.wait_s
        accounts.cool_down(tx, account.id, now + timedelta(seconds=wait))


def _hold(tx: Tx, account: Account, error: StepFailed, now: datetime) -> None:
    """The account and its connections pause; their jobs wait, none of them dies."""
    reason = f"{error.title}: {redact(error.message)}"
    first = accounts.set_status(tx, account.id, _HELD_AS.get(error.code, AccountStatus.PAUSED), reason)
    connections.pause_all_of(tx, account.id, f"{account.alias}: {error.title}")
    if first:
        alerting.about_account(
            tx,
            AlertKind.ACCOUNT,
            account,
            now=now,
            once=now.isoformat(),
            code=error.code,
            error=error.message,
            action=error.action,
        )
