"""Log events (one row a step message), workers' heartbeats, and the admin's settings, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, bindparam, delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE, found_by
from forwarder_core.db.engine import Tx
from forwarder_core.db.spans import within
from forwarder_core.db.tables.flow import jobs
from forwarder_core.db.tables.system import log_events, settings, workers


def log(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """A line about a job is one about its connection too, so that whoever asks for the connection's finds it."""
    of_job = select(jobs.c.connection_id).where(jobs.c.id == bindparam("of_job", type_=BigInteger)).scalar_subquery()
    said = bindparam("said", type_=BigInteger)
    made = insert(log_events).values(connection_id=func.coalesce(said, of_job))
    lines = [dict(row) for row in rows]
    tx.execute(made, [{**row, "said": row.pop("connection_id", None), "of_job": row.get("job_id")} for row in lines])


_LINE = [column for column in log_events.c if column.name != "search"]


def logs(tx: Tx, *, before_id: int, limit: int, oldest_first: bool = False, **wanted: Any) -> list[dict[str, Any]]:
    """Newest first, or oldest first from `before_id` on. `wanted`: job_id, connection_id, account_id, level, code,
    since, until, q (beginnings of words)."""
    beyond = log_events.c.id > before_id if oldest_first else log_events.c.id < before_id
    query = select(*_LINE).where(log_events.c.workspace_id == WORKSPACE, beyond)
    for name in ("job_id", "connection_id", "account_id", "level", "code"):
        if wanted.get(name) is not None:
            query = query.where(log_events.c[name] == wanted[name])
    query = query.where(*within(tx, log_events.c.id, log_events.c.at, wanted.get("since"), wanted.get("until")))
    if wanted.get("q"):
        query = query.where(found_by(log_events.c.search, wanted["q"]))
    order = log_events.c.id.asc() if oldest_first else log_events.c.id.desc()
    return [dict(row) for row in tx.execute(query.order_by(order).limit(limit)).mappings()]


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
    query = select(settings.c.key, settings.c.value).where(settings.c.workspace_id == WORKSPACE)
    return {row.key: row.value["value"] for row in tx.execute(query)}


def keep_setting(tx: Tx, key: str, value: Any, now: datetime) -> None:
    stored = {"value": {"value": value}, "changed_at": now}
    made = upsert(settings).values(key=key, **stored)
    tx.execute(made.on_conflict_do_update(index_elements=["workspace_id", "key"], set_=stored))


def drop_setting(tx: Tx, key: str) -> None:
    tx.execute(delete(settings).where(settings.c.workspace_id == WORKSPACE, settings.c.key == key))
