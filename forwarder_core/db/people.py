"""Users, their sessions, failed sign-ins and the audit log, in SQL.

Here are rows and counts; what a wrong password means is decided in `services.signing_in`. The fact to know: a failed
sign-in is written BEFORE the password is looked at and taken back when it was right, under one lock, so that however
many ask at once no more than the allowed number reach the costly check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.people import audit_log, login_failures, sessions, users

_ATTEMPTS_LOCK = 7_302_118_447_003  # one counter of sign-ins at a time, in all processes


@dataclass(frozen=True, slots=True)
class User:
    """`totp`, `totp_pending`: sealed secrets of the second factor, in use and not proven yet."""

    id: int
    username: str
    password_hash: str = field(repr=False)
    totp: bytes | None = field(default=None, repr=False)
    totp_pending: bytes | None = field(default=None, repr=False)
    recovery_codes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """`expires_at` is the end however much it is used; the idle end moves with `seen_at`."""

    user_id: int
    username: str
    csrf_token: str = field(repr=False)
    is_remembered: bool
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One line of the audit log."""

    id: int
    at: datetime
    who: str
    what: str
    target: str
    details: Mapping[str, Any]


# ---- users ------------------------------------------------------------------------------------------------------


def has_user(tx: Tx) -> bool:
    return tx.execute(select(users.c.id).where(users.c.workspace_id == WORKSPACE).limit(1)).one_or_none() is not None


def find_user(tx: Tx, username: str) -> User | None:
    query = select(users).where(users.c.workspace_id == WORKSPACE, users.c.username == username)
    row = tx.execute(query).one_or_none()
    if row is None:
        return None
    return User(row.id, row.username, row.password_hash, row.totp, row.totp_pending, len(row.recovery_codes))


def add_user(tx: Tx, username: str, password_hash: str, now: datetime) -> bool:
    """False when the name is taken: two starts at once make one user."""
    made = upsert(users).values(username=username, password_hash=password_hash, created_at=now)
    added = made.on_conflict_do_nothing(index_elements=["workspace_id", "username"]).returning(users.c.id)
    return tx.execute(added).one_or_none() is not None


def set_password(tx: Tx, user_id: int, password_hash: str, now: datetime) -> None:
    values = {"password_hash": password_hash, "password_changed_at": now}
    tx.execute(update(users).where(users.c.id == user_id).values(**values))


def propose_totp(tx: Tx, user_id: int, sealed: bytes) -> None:
    tx.execute(update(users).where(users.c.id == user_id).values(totp_pending=sealed))


def begin_totp(tx: Tx, user_id: int, sealed: bytes, step: int, code_hashes: Sequence[str]) -> bool:
    """What was proposed is in use from now on. False where something else was proposed meanwhile."""
    proposed = (users.c.id == user_id, users.c.totp_pending == sealed)
    values = {"totp": sealed, "totp_pending": None, "totp_step": step, "recovery_codes": list(code_hashes)}
    return tx.execute(update(users).where(*proposed).values(**values)).rowcount == 1


def end_totp(tx: Tx, user_id: int) -> None:
    values: dict[str, Any] = {"totp": None, "totp_pending": None, "totp_step": None, "recovery_codes": []}
    tx.execute(update(users).where(users.c.id == user_id).values(**values))


def use_totp_step(tx: Tx, user_id: int, step: int) -> bool:
    """Take the code of this time step; False where it, or a later one, was taken before."""
    fresh = or_(users.c.totp_step.is_(None), users.c.totp_step < step)
    return tx.execute(update(users).where(users.c.id == user_id, fresh).values(totp_step=step)).rowcount == 1


def use_recovery_code(tx: Tx, user_id: int, code_hash: str) -> bool:
    """Take this code away; False where it is not there (any more)."""
    left = users.c.recovery_codes.op("-")(code_hash)
    there = users.c.recovery_codes.has_key(code_hash)
    return tx.execute(update(users).where(users.c.id == user_id, there).values(recovery_codes=left)).rowcount == 1


