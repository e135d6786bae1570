"""What people wrote to the bot, in SQL: each update once, emptied when it was acted upon; and who the strangers are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.roads import telegram_strangers, telegram_updates

_OWN = telegram_updates.c.workspace_id == WORKSPACE
_MOST_STRANGERS = 50


@dataclass(frozen=True, slots=True)
class Stranger:
    user_id: int
    name: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """An update nobody acted upon yet."""

    id: int
    update_id: int
    facts: Mapping[str, Any]


def receive(tx: Tx, *, bot: str, update_id: int, facts: Mapping[str, Any] | None, now: datetime) -> bool:
    """Keep an update; False when it came before. None of `facts`: it counts as seen, and nothing is to be done."""
    values = {"payload": dict(facts or {}), "received_at": now, "handled_at": None if facts else now}
    made = (
        upsert(telegram_updates)
        .values(bot=bot, update_id=update_id, **values)
        .on_conflict_do_nothing(index_elements=["workspace_id", "bot", "update_id"])
    )
    return tx.execute(made.returning(telegram_updates.c.id)).one_or_none() is not None


def waiting(tx: Tx, bot: str, limit: int) -> list[Waiting]:
    """Oldest first."""
    query = select(telegram_updates).where(_OWN, telegram_updates.c.bot == bot, telegram_updates.c.handled_at.is_(None))
    rows = tx.execute(query.order_by(telegram_updates.c.id).limit(limit))
    return [Waiting(row.id, row.update_id, row.payload) for row in rows]


def handled(tx: Tx, id_: int, now: datetime) -> bool:
    """Done, and what it said is forgotten: it may have been a code. False when another process was first."""
    ended = update(telegram_updates).where(telegram_updates.c.id == id_, telegram_updates.c.handled_at.is_(None))
    return tx.execute(ended.values(handled_at=now, payload={})).rowcount == 1


def last_update(tx: Tx, bot: str, since: datetime) -> int | None:
    """The highest number received since then. (After a quiet week Telegram begins anew at any number.)"""
    query = select(func.max(telegram_updates.c.update_id)).where(
        _OWN, telegram_updates.c.bot == bot, telegram_updates.c.received_at >= since
    )
    found: int | None = tx.execute(query).scalar_one()
    return found


def note_stranger(tx: Tx, user_id: int, name: str, now: datetime) -> bool:
    """True the first time."""
    made = upsert(telegram_strangers).values(user_id=user_id, name=name, seen_at=now)
    first = made.on_conflict_do_nothing(index_elements=["workspace_id", "user_id"])
    return tx.execute(first.returning(telegram_strangers.c.id)).one_or_none() is not None


def strangers(tx: Tx) -> list[Stranger]:
    """The newest."""
    query = select(telegram_strangers).where(telegram_strangers.c.workspace_id == WORKSPACE)
    rows = tx.execute(query.order_by(telegram_strangers.c.id.desc()).limit(_MOST_STRANGERS))
    return [Stranger(row.user_id, row.name, row.seen_at) for row in rows]


def forget(tx: Tx, before: datetime) -> int:
    """Delete what is older than that and was acted upon, and the strangers of that time."""
    old = (_OWN) & (telegram_updates.c.received_at < before) & telegram_updates.c.handled_at.is_not(None)
    tx.execute(delete(telegram_strangers).where(telegram_strangers.c.seen_at < before))
    return tx.execute(delete(telegram_updates).where(old)).rowcount
