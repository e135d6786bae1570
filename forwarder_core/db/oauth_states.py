"""Sign-ins under way on a platform's own page, in SQL: known by the hash of their state, good once, for ten minutes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.tokens import oauth_states

_OWN = oauth_states.c.workspace_id == WORKSPACE


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthState:
    session_hash: str
    account_id: int
    token_id: int | None
    provider: str
    who: str
    pending: bytes
    expires_at: datetime
    used_at: datetime | None


def add(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.execute(insert(oauth_states).values(**values))


def get(tx: Tx, state_hash: str) -> OAuthState | None:
    row = tx.execute(select(oauth_states).where(_OWN, oauth_states.c.state_hash == state_hash)).one_or_none()
    return None if row is None else OAuthState(**{name: row._mapping[name] for name in OAuthState.__slots__})


def use(tx: Tx, state_hash: str, now: datetime) -> bool:
    """True for the one caller that may go on with it."""
    mine = (
        update(oauth_states)
        .where(
            _OWN,
            oauth_states.c.state_hash == state_hash,
            oauth_states.c.used_at.is_(None),
            oauth_states.c.expires_at > now,
        )
        .values(used_at=now)
    )
    return tx.execute(mine).rowcount == 1


def forget(tx: Tx, before: datetime) -> int:
    """Those that ended before then; until then the reason they are refused for can be told."""
    return tx.execute(delete(oauth_states).where(_OWN, oauth_states.c.expires_at < before)).rowcount
