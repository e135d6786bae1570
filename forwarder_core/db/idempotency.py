"""The keys of repeated calls, in SQL: who comes first with a key holds it, the others read the answer.

The fact to know: a key is claimed in a transaction of its own before the call begins, so a process that dies in between
leaves a claim without an answer; after `claimed_before` that claim may be taken over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.machines import idempotency_keys as keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is known of a key; `status` None while the first call is under way."""

    method: str
    path: str
    body_hash: bytes
    status: int | None
    content_type: str
    response: bytes | None = field(repr=False)


def claim(tx: Tx, *, claimed_before: datetime, now: datetime, **values: object) -> int | None:
    """The row's id for whoever came first, or comes after one that expired or never answered; None for the others."""
    fresh = {**values, "claimed_at": now, "status": None, "response": None, "content_type": ""}
    made = upsert(keys).values(**fresh)
    taken = made.on_conflict_do_update(
        index_elements=["user_id", "key"],
        set_=fresh,
        where=or_(keys.c.expires_at <= now, keys.c.status.is_(None) & (keys.c.claimed_at < claimed_before)),
    )
    found: int | None = tx.execute(taken.returning(keys.c.id)).scalar_one_or_none()
    return found


def get(tx: Tx, user_id: int, key: str) -> Kept | None:
    row = tx.execute(select(keys).where(keys.c.user_id == user_id, keys.c.key == key)).one_or_none()
    if row is None:
        return None
    return Kept(
        method=row.method,
        path=row.path,
        body_hash=row.body_hash,
        status=row.status,
        content_type=row.content_type,
        response=row.response,
    )


def answer(tx: Tx, row_id: int, claimed_at: datetime, *, status: int, content_type: str, response: bytes) -> None:
    values = {"status": status, "content_type": content_type, "response": response}
    tx.execute(update(keys).where(keys.c.id == row_id, keys.c.claimed_at == claimed_at).values(**values))


def let_go(tx: Tx, row_id: int, claimed_at: datetime) -> None:
    tx.execute(delete(keys).where(keys.c.id == row_id, keys.c.claimed_at == claimed_at, keys.c.status.is_(None)))


def forget(tx: Tx, now: datetime) -> int:
    return tx.execute(delete(keys).where(keys.c.expires_at <= now)).rowcount
