"""Circuit breakers in SQL: failures in a row at one platform or proxy, and until when nothing is sent there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.accounts import breakers

_OWN = breakers.c.workspace_id == WORKSPACE


def count_failure(tx: Tx, scope: str, key: str) -> tuple[int, int]:
    """One more failure in a row; returns how many that makes and how often the breaker has opened."""
    made = upsert(breakers).values(scope=scope, key=key, failures=1)
    row = tx.execute(
        made.on_conflict_do_update(
            index_elements=["workspace_id", "scope", "key"], set_={"failures": breakers.c.failures + 1}
        ).returning(breakers.c.failures, breakers.c.openings)
    ).one()
    return row.failures, row.openings


def hold_open(tx: Tx, scope: str, key: str, *, since: datetime, now: datetime, until: datetime) -> None:
    """Open it, or open it again, for a failure of what began at `since`: what began before it last opened or let a job
    through says nothing new."""
    is_news = or_(breakers.c.opened_at.is_(None), breakers.c.opened_at <= since)
    tx.execute(
        update(breakers)
        .where(_OWN, breakers.c.scope == scope, breakers.c.key == key, is_news)
        .values(opened_at=now, until=until, openings=breakers.c.openings + 1)
    )


def let_through(tx: Tx, scope: str, key: str, *, now: datetime, until: datetime) -> None:
    """One job tries it; nothing else until `until`."""
    tx.execute(
        update(breakers)
        .where(_OWN, breakers.c.scope == scope, breakers.c.key == key)
        .values(opened_at=now, until=until)
    )


def close(tx: Tx, scope: str, keys: Sequence[str]) -> None:
    """Forget the failures."""
    tx.execute(delete(breakers).where(_OWN, breakers.c.scope == scope, breakers.c.key.in_(keys)))


def open_ones(tx: Tx) -> dict[tuple[str, str], datetime]:
    """Every breaker that has opened and not closed since, with the instant it lets one job through again."""
    query = select(breakers.c.scope, breakers.c.key, breakers.c.until).where(_OWN, breakers.c.until.is_not(None))
    return {(row.scope, row.key): row.until for row in tx.execute(query)}
