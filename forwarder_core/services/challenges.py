"""The challenge desk: a platform wants a person. Everything of that account waits; then one job goes first.

The admin completes the check in the platform's own app and says so here. Nothing in this product answers a challenge.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from forwarder_core.db import accounts, connections, job_pages, jobs, people
from forwarder_core.db.engine import Tx
from forwarder_core.domain.accounts import Account, AccountEvent, AccountStatus
from forwarder_core.domain.connections import ConnectionStatus
from forwarder_core.domain.jobs import Errand, JobStatus
from forwarder_core.errors import ChallengeRequired, NotFound
from forwarder_core.services import alerting
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core
from forwarder_core.services.journal import about

PAUSE_REASON = "CAPTCHA detected"
PENDING = tuple(s.value for s in (JobStatus.CAPTCHA, JobStatus.QUEUED, JobStatus.RETRY_WAIT, JobStatus.PAUSED))


@dataclass(frozen=True, slots=True)
class Resolved:
    account: Account
    connections_resumed: tuple[int, ...]
    jobs_requeued: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge that waits for a person, as the banner shows it: the connections paused by it, the jobs waiting."""

    account: Account
    detected_at: datetime | None
    connections: int
    jobs: int


def raise_on(tx: Tx, account: Account, reason: str, now: datetime) -> None:
    """The account and all its connections wait from now on. Says so once, however many jobs meet the challenge."""
    first = accounts.move(tx, account.id, AccountEvent.CHALLENGED, reason)
    connections.pause_all_of(tx, account.id, _reason(account))
    if first:
        accounts.change(tx, account.id, {"challenged_at": now, "on_probation": False})
        alerting.about_account(
            tx,
            AlertKind.CAPTCHA,
            account,
            now=now,
            once=now.isoformat(),
            code=ChallengeRequired.code,
            error=reason,
            action=ChallengeRequired.action,
        )


def resolve(core: Core, account_id: int, *, notes: str, who: str, resume_connections: bool = True) -> Resolved:
    """The admin says the check is done. Repeating it changes nothing.

    One job goes first; the others follow when it has arrived (`note_success`).
    """
    now = core.clock.now()
    with core.begin() as tx:
        account = accounts.get(tx, account_id)
        if account is None:
            raise NotFound(f"There is no account {account_id}.")
        if not accounts.move(tx, account_id, AccountEvent.CHALLENGE_SOLVED, None):
            return Resolved(account, (), ())
        accounts.change(tx, account_id, {"on_probation": True})
        resumed = connections.resume_all_of(tx, account_id, _reason(account)) if resume_connections else []
        waiting = jobs.waiting_for_challenge(tx, account_id)
        moved = jobs.move(tx, waiting, JobStatus.QUEUED, now=now, wait_reason=None)
        accounts.ask_at_once(tx, account_id, now)
        people.audit(
            tx, who=who, what="captcha_resolved", target=f"account:{account_id}", now=now, details={"notes": notes}
        )
        account = accounts.get(tx, account_id) or account
    about(account_id=account_id).info("CAPTCHA marked as solved for '%s': %s", account.alias, notes or "no notes")
    return Resolved(account, tuple(resumed), tuple(moved))


def note_success(tx: Tx, done: Errand, now: datetime) -> None:
    """The canary arrived: the account is trusted again, and the thread of its challenge gets its happy end."""
    ended = accounts.end_probation(tx, [done.source.id, done.destination.id])
    for account in (done.source, done.destination):
        if account.id in ended:
            alerting.about_account(
                tx,
                AlertKind.CAPTCHA_RESOLVED,
                account,
                now=now,
                once=f"{done.job.id}:{done.job.attempts}",
                code="",
                error="",
                action="",
                connection=done.connection_name,
                connection_id=done.job.connection_id,
                job_id=done.job.id,
                url=done.job.destination_url,
            )


def open_challenges(core: Core) -> list[Challenge]:
    with core.begin() as tx:
        held = accounts.page(tx, after=0, limit=1_000, status=(AccountStatus.CAPTCHA_DETECTED,))
        return [_shown(tx, account) for account in held]


def challenge_of(core: Core, account_id: int) -> Challenge | None:
    """The account's challenge, None where it has none. Raises NotFound."""
    with core.begin() as tx:
        account = accounts.get(tx, account_id)
        if account is None:
            raise NotFound(f"There is no account {account_id}.")
        return _shown(tx, account) if account.status is AccountStatus.CAPTCHA_DETECTED else None


def _shown(tx: Tx, account: Account) -> Challenge:
    paused = connections.page(tx, after=0, limit=1_000, account_id=account.id, status=(ConnectionStatus.PAUSED.value,))
    return Challenge(
        account=account,
        detected_at=accounts.challenged_at(tx, account.id),
        connections=sum(c.status_reason == _reason(account) for c in paused),
        jobs=job_pages.count(tx, status=PENDING, account_id=account.id),
    )


def _reason(account: Account) -> str:
    return f"{account.alias}: {PAUSE_REASON}"
