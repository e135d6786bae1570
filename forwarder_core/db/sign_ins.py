"""Sign-ins with a person at hand, in SQL: for each account at most one, the newest, as a row of `settings`.

What a state means is decided in `services.interactive_login`. The fact to know: they do not lie in the account's own
row, because a login that is renewed keeps that row locked for as long as it takes, and the admin must not wait for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.system import settings

_PREFIX = "sign_in:"
_OWN = settings.c.workspace_id == WORKSPACE
_STATE = settings.c.value["value"]["state"].astext


def get(tx: Tx, account_id: int, *, lock: bool = False) -> dict[str, Any] | None:
    query = select(settings.c.value).where(_OWN, settings.c.key == _key(account_id))
    found = tx.execute(query.with_for_update() if lock else query).scalar_one_or_none()
    return None if found is None else dict(found["value"])


def every(tx: Tx, states: Collection[str]) -> dict[int, dict[str, Any]]:
    """By account, those in one of these states."""
    query = select(settings.c.key, settings.c.value).where(_OWN, settings.c.key.startswith(_PREFIX, autoescape=True))
    rows = tx.execute(query.where(_STATE.in_(states)).order_by(settings.c.changed_at))
    return {int(row.key.removeprefix(_PREFIX)): dict(row.value["value"]) for row in rows}


def any_in(states: Collection[str]) -> ColumnElement[bool]:
    ours = settings.c.key.startswith(_PREFIX, autoescape=True)
    return select(settings.c.id).where(_OWN, ours, _STATE.in_(states)).exists()


def ask(tx: Tx, account_id: int, value: Mapping[str, Any], now: datetime, *, unless: Collection[str]) -> bool:
    """Begin a new one in place of the last; False while that is in one of the states `unless`."""
    stored = {"value": {"value": dict(value)}, "changed_at": now}
    made = upsert(settings).values(key=_key(account_id), **stored)
    begun = made.on_conflict_do_update(
        index_elements=["workspace_id", "key"], set_=stored, where=_STATE.not_in(list(unless))
    )
    return tx.execute(begun.returning(settings.c.id)).one_or_none() is not None


def change(tx: Tx, account_id: int, ticket: str, now: datetime, *, among: Collection[str], **values: Any) -> bool:
    """Write these facts into the one with this ticket, while it is in one of the states `among`."""
    merged = settings.c.value["value"].op("||")(literal(values, settings.c.value.type))
    held: tuple[ColumnElement[bool], ...] = (
        _OWN,
        settings.c.key == _key(account_id),
        settings.c.value["value"]["ticket"].astext == ticket,
        _STATE.in_(list(among)),
    )
    changed = update(settings).where(*held).values(value=func.jsonb_build_object("value", merged), changed_at=now)
    return tx.execute(changed).rowcount == 1


def forget(tx: Tx, account_id: int) -> None:
    tx.execute(delete(settings).where(_OWN, settings.c.key == _key(account_id)))


def _key(account_id: int) -> str:
    return f"{_PREFIX}{account_id}"
