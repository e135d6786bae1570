"""The outbox, in SQL: alerts written in the transaction that causes them, and what became of each.

What they say and when they go out is decided elsewhere. The fact to know: a row is never lost and never given up;
`waiting` becomes `sent` (alone or in a digest) or `muted` (the admin wants no message of its kind).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.system import outbox

_OWN = outbox.c.workspace_id == WORKSPACE
_SENDING = 7_301_117  # the advisory lock of whoever claims messages


class MessageState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    MUTED = "muted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One message of the outbox. `sent_message_id` is shared by all that went out in one digest."""

    id: int
    kind: str
    thread: str
    cause: str
    severity: str
    payload: Mapping[str, Any]
    state: MessageState
    attempts: int
    next_at: datetime | None
    chat_id: str | None
    sent_message_id: str | None
    in_digest: bool
    last_error: str | None
    created_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Messages that wait; `failed` of them were tried and not taken."""

    waiting: int
    failed: int
    oldest_at: datetime | None


def post(
    tx: Tx,
    *,
    dedupe_key: str,
    kind: str,
    thread: str,
    payload: Mapping[str, Any],
    now: datetime,
    cause: str | None = None,
    severity: str = "medium",
    is_muted: bool = False,
) -> int | None:
    """Put a message into the outbox in the transaction that causes it; None when it is there already.

    `is_muted`: it goes other roads, and stays here as history.
    """
    values = {"dedupe_key": dedupe_key, "kind": kind, "thread": thread, "payload": dict(payload), "severity": severity}
    state = MessageState.MUTED if is_muted else MessageState.WAITING
    made = (
        upsert(outbox)
        .values(cause=cause or kind, next_at=now, created_at=now, state=state, **values)
        .on_conflict_do_nothing(index_elements=["workspace_id", "dedupe_key"])
    )
    id_: int | None = tx.execute(made.returning(outbox.c.id)).scalar_one_or_none()
    return id_


# ---- sending ----------------------------------------------------------------------------------------------------


def lock_sending(tx: Tx) -> bool:
    """True for the one who may claim messages now; held until this transaction ends."""
    return bool(tx.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _SENDING}).scalar_one())


def due(tx: Tx, now: datetime, limit: int) -> list[Alert]:
    """What may go out now, oldest first, locked.

    A message waits while an earlier one of its thread does, unless that one is due too and of the same cause: the two
    may share a digest.
    """
    earlier = outbox.alias("earlier")
    is_blocked = (
        select(earlier.c.id)
        .where(
            earlier.c.workspace_id == WORKSPACE,
            earlier.c.thread == outbox.c.thread,
            earlier.c.thread != "",
            earlier.c.id < outbox.c.id,
            earlier.c.state == MessageState.WAITING,
            or_(earlier.c.cause != outbox.c.cause, earlier.c.next_at > now),
        )
        .exists()
    )
    query = select(outbox).where(_is_due(now), ~is_blocked).order_by(outbox.c.id).limit(limit)
    return [_alert_of(row) for row in tx.execute(query.with_for_update(of=outbox, skip_locked=True))]


def hold(tx: Tx, ids: Sequence[int], until: datetime) -> None:
    """Take these for sending: nobody else sends them before `until`."""
    tx.execute(update(outbox).where(outbox.c.id.in_(ids)).values(next_at=until, attempts=outbox.c.attempts + 1))


def mark_sent(
    tx: Tx, ids: Sequence[int], *, chat_id: str, sent_message_id: str, now: datetime, in_digest: bool = False
) -> None:
    sent = {"state": MessageState.SENT, "sent_at": now, "sent_message_id": sent_message_id, "chat_id": chat_id}
    tx.execute(update(outbox).where(outbox.c.id.in_(ids)).values(in_digest=in_digest, last_error=None, **sent))


def mark_failed(tx: Tx, ids: Sequence[int], error: str, next_at: datetime) -> None:
    tx.execute(update(outbox).where(outbox.c.id.in_(ids)).values(last_error=error, next_at=next_at))


def mute(tx: Tx, kinds: Collection[str]) -> int:
    """Nothing of these kinds is to be sent; how many waiting messages that were."""
    unwanted = _waiting() & outbox.c.kind.in_(kinds)
    return tx.execute(update(outbox).where(unwanted).values(state=MessageState.MUTED)).rowcount


def any_due(now: datetime) -> ColumnElement[bool]:
    """Does anything lie here to be sent or put off by now?"""
    return select(outbox.c.id).where(_is_due(now)).exists()


def waiting_kinds(tx: Tx, now: datetime) -> set[str]:
    return set(tx.execute(select(outbox.c.kind).where(_is_due(now)).distinct()).scalars())


def postpone_due(tx: Tx, now: datetime, until: datetime) -> int:
    return tx.execute(update(outbox).where(_is_due(now)).values(next_at=until)).rowcount


def make_due(tx: Tx, now: datetime) -> int:
    """Try everything that waits again at once."""
    return tx.execute(update(outbox).where(_waiting(), outbox.c.next_at > now).values(next_at=now)).rowcount


def sent_by_cause(tx: Tx, since: datetime) -> dict[str, int]:
    """How many messages of each cause went out since then; a digest is one."""
    query = (
        select(outbox.c.cause, func.count(outbox.c.sent_message_id.distinct()).label("n"))
        .where(_OWN, outbox.c.state == MessageState.SENT, outbox.c.sent_at > since)
        .group_by(outbox.c.cause)
    )
    return {row.cause: row.n for row in tx.execute(query)}


def first_of_trouble(tx: Tx, alert: Alert, kinds: Collection[str]) -> Alert | None:
    """The message `alert` is the happy end of: the first sent one of these kinds since the last happy end."""
    in_thread = _OWN & (outbox.c.thread == alert.thread) & (outbox.c.state == MessageState.SENT)
    last_end = (
        select(func.coalesce(func.max(outbox.c.id), 0))
        .where(in_thread, outbox.c.kind == alert.kind, outbox.c.id < alert.id)
        .scalar_subquery()
    )
    query = select(outbox).where(in_thread, outbox.c.kind.in_(kinds), outbox.c.id > last_end, outbox.c.id < alert.id)
    row = tx.execute(query.order_by(outbox.c.id).limit(1)).one_or_none()
    return None if row is None else _alert_of(row)


# ---- looking ----------------------------------------------------------------------------------------------------


def page(tx: Tx, *, before_id: int, limit: int, kinds: Sequence[str] = (), states: Sequence[str] = ()) -> list[Alert]:
    """Newest first."""
    query = select(outbox).where(_OWN, outbox.c.id < before_id).order_by(outbox.c.id.desc()).limit(limit)
    if kinds:
        query = query.where(outbox.c.kind.in_(kinds))
    if states:
        query = query.where(outbox.c.state.in_(states))
    return [_alert_of(row) for row in tx.execute(query)]


def outbox_counts(tx: Tx) -> dict[str, int]:
    query = select(outbox.c.state, func.count().label("n")).where(_OWN).group_by(outbox.c.state)
    counted = {row.state: row.n for row in tx.execute(query)}
    return {state.value: counted.get(state, 0) for state in MessageState}


def undelivered(tx: Tx) -> Undelivered:
    query = select(
        func.count().label("waiting"),
        func.count().filter(outbox.c.last_error.is_not(None)).label("failed"),
        func.min(outbox.c.created_at).label("oldest_at"),
    )
    row = tx.execute(query.where(_waiting())).one()
    return Undelivered(row.waiting, row.failed, row.oldest_at)


def forget(tx: Tx, before: datetime) -> int:
    """Delete what was sent or muted and is older than that."""
    ended = _OWN & (outbox.c.state != MessageState.WAITING) & (outbox.c.created_at < before)
    return tx.execute(outbox.delete().where(ended)).rowcount


def _waiting() -> ColumnElement[bool]:
    return _OWN & (outbox.c.state == MessageState.WAITING)


def _is_due(now: datetime) -> ColumnElement[bool]:
    return _waiting() & (outbox.c.next_at <= now)


def _alert_of(row: Row[Any]) -> Alert:
    return Alert(
        id=row.id,
        kind=row.kind,
        thread=row.thread,
        cause=row.cause,
        severity=row.severity,
        payload=row.payload,
        state=MessageState(row.state),
        attempts=row.attempts,
        next_at=row.next_at,
        chat_id=row.chat_id,
        sent_message_id=row.sent_message_id,
        in_digest=row.in_digest,
        last_error=row.last_error,
        created_at=row.created_at,
        sent_at=row.sent_at,
    )
