"""Tokens of programs that call the API, in SQL. Only their SHA-256 is here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.machines import api_tokens
from forwarder_core.db.tables.people import users
from forwarder_core.domain.machines import Scope

_OWN = api_tokens.c.workspace_id == WORKSPACE


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """`hint`: its last characters. `used_from`: the address it was last used from."""

    id: int
    user_id: int
    username: str
    name: str
    hint: str
    scope: Scope
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    used_from: str


def add(tx: Tx, **values: object) -> int | None:
    """None when there is one of this name."""
    made = upsert(api_tokens).values(**values).on_conflict_do_nothing(index_elements=["workspace_id", "name"])
    found: int | None = tx.execute(made.returning(api_tokens.c.id)).scalar_one_or_none()
    return found


def by_hash(tx: Tx, token_hash: bytes) -> ApiToken | None:
    row = tx.execute(_query().where(api_tokens.c.token_hash == token_hash)).one_or_none()
    return None if row is None else _token_of(row)


def get(tx: Tx, token_id: int) -> ApiToken | None:
    row = tx.execute(_query().where(api_tokens.c.id == token_id)).one_or_none()
    return None if row is None else _token_of(row)


def page(tx: Tx, *, after: int, limit: int) -> list[ApiToken]:
    """By id upwards."""
    query = _query().where(api_tokens.c.id > after).order_by(api_tokens.c.id).limit(limit)
    return [_token_of(row) for row in tx.execute(query)]


def touch(tx: Tx, token_id: int, address: str, now: datetime) -> None:
    tx.execute(update(api_tokens).where(api_tokens.c.id == token_id).values(used_at=now, used_from=address))


def remove(tx: Tx, token_id: int) -> bool:
    gone = delete(api_tokens).where(_OWN, api_tokens.c.id == token_id)
    return tx.execute(gone.returning(api_tokens.c.id)).one_or_none() is not None


def _query() -> Select[Any]:
    return select(api_tokens, users.c.username).join(users, users.c.id == api_tokens.c.user_id).where(_OWN)


def _token_of(row: Row[Any]) -> ApiToken:
    return ApiToken(
        id=row.id,
        user_id=row.user_id,
        username=row.username,
        name=row.name,
        hint=row.hint,
        scope=Scope(row.scope),
        created_at=row.created_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
        used_from=row.used_from,
    )
