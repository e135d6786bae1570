"""Accounts, their sealed credentials, and the state of watching them, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    ScalarSelect,
    Select,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.connections import is_active, looks_by_itself
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.accounts import accounts, watches
from forwarder_core.db.tables.flow import connections
from forwarder_core.db.tables.requests import requests
from forwarder_core.domain.accounts import MOVES, Account, AccountEvent, AccountStatus, Rights
from forwarder_core.domain.requests import OPEN, Kind

_OWN = accounts.c.workspace_id == WORKSPACE


def add(tx: Tx, values: Mapping[str, Any]) -> int:
    """Insert and return the id. Raises IntegrityError when the alias or the handle is taken."""
    made: int = tx.execute(insert(accounts).values(**values).returning(accounts.c.id)).scalar_one()
    return made


def get(tx: Tx, account_id: int) -> Account | None:
    row = tx.execute(select(accounts).where(_OWN, accounts.c.id == account_id)).one_or_none()
    return None if row is None else account_of(row)


def find(tx: Tx, *, platform: str, handle: str) -> Account | None:
    match = select(accounts).where(_OWN, accounts.c.platform == platform, accounts.c.handle == handle)
    row = tx.execute(match).one_or_none()
    return None if row is None else account_of(row)


def page(tx: Tx, *, after: int, limit: int, platform: str | None = None, status: Sequence[str] = ()) -> list[Account]:
    """By id upwards, from the one after `after`."""
    query = select(accounts).where(_OWN, accounts.c.id > after).order_by(accounts.c.id).limit(limit)
    if platform:
        query = query.where(accounts.c.platform == platform)
    if status:
        query = query.where(accounts.c.status.in_(status))
    return [account_of(row) for row in tx.execute(query)]


def change(tx: Tx, account_id: int, values: Mapping[str, Any]) -> bool:
    return tx.execute(update(accounts).where(_OWN, accounts.c.id == account_id).values(**values)).rowcount == 1


def remove(tx: Tx, account_id: int) -> bool:
    """Raises IntegrityError while a connection or a post refers to it."""
    return tx.execute(accounts.delete().where(_OWN, accounts.c.id == account_id)).rowcount == 1


def cool_down(tx: Tx, account_id: int, until: datetime) -> None:
    """Leave the account in peace until then, or until the later time it was given before."""
    rests = func.greatest(accounts.c.cool_down_until, until)
    tx.execute(update(accounts).where(_OWN, accounts.c.id == account_id).values(cool_down_until=rests))


_RESTS = select(accounts.c.cool_down_until).where(_OWN, accounts.c.id == bindparam("account_id"))


def rests_until(tx: Tx, account_id: int) -> datetime | None:
    """Until when the account is to be left in peace, if it ever was; that may be over."""
    until: datetime | None = tx.execute(_RESTS, {"account_id": account_id}).scalar_one_or_none()
    return until


def move(tx: Tx, account_id: int, event: AccountEvent, reason: str | None) -> bool:
    """What an event does to the account's status; True when this changed it."""
    rule = MOVES[event]
    moved = (
        update(accounts)
        .where(_OWN, accounts.c.id == account_id, accounts.c.status.in_(list(rule.among)))
        .values(status=rule.to, status_reason=reason)
    )
    return tx.execute(moved).rowcount == 1


def on_probation(tx: Tx) -> set[int]:
    """Accounts whose challenge was solved and not yet proven to be."""
    return set(tx.execute(select(accounts.c.id).where(_OWN, accounts.c.on_probation)).scalars())


def end_probation(tx: Tx, account_ids: Sequence[int]) -> set[int]:
    """Of those among them that were on it, for the one who ended it."""
    ended = update(accounts).where(_OWN, accounts.c.id.in_(account_ids), accounts.c.on_probation)
    return set(tx.execute(ended.values(on_probation=False).returning(accounts.c.id)).scalars())


def pace_of(tx: Tx, account_id: int) -> dict[str, Any]:
    """As stored; empty where none was set."""
    stored = tx.execute(select(accounts.c.pace).where(_OWN, accounts.c.id == account_id)).scalar_one_or_none()
    return dict(stored or {})


def challenged_at(tx: Tx, account_id: int) -> datetime | None:
    return tx.execute(select(accounts.c.challenged_at).where(_OWN, accounts.c.id == account_id)).scalar_one_or_none()


_SEALED = select(accounts.c.credentials).where(_OWN, accounts.c.id == bindparam("account_id"))
_SEALED_AND_LOCKED = _SEALED.with_for_update()


def sealed_credentials(tx: Tx, account_id: int, *, lock: bool = False) -> bytes | None:
    """As stored; with `lock` nobody else reads them so until this transaction ends."""
    query = _SEALED_AND_LOCKED if lock else _SEALED
    sealed: bytes | None = tx.execute(query, {"account_id": account_id}).scalar_one()
    return sealed


_FIELDS = tuple(one.name for one in fields(Account))


def columns_of(table: FromClause) -> list[ColumnElement[Any]]:
    """What `account_from` is made of, in its order; `table`: the accounts, under whatever name."""
    return [table.c[name] for name in _FIELDS]


def account_from(values: Sequence[Any]) -> Account:
    said = dict(zip(_FIELDS, values, strict=True))
    said |= {"status": AccountStatus(said["status"]), "rights": Rights(said["rights"])}
    return Account(**said)


