"""What is known of each credential, and the further credentials of accounts, in SQL.

An account's own credential has the account's number; its secrets are in `accounts`, its facts here from when they were
first written down. The fact to know: further ones are numbered from the accounts' sequence, so numbers never collide.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.flow import connections, jobs
from forwarder_core.db.tables.tokens import tokens
from forwarder_core.domain.connections import ConnectionStatus
from forwarder_core.domain.jobs import JobStatus, WaitReason
from forwarder_core.domain.tokens import StoredToken, TokenFacts

_OWN = tokens.c.workspace_id == WORKSPACE
_NUMBER = func.nextval(func.pg_get_serial_sequence("accounts", "id"))


def add(tx: Tx, account_id: int, label: str, sealed: bytes, now: datetime) -> int:
    """A further credential of the account. Raises IntegrityError when the account has one of this label."""
    values = {"id": _NUMBER, "account_id": account_id, "label": label, "credentials": sealed, "changed_at": now}
    made: int = tx.execute(insert(tokens).values(**values).returning(tokens.c.id)).scalar_one()
    return made


def get(tx: Tx, token_id: int) -> StoredToken | None:
    row = tx.execute(select(tokens).where(_OWN, tokens.c.id == token_id)).one_or_none()
    return None if row is None else token_of(row)


def find(tx: Tx, account_id: int, label: str) -> StoredToken | None:
    row = tx.execute(
        select(tokens).where(_OWN, tokens.c.account_id == account_id, tokens.c.label == label)
    ).one_or_none()
    return None if row is None else token_of(row)


def of_accounts(tx: Tx, account_ids: Sequence[int]) -> list[StoredToken]:
    """Every known credential of these accounts, by number."""
    query = select(tokens).where(_OWN, tokens.c.account_id.in_(account_ids)).order_by(tokens.c.id)
    return [token_of(row) for row in tx.execute(query)]


def ending(tx: Tx, until: datetime, limit: int) -> list[StoredToken]:
    """Those that need a person until then, the soonest first; those that have ended already come before."""
    query = select(tokens).where(_OWN, tokens.c.expires_at <= until)
    return [token_of(row) for row in tx.execute(query.order_by(tokens.c.expires_at, tokens.c.id).limit(limit))]


def sealed_credentials(tx: Tx, token_id: int, *, lock: bool = False) -> bytes | None:
    query = select(tokens.c.credentials).where(_OWN, tokens.c.id == token_id)
    sealed: bytes | None = tx.execute(query.with_for_update() if lock else query).scalar_one()
    return sealed


def keep_credentials(tx: Tx, token_id: int, sealed: bytes, now: datetime) -> None:
    tx.execute(update(tokens).where(_OWN, tokens.c.id == token_id).values(credentials=sealed, changed_at=now))


def keep_facts(tx: Tx, token_id: int, account_id: int, facts: TokenFacts, now: datetime) -> None:
    """What the platform reads out of the present secrets; the first time it is said of an account's own one, too."""
    values = {
        "kind": facts.kind,
        "issued_at": facts.issued_at,
        "access_expires_at": facts.access_expires_at,
        "expires_at": facts.expires_at,
        "refresh_from": facts.refresh_from,
        "changed_at": now,
    }
    made = upsert(tokens).values(id=token_id, account_id=account_id, **values)
    tx.execute(made.on_conflict_do_update(index_elements=["id"], set_=values))


def note_renewed(tx: Tx, token_id: int, now: datetime) -> bool:
    """True when this ended a row of failures."""
    renewed = {"refreshed_at": now, "failures": 0, "last_error_code": None, "last_error": None}
    before = tx.execute(select(tokens.c.failures).where(tokens.c.id == token_id).with_for_update()).scalar()
    tx.execute(update(tokens).where(_OWN, tokens.c.id == token_id).values(**renewed))
    return bool(before)


def note_failed(tx: Tx, token_id: int, code: str, message: str) -> int:
    """How many renewals in a row have failed now."""
    failed = (
        update(tokens)
        .where(_OWN, tokens.c.id == token_id)
        .values(failures=tokens.c.failures + 1, last_error_code=code, last_error=message)
    )
    counted: int | None = tx.execute(failed.returning(tokens.c.failures)).scalar()
    return counted or 0


def remove(tx: Tx, token_id: int) -> bool:
    """Raises IntegrityError while a connection names it."""
    return tx.execute(delete(tokens).where(_OWN, tokens.c.id == token_id)).rowcount == 1


def ref_of(tx: Tx, connection_id: int) -> int | None:
    """The credential of its destination account a connection names; None for the account's own."""
    query = select(connections.c.token_ref).where(connections.c.id == connection_id)
    named: int | None = tx.execute(query).scalar_one_or_none()
    return named


def users_of(tx: Tx, token_id: int) -> list[int]:
    """The connections that name this credential."""
    query = select(connections.c.id).where(connections.c.token_ref == token_id, connections.c.deleted_at.is_(None))
    return list(tx.execute(query.order_by(connections.c.id)).scalars())


def pause_users(tx: Tx, token_id: int, reason: str) -> list[int]:
    """Pause the active connections that name this credential; return their ids."""
    paused = (
        update(connections)
        .where(connections.c.token_ref == token_id, connections.c.status == ConnectionStatus.ACTIVE)
        .values(status=ConnectionStatus.PAUSED, status_reason=reason)
        .returning(connections.c.id)
    )
    return sorted(tx.execute(paused).scalars())


def resume_users(tx: Tx, token_id: int, reason_begins: str) -> list[int]:
    """Take up again what was paused for a reason that begins so; return the ids."""
    resumed = (
        update(connections)
        .where(
            connections.c.token_ref == token_id,
            connections.c.status == ConnectionStatus.PAUSED,
            connections.c.status_reason.startswith(reason_begins, autoescape=True),
        )
        .values(status=ConnectionStatus.ACTIVE, status_reason=None)
        .returning(connections.c.id)
    )
    return sorted(tx.execute(resumed).scalars())


def jobs_held(tx: Tx, connection_ids: Sequence[int]) -> list[int]:
    """Jobs of these connections that wait because an account needs a person."""
    query = select(jobs.c.id).where(
        jobs.c.connection_id.in_(connection_ids),
        jobs.c.status == JobStatus.PAUSED,
        jobs.c.wait_reason == WaitReason.ACCOUNT,
    )
    return list(tx.execute(query.order_by(jobs.c.id)).scalars())


def token_of(row: Row[Any]) -> StoredToken:
    return StoredToken(**{name: row._mapping[name] for name in StoredToken.__slots__})