# ---- attempts to sign in ----------------------------------------------------------------------------------------


def lock_attempts(tx: Tx) -> None:
    """Hold the counter of attempts until this transaction ends."""
    tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ATTEMPTS_LOCK})


def nth_newest_attempt(tx: Tx, n: int, *, username: str, address: str) -> datetime | None:
    """The later of: the `n`-th newest attempt for this name, and the same from this address."""
    found = [
        tx.execute(
            select(login_failures.c.at).where(same).order_by(login_failures.c.at.desc()).offset(n - 1).limit(1)
        ).scalar_one_or_none()
        for same in (login_failures.c.username == username, login_failures.c.address == address)
    ]
    return max((at for at in found if at is not None), default=None)


def add_attempt(tx: Tx, *, username: str, address: str, now: datetime) -> None:
    tx.execute(insert(login_failures).values(username=username, address=address, at=now))


def clear_attempts(tx: Tx, *, username: str, address: str) -> None:
    """A right password forgives the same person's slips, and nobody else's."""
    tx.execute(delete(login_failures).where(login_failures.c.username == username, login_failures.c.address == address))


def forget_attempts(tx: Tx, before: datetime) -> None:
    tx.execute(delete(login_failures).where(login_failures.c.at < before))


# ---- sessions ---------------------------------------------------------------------------------------------------


def add_session(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.execute(insert(sessions).values(**values))


def session(tx: Tx, token_hash: bytes) -> StoredSession | None:
    query = (
        select(sessions, users.c.username)
        .join(users, users.c.id == sessions.c.user_id)
        .where(sessions.c.token_hash == token_hash, sessions.c.workspace_id == WORKSPACE)
    )
    row = tx.execute(query).one_or_none()
    if row is None:
        return None
    return StoredSession(
        user_id=row.user_id,
        username=row.username,
        csrf_token=row.csrf_token,
        is_remembered=row.is_remembered,
        created_at=row.created_at,
        seen_at=row.seen_at,
        expires_at=row.expires_at,
    )


def touch_session(tx: Tx, token_hash: bytes, now: datetime) -> None:
    tx.execute(update(sessions).where(sessions.c.token_hash == token_hash).values(seen_at=now))


def remove_session(tx: Tx, token_hash: bytes) -> bool:
    return _remove(tx, sessions.c.token_hash == token_hash) == 1


def remove_sessions_of(tx: Tx, user_id: int) -> int:
    return _remove(tx, sessions.c.user_id == user_id)


def forget_sessions(tx: Tx, now: datetime) -> int:
    return _remove(tx, sessions.c.expires_at < now)


def _remove(tx: Tx, which: ColumnElement[bool]) -> int:
    return tx.execute(delete(sessions).where(which)).rowcount


# ---- audit ------------------------------------------------------------------------------------------------------


def audit(
    tx: Tx, *, who: str, what: str, now: datetime, target: str = "", details: Mapping[str, Any] | None = None
) -> None:
    """Who did what to which thing, in the transaction that does it. Never a secret in `details`."""
    tx.execute(insert(audit_log).values(who=who, what=what, target=target, details=dict(details or {}), at=now))


def deeds(tx: Tx, *, before_id: int, limit: int, who: str | None = None, q: str | None = None) -> list[Deed]:
    """Newest first. `who`: exactly; `q`: part of what was done or of its target."""
    query = select(audit_log).where(audit_log.c.workspace_id == WORKSPACE, audit_log.c.id < before_id)
    if who:
        query = query.where(audit_log.c.who == who)
    if q:
        words = q.replace(" ", "_")
        query = query.where(
            or_(audit_log.c.what.icontains(words, autoescape=True), audit_log.c.target.icontains(q, autoescape=True))
        )
    return [
        Deed(id=row.id, at=row.at, who=row.who, what=row.what, target=row.target, details=row.details)
        for row in tx.execute(query.order_by(audit_log.c.id.desc()).limit(limit))
    ]


def count_sessions(tx: Tx) -> int:
    return tx.execute(select(func.count()).select_from(sessions)).scalar_one()