def account_of(row: Row[Any]) -> Account:
    return account_from([getattr(row, name) for name in _FIELDS])


# ---- watching ---------------------------------------------------------------------------------------------------


def watch(tx: Tx, account_id: int, now: datetime) -> None:
    """Poll this account from now on; an account already watched is asked at once."""
    made = upsert(watches).values(account_id=account_id, next_poll_at=now)
    tx.execute(made.on_conflict_do_update(index_elements=["account_id"], set_={"next_poll_at": now, "failures": 0}))


def ask_at_once(tx: Tx, account_id: int, now: datetime) -> None:
    """Look at this source with the next tick, if it is watched at all."""
    tx.execute(update(watches).where(watches.c.account_id == account_id).values(next_poll_at=now))


def due(tx: Tx, now: datetime, *, shard: int, shards: int, limit: int) -> list[int]:
    """Accounts of this shard that are due, have a connection that looks by itself or was asked to, and need no rest;
    locked until this transaction ends, so that it may `hold` them."""
    query = _due(now).where(watches.c.account_id % shards == shard).order_by(watches.c.next_poll_at).limit(limit)
    return list(tx.execute(query.with_for_update(of=watches, skip_locked=True)).scalars())


def due_shards(now: datetime, shards: int) -> ScalarSelect[int]:
    """The shards in which `due` would find one."""
    return _due(now).with_only_columns((watches.c.account_id % shards).distinct()).scalar_subquery()


def _due(now: datetime) -> Select[int]:
    asked = select(requests.c.connection_id).where(requests.c.kind == Kind.POLL, requests.c.state.in_(OPEN))
    wanted = select(connections.c.source_account_id).where(
        or_(looks_by_itself(), is_active() & connections.c.id.in_(asked))
    )
    return (
        select(watches.c.account_id)
        .join(accounts, accounts.c.id == watches.c.account_id)
        .where(
            watches.c.next_poll_at <= now,
            (watches.c.polling_until.is_(None)) | (watches.c.polling_until < now),
            watches.c.account_id.in_(wanted),
            accounts.c.status.in_([s for s in AccountStatus if s.is_usable]),
            (accounts.c.cool_down_until.is_(None)) | (accounts.c.cool_down_until <= now),
        )
    )


def hold(tx: Tx, account_ids: Sequence[int], until: datetime) -> None:
    """Nobody else looks at these before `until`."""
    tx.execute(update(watches).where(watches.c.account_id.in_(account_ids)).values(polling_until=until))


def take(tx: Tx, account_id: int, now: datetime, until: datetime) -> bool:
    """This one account, due or not, unless somebody is polling it right now."""
    free = (watches.c.polling_until.is_(None)) | (watches.c.polling_until < now)
    changed = update(watches).where(watches.c.account_id == account_id, free).values(polling_until=until)
    return tx.execute(changed).rowcount == 1


def release(tx: Tx, account_ids: Sequence[int]) -> None:
    """Give back accounts taken and not polled after all: they are due as before."""
    tx.execute(update(watches).where(watches.c.account_id.in_(account_ids)).values(polling_until=None))


def poll_succeeded(tx: Tx, account_id: int, now: datetime, next_poll_at: datetime) -> None:
    tx.execute(
        update(watches)
        .where(watches.c.account_id == account_id)
        .values(
            next_poll_at=next_poll_at,
            polling_until=None,
            polled_at=now,
            succeeded_at=now,
            failures=0,
            last_error=None,
            last_error_code=None,
        )
    )


def poll_failed(tx: Tx, account_id: int, now: datetime, next_poll_at: datetime, code: str, message: str) -> None:
    tx.execute(
        update(watches)
        .where(watches.c.account_id == account_id)
        .values(
            next_poll_at=next_poll_at,
            polling_until=None,
            polled_at=now,
            failures=watches.c.failures + 1,
            last_error=message,
            last_error_code=code,
        )
    )


def watched(tx: Tx, account_id: int) -> tuple[Account, datetime | None] | None:
    """The account, and when a look at it last succeeded, if one ever did."""
    both = accounts.outerjoin(watches, watches.c.account_id == accounts.c.id)
    query = select(accounts, watches.c.succeeded_at).select_from(both).where(_OWN, accounts.c.id == account_id)
    row = tx.execute(query).one_or_none()
    return None if row is None else (account_of(row), row.succeeded_at)


def failures_in_a_row(tx: Tx, account_id: int) -> int:
    found = tx.execute(select(watches.c.failures).where(watches.c.account_id == account_id)).scalar_one_or_none()
    return found or 0


def is_failing_by(tx: Tx, account_id: int, codes: Sequence[str]) -> bool:
    """Did the latest look at this source fail with one of these errors?"""
    failing = select(watches.c.failures > 0).where(watches.c.last_error_code.in_(codes))
    return bool(tx.execute(failing.where(watches.c.account_id == account_id)).scalar_one_or_none())


def oldest_success(tx: Tx) -> datetime | None:
    """When the watch that is furthest behind last succeeded, among those that ever did."""
    oldest: datetime | None = tx.execute(select(func.min(watches.c.succeeded_at))).scalar_one()
    return oldest
