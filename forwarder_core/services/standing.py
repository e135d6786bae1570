"""The standing of an account: what its status moves mean for its connections and jobs, and who is told.

What lives here: `fall`, when an account cannot be used any more, and `rise`, when it can again; both in the
transaction of what caused them. What does not: which event leads where (`domain.accounts`).
The fact to know: connections paused for an account's sake carry its alias and the title of the trouble as their reason,
and `rise` resumes exactly those; one the administrator paused stays paused.
"""

from __future__ import annotations

from datetime import datetime

from forwarder_core.db import accounts, connections, dead_letters, jobs, people, tokens
from forwarder_core.db.engine import Tx
from forwarder_core.domain.accounts import Account, AccountEvent
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.domain.tokens import StoredToken
from forwarder_core.logs import redact
from forwarder_core.services import alerting
from forwarder_core.services.alerting import AlertKind


def fall(tx: Tx, account: Account, event: AccountEvent, *, title: str, detail: str) -> bool:
    """The account and its connections pause; their jobs wait, none of them dies. True when this moved its status."""
    first = accounts.move(tx, account.id, event, f"{title}: {redact(detail)}")
    connections.pause_all_of(tx, account.id, _reason(account, title))
    return first


def rise(
    tx: Tx,
    account: Account,
    event: AccountEvent,
    *,
    now: datetime,
    who: str = "system",
    how: str = "auto",
    is_told: bool = False,
    expires_at: datetime | None = None,
) -> bool:
    """The account works again: what was paused and held for its sake goes on. Says so once, after trouble or where
    `is_told`. `how`: auto, upload, oauth. True when this moved its status."""
    fresh = accounts.get(tx, account.id) or account
    moved = accounts.move(tx, account.id, event, None)
    if moved:
        title = (fresh.status_reason or "").partition(":")[0]
        connections.resume_all_of(tx, account.id, _reason(fresh, title))
        jobs.move(tx, dead_letters.waiting_for_account(tx, account.id), JobStatus.QUEUED, now=now, wait_reason=None)
        accounts.ask_at_once(tx, account.id, now)
        people.audit(tx, who=who, what="account_recovered", target=f"account:{account.id}", now=now)
    if moved or is_told:
        _tell(tx, fresh, now, how=how, expires_at=expires_at)
    return moved


def fall_token(tx: Tx, account: Account, token: StoredToken, *, title: str) -> list[int]:
    """A further credential of the account cannot be used: the connections that name it pause, no others."""
    return tokens.pause_users(tx, token.id, f"{_token_name(account, token)}: {title}")


def rise_token(
    tx: Tx,
    account: Account,
    token: StoredToken,
    *,
    now: datetime,
    how: str = "auto",
    is_told: bool = False,
    expires_at: datetime | None = None,
) -> None:
    """The other way round; says so where this resumed something, or `is_told`."""
    resumed = tokens.resume_users(tx, token.id, f"{_token_name(account, token)}: ")
    if resumed:
        jobs.move(tx, tokens.jobs_held(tx, resumed), JobStatus.QUEUED, now=now, wait_reason=None)
    if resumed or is_told:
        _tell(tx, account, now, how=how, expires_at=expires_at)


def _token_name(account: Account, token: StoredToken) -> str:
    return f"{account.alias}, {token.label}"


def _tell(tx: Tx, account: Account, now: datetime, *, how: str, expires_at: datetime | None) -> None:
    ends = {"expires_at": expires_at.isoformat()} if expires_at else {}
    said = {"code": "", "error": "", "action": "", "how": how, **ends}
    alerting.about_account(tx, AlertKind.TOKEN_REFRESHED, account, now=now, once=now.isoformat(), **said)


def _reason(account: Account, title: str) -> str:
    return f"{account.alias}: {title}"
