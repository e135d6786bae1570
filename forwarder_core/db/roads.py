"""Webhooks and the deliveries of alerts over roads other than Telegram, in SQL.

A delivery is written in the transaction of its alert and ends `sent` or, after the last attempt, `dropped`; a webhook
that is deleted takes its deliveries with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, text, update

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.roads import deliveries, webhooks
from forwarder_core.db.tables.system import outbox

_OWN = webhooks.c.workspace_id == WORKSPACE
_SENDING = 7_301_118  # the advisory lock of whoever claims deliveries


class DeliveryState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """`kinds` empty: every kind that is on by default. `secret` is sealed."""

    id: int
    name: str
    url: str
    secret: bytes = field(repr=False)
    kinds: tuple[str, ...]
    enabled: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One alert on its way. `webhook_id` None: by e-mail."""

    id: int
    webhook_id: int | None
    kind: str
    severity: str
    payload: Mapping[str, Any]
    cause: str
    state: DeliveryState
    attempts: int
    next_at: datetime | None
    status_code: int | None
    last_error: str | None
    created_at: datetime
    sent_at: datetime | None


# ---- webhooks ---------------------------------------------------------------------------------------------------


def add_webhook(tx: Tx, values: Mapping[str, Any]) -> int:
    """Raises IntegrityError when the name is taken."""
    made: int = tx.execute(insert(webhooks).values(**_stored(values)).returning(webhooks.c.id)).scalar_one()
    return made


def change_webhook(tx: Tx, webhook_id: int, values: Mapping[str, Any]) -> bool:
    changed = update(webhooks).where(_OWN, webhooks.c.id == webhook_id).values(**_stored(values))
    return tx.execute(changed).rowcount == 1


def remove_webhook(tx: Tx, webhook_id: int) -> bool:
    return tx.execute(delete(webhooks).where(_OWN, webhooks.c.id == webhook_id)).rowcount == 1


def webhook(tx: Tx, webhook_id: int) -> Webhook | None:
    row = tx.execute(select(webhooks).where(_OWN, webhooks.c.id == webhook_id)).one_or_none()
    return None if row is None else _webhook_of(row)


def all_webhooks(tx: Tx) -> list[Webhook]:
    return [_webhook_of(row) for row in tx.execute(select(webhooks).where(_OWN).order_by(webhooks.c.id))]


# ---- deliveries -------------------------------------------------------------------------------------------------


def send_by(tx: Tx, outbox_id: int, webhook_ids: Sequence[int | None], *, cause: str, now: datetime) -> None:
    """Have the alert go out over these roads too; None among them is e-mail."""
    if webhook_ids:
        row = {"outbox_id": outbox_id, "cause": cause, "next_at": now, "created_at": now}
        tx.execute(insert(deliveries), [{**row, "webhook_id": one} for one in webhook_ids])


def lock_sending(tx: Tx) -> bool:
    """True for the one who may claim deliveries now; held until this transaction ends."""
    return bool(tx.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _SENDING}).scalar_one())


def has_due(tx: Tx, now: datetime) -> bool:
    """Is there anything to look for at all?"""
    return bool(tx.execute(select(any_due(now))).scalar_one())


def any_due(now: datetime) -> ColumnElement[bool]:
    is_due = (deliveries.c.state == DeliveryState.WAITING) & (deliveries.c.next_at <= now)
    return select(deliveries.c.id).where(is_due).exists()


def due(tx: Tx, now: datetime, limit: int, *, by_mail: bool) -> list[Delivery]:
    """What may go out now, oldest first; nothing behind one that its receiver did not take and that waits."""
    is_mail = deliveries.c.webhook_id.is_(None) if by_mail else deliveries.c.webhook_id.is_not(None)
    is_due = (deliveries.c.state == DeliveryState.WAITING) & (deliveries.c.next_at <= now)
    earlier = deliveries.alias("earlier")
    is_behind = (
        select(earlier.c.id)
        .where(
            earlier.c.webhook_id.is_not_distinct_from(deliveries.c.webhook_id),
            earlier.c.id < deliveries.c.id,
            earlier.c.state == DeliveryState.WAITING,
            earlier.c.last_error.is_not(None),
            earlier.c.next_at > now,
        )
        .exists()
    )
    return _page(tx, is_mail & is_due & ~is_behind, limit, newest_first=False)


