"""Every column that holds what the vault sealed: to find what is under an old key, and to put it under the newest.

The fact to know: a new sealed column belongs here, or a key that is dropped takes its secrets along; a test compares
this list with the tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, select, update

from forwarder_core.db.engine import Tx
from forwarder_core.db.tables import metadata

COLUMNS = (
    "accounts.credentials",
    "tokens.credentials",
    "oauth_states.pending",
    "users.totp",
    "users.totp_pending",
    "webhooks.secret",
    "proxies.credentials",
    "publications.session_ref",
    "idempotency_keys.response",
)
_BATCH = 200


def batches(tx: Tx, name: str) -> Iterator[list[tuple[Any, bytes]]]:
    """Key and sealed value of each row that has one, by key."""
    column, key = _column(name)
    query = select(key, column).where(column.is_not(None)).order_by(key)
    last: Any = None
    while rows := tx.execute((query if last is None else query.where(key > last)).limit(_BATCH)).all():
        yield [(row[0], bytes(row[1])) for row in rows]
        last = rows[-1][0]


def replace(tx: Tx, name: str, key: Any, old: bytes, new: bytes) -> bool:
    """False where somebody changed the value meanwhile: what they stored is under the newest key already."""
    column, primary = _column(name)
    changed = update(column.table).where(primary == key, column == old).values({column.name: new})
    return tx.execute(changed).rowcount == 1


def _column(name: str) -> tuple[Column[Any], Column[Any]]:
    table = metadata.tables[name.partition(".")[0]]
    return table.c[name.partition(".")[2]], next(iter(table.primary_key.columns))
