"""Log events (one row a step message), workers' heartbeats, and the admin's settings, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, delete, func, insert, or_, select, true, union_all
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE, has_part, listed_by
from forwarder_core.db.engine import Tx
from forwarder_core.db.spans import at_hour, within
from forwarder_core.db.tables.flow import connections, jobs
from forwarder_core.db.tables.system import log_events, settings, workers
from forwarder_core.domain.searching import parts_of, worth_listing

_OF_JOB = select(jobs.c.connection_id).where(jobs.c.id == bindparam("of_job", type_=BigInteger)).scalar_subquery()
_LOG = insert(log_events).values(connection_id=func.coalesce(bindparam("said", type_=BigInteger), _OF_JOB))
_SETTINGS = select(settings.c.key, settings.c.value).where(settings.c.workspace_id == WORKSPACE)


def log(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """A line about a job is one about its connection too, so that whoever asks for the connection's finds it."""
    lines = [dict(row) for row in rows]
    tx.execute(_LOG, [{**row, "said": row.pop("connection_id", None), "of_job": row.get("job_id")} for row in lines])


_NAMES = ("job_id", "connection_id", "level", "code")
_FIRST = 500
_LINE = [column for column in log_events.c if column.name != "search"]


def logs(tx: Tx, *, before_id: int, limit: int, oldest_first: bool = False, **wanted: Any) -> list[dict[str, Any]]:
    """Newest first, or oldest first from `before_id` on. `wanted`: job_id, connection_id, account_id (and what is about
    the connections it is an end of), level, code, since, until, hour (and the zone it is of), q (beginnings of
    words)."""
    beyond = log_events.c.id > before_id if oldest_first else log_events.c.id < before_id
    clauses = [log_events.c.workspace_id == WORKSPACE, beyond]
    clauses += [log_events.c[name] == wanted[name] for name in _NAMES if wanted.get(name) is not None]
    clauses += within(tx, log_events.c.id, log_events.c.at, wanted.get("since"), wanted.get("until"))
    if wanted.get("hour"):
        clauses.append(at_hour(log_events.c.at, *wanted["hour"]))
    lines = _Lines(clauses, wanted.get("account_id"), oldest_first)
    q = wanted.get("q")
    ids = _worded(tx, lines, parts_of(q), limit) if q else lines.ids(limit)
    order = log_events.c.id.asc() if oldest_first else log_events.c.id.desc()
    return [dict(row) for row in tx.execute(select(*_LINE).where(log_events.c.id.in_(ids)).order_by(order)).mappings()]


@dataclass(frozen=True, slots=True)
class _Lines:
    """Which lines, and in which order. `account_id`: also those about the connections it is an end of."""

    clauses: Sequence[ColumnElement[bool]]
    account_id: int | None
    oldest_first: bool

    def ids(self, limit: int, *more: ColumnElement[bool]) -> Select[Any]:
        id_ = log_events.c.id
        query = select(id_).where(*self.clauses, *more).order_by(self._in_order(id_)).limit(limit)
        if self.account_id is None:
            return query
        both = union_all(*(one.subquery().select() for one in _about(query, self.account_id))).subquery("both")
        return select(both.c.id).distinct().order_by(self._in_order(both.c.id)).limit(limit)

    def _in_order(self, id_: ColumnElement[int]) -> ColumnElement[Any]:
        return id_.asc() if self.oldest_first else id_.desc()


def _worded(tx: Tx, lines: _Lines, parts: Sequence[str], limit: int) -> list[int]:
    """The first lines are gone through word by word; the rest by the index of words, asked for the rare ones alone."""
    if not parts:
        return []
    size = max(limit, _FIRST)
    first = lines.ids(size).subquery("first")
    has = [has_part(log_events.c.search, part).label(f"part{n}") for n, part in enumerate(parts)]
    rows = tx.execute(select(log_events.c.id, *has).join(first, first.c.id == log_events.c.id)).all()
    ids = sorted((row[0] for row in rows if all(row[1:])), reverse=not lines.oldest_first)[:limit]
    if len(ids) == limit or len(rows) < size:
        return ids
    read = [row[0] for row in rows]
    beyond = log_events.c.id > max(read) if lines.oldest_first else log_events.c.id < min(read)
    rare = worth_listing([sum(row[1 + n] for row in rows) for n in range(len(parts))], len(rows))
    rest = lines.ids(limit - len(ids), beyond, *listed_by(log_events.c.search, parts, rare))
    return ids + list(tx.execute(rest).scalars())


def _about(ids: Select[Any], account_id: int) -> tuple[Select[Any], Select[Any]]:
    """Those about the account, and those about each connection it is an end of."""
    own = log_events.c.account_id == account_id
    ends = (connections.c.source_account_id, connections.c.destination_account_id)
    joined = select(connections.c.id).where(or_(*(end == account_id for end in ends))).subquery("joined")
    each = ids.where(log_events.c.connection_id == joined.c.id).lateral("each")
    return ids.where(own), select(each.c.id).select_from(joined.join(each, true()))


def forget_logs(tx: Tx, before: datetime) -> int:
    """Delete the log events from before then; how many those were."""
    return tx.execute(delete(log_events).where(log_events.c.at < before)).rowcount


def beat(tx: Tx, *, name: str, kind: str, host: str, pid: int, now: datetime, facts: Mapping[str, Any]) -> None:
    values = {"kind": kind, "host": host, "pid": pid, "facts": dict(facts), "seen_at": now}
    made = upsert(workers).values(name=name, started_at=now, **values)
    tx.execute(made.on_conflict_do_update(index_elements=["name"], set_=values))


def beats(tx: Tx) -> list[dict[str, Any]]:
    return [dict(row) for row in tx.execute(select(workers).order_by(workers.c.name)).mappings()]


def hosts_heard_since(tx: Tx, since: datetime) -> set[str]:
    """The machines of which any process has shown a sign of life."""
    return set(tx.execute(select(workers.c.host).where(workers.c.seen_at >= since)).scalars())


def forget_workers(tx: Tx, before: datetime) -> int:
    return tx.execute(delete(workers).where(workers.c.seen_at < before)).rowcount


def setting_values(tx: Tx) -> dict[str, Any]:
    """What the admin has changed, by key; the defaults are not in the database."""
    return {row.key: row.value["value"] for row in tx.execute(_SETTINGS)}


def keep_setting(tx: Tx, key: str, value: Any, now: datetime) -> None:
    stored = {"value": {"value": value}, "changed_at": now}
    made = upsert(settings).values(key=key, **stored)
    tx.execute(made.on_conflict_do_update(index_elements=["workspace_id", "key"], set_=stored))


def drop_setting(tx: Tx, key: str) -> None:
    tx.execute(delete(settings).where(settings.c.workspace_id == WORKSPACE, settings.c.key == key))