def deliveries_of(tx: Tx, webhook_id: int | None, *, before_id: int, limit: int) -> list[Delivery]:
    """Newest first; None: by e-mail."""
    return _page(tx, _by(webhook_id) & (deliveries.c.id < before_id), limit, newest_first=True)


def hold(tx: Tx, ids: Sequence[int], until: datetime) -> None:
    """Take these for sending: nobody else sends them before `until`."""
    values = {"next_at": until, "attempts": deliveries.c.attempts + 1}
    tx.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(**values))


def mark(tx: Tx, ids: Sequence[int], state: DeliveryState, **values: Any) -> None:
    """`values`: sent_at, next_at, status_code, last_error."""
    tx.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(state=state, **values))


def postpone(tx: Tx, webhook_id: int | None, now: datetime, until: datetime) -> None:
    """A receiver that is away is not asked for each of its deliveries. None: the mail server."""
    same = _by(webhook_id) & (deliveries.c.state == DeliveryState.WAITING)
    tx.execute(update(deliveries).where(same, deliveries.c.next_at <= now).values(next_at=until))


def sent_by_cause(tx: Tx, since: datetime) -> dict[str, int]:
    """How many mails of each cause went out since then; what went out together is one."""
    query = (
        select(deliveries.c.cause, func.count(deliveries.c.sent_at.distinct()).label("n"))
        .where(deliveries.c.webhook_id.is_(None), deliveries.c.sent_at > since)
        .group_by(deliveries.c.cause)
    )
    return {row.cause: row.n for row in tx.execute(query)}


def count_waiting(tx: Tx, *, failed_only: bool = False) -> int:
    """Deliveries that wait; with `failed_only` those that were tried."""
    query = select(func.count()).select_from(deliveries).where(deliveries.c.state == DeliveryState.WAITING)
    return tx.execute(query.where(deliveries.c.last_error.is_not(None)) if failed_only else query).scalar_one()


def _by(webhook_id: int | None) -> ColumnElement[bool]:
    return deliveries.c.webhook_id == webhook_id if webhook_id is not None else deliveries.c.webhook_id.is_(None)


def _page(tx: Tx, wanted: ColumnElement[bool], limit: int, *, newest_first: bool) -> list[Delivery]:
    query = (
        select(deliveries, outbox.c.kind, outbox.c.severity, outbox.c.payload, outbox.c.created_at.label("happened_at"))
        .join(outbox, outbox.c.id == deliveries.c.outbox_id)
        .where(deliveries.c.workspace_id == WORKSPACE, wanted)
        .order_by(deliveries.c.id.desc() if newest_first else deliveries.c.id)
    )
    return [_delivery_of(row) for row in tx.execute(query.limit(limit))]


def _stored(values: Mapping[str, Any]) -> dict[str, Any]:
    stored = dict(values)
    if "kinds" in stored:
        stored["kinds"] = {"only": list(stored["kinds"])}
    return stored


def _webhook_of(row: Row[Any]) -> Webhook:
    return Webhook(
        id=row.id,
        name=row.name,
        url=row.url,
        secret=row.secret,
        kinds=tuple(row.kinds.get("only", ())),
        enabled=row.enabled,
        created_at=row.created_at,
    )


def _delivery_of(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        webhook_id=row.webhook_id,
        kind=row.kind,
        severity=row.severity,
        payload=row.payload,
        cause=row.cause,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        next_at=row.next_at,
        status_code=row.status_code,
        last_error=row.last_error,
        created_at=row.happened_at,
        sent_at=row.sent_at,
    )
