"""Connections in SQL. Their rules are JSON objects here and dataclasses everywhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, insert, select, update

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.flow import connections, jobs
from forwarder_core.domain import filter_rules, schedule_rules
from forwarder_core.domain.connections import Connection, ConnectionStatus
from forwarder_core.domain.filters import FilterMode
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.domain.transforms import (
    Fit,
    Quality,
    TooLong,
    TransformOptions,
    layout_of,
    switch_of,
    upscale_of,
)

_OWN = (connections.c.workspace_id == WORKSPACE) & connections.c.deleted_at.is_(None)


def add(tx: Tx, values: Mapping[str, Any]) -> int:
    """Insert and return the id. Raises IntegrityError when the name is taken."""
    made: int = tx.execute(insert(connections).values(**values).returning(connections.c.id)).scalar_one()
    return made


def get(tx: Tx, connection_id: int) -> Connection | None:
    row = tx.execute(select(connections).where(_OWN, connections.c.id == connection_id)).one_or_none()
    return None if row is None else connection_of(row)


def page(
    tx: Tx, *, after: int, limit: int, status: Sequence[str] = (), q: str | None = None, account_id: int | None = None
) -> list[Connection]:
    query = select(connections).where(_OWN, connections.c.id > after).order_by(connections.c.id).limit(limit)
    if status:
        query = query.where(connections.c.status.in_(status))
    if q:
        query = query.where(connections.c.name.ilike(f"%{_escaped(q)}%", escape="\\"))
    if account_id is not None:
        ends = (connections.c.source_account_id, connections.c.destination_account_id)
        query = query.where((ends[0] == account_id) | (ends[1] == account_id))
    return [connection_of(row) for row in tx.execute(query)]


def active_of_source(tx: Tx, account_id: int) -> list[Connection]:
    query = select(connections).where(
        _OWN, connections.c.source_account_id == account_id, connections.c.status == ConnectionStatus.ACTIVE
    )
    return [connection_of(row) for row in tx.execute(query.order_by(connections.c.id))]


def is_active() -> ColumnElement[bool]:
    """Of `connections`: there, and switched on."""
    return and_(_OWN, connections.c.status == ConnectionStatus.ACTIVE)


def looks_by_itself() -> ColumnElement[bool]:
    """Of `connections`: active, and not one that does only what it is asked for."""
    return and_(is_active(), connections.c.filters["mode"].astext.is_distinct_from(FilterMode.ASKED_ONLY))


def has_source(tx: Tx, account_id: int) -> bool:
    """Does a connection, whatever its state, take posts from this account?"""
    query = select(connections.c.id).where(_OWN, connections.c.source_account_id == account_id)
    return tx.execute(query.limit(1)).one_or_none() is not None


def change(tx: Tx, connection_id: int, values: Mapping[str, Any]) -> bool:
    return tx.execute(update(connections).where(_OWN, connections.c.id == connection_id).values(**values)).rowcount == 1


def pause_active(tx: Tx, connection_id: int, reason: str) -> bool:
    """Pause the connection where it is active; one the admin stopped stays stopped."""
    active = (_OWN, connections.c.id == connection_id, connections.c.status == ConnectionStatus.ACTIVE)
    paused = update(connections).where(*active).values(status=ConnectionStatus.PAUSED, status_reason=reason)
    return tx.execute(paused).rowcount == 1


def pause_all_of(tx: Tx, account_id: int, reason: str) -> list[int]:
    """Pause every active connection that uses the account at either end; return their ids."""
    uses = (connections.c.source_account_id == account_id) | (connections.c.destination_account_id == account_id)
    paused = (
        update(connections)
        .where(_OWN, uses, connections.c.status == ConnectionStatus.ACTIVE)
        .values(status=ConnectionStatus.PAUSED, status_reason=reason)
        .returning(connections.c.id)
    )
    return list(tx.execute(paused).scalars())


def resume_all_of(tx: Tx, account_id: int, reason: str) -> list[int]:
    """Take up again what was paused for this reason; return the ids."""
    uses = (connections.c.source_account_id == account_id) | (connections.c.destination_account_id == account_id)
    resumed = (
        update(connections)
        .where(_OWN, uses, connections.c.status == ConnectionStatus.PAUSED, connections.c.status_reason == reason)
        .values(status=ConnectionStatus.ACTIVE, status_reason=None)
        .returning(connections.c.id)
    )
    return sorted(tx.execute(resumed).scalars())


def count_by_status(tx: Tx) -> dict[str, int]:
    query = select(connections.c.status, func.count().label("n")).where(_OWN).group_by(connections.c.status)
    return {row.status: row.n for row in tx.execute(query)}


def outcomes(tx: Tx, connection_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """For each connection, how many of its jobs are in each state."""
    query = (
        select(jobs.c.connection_id, jobs.c.status, func.count())
        .where(jobs.c.connection_id.in_(connection_ids))
        .group_by(jobs.c.connection_id, jobs.c.status)
    )
    counted: dict[int, dict[str, int]] = {}
    for connection_id, status, n in tx.execute(query):
        counted.setdefault(connection_id, {})[status] = n
    return counted


def ended_since(tx: Tx, connection_ids: Sequence[int], since: datetime) -> dict[int, tuple[int, int]]:
    """For each of these connections of which a job ended since then: how many arrived, and how many failed for good."""
    good = func.count().filter(jobs.c.status == JobStatus.SUCCESS)
    query = (
        select(jobs.c.connection_id, good.label("good"), (func.count() - good).label("bad"))
        .where(jobs.c.connection_id.in_(connection_ids), jobs.c.completed_at >= since)
        .where(jobs.c.status.in_([JobStatus.SUCCESS, JobStatus.DEAD]))
        .group_by(jobs.c.connection_id)
    )
    return {row.connection_id: (row.good, row.bad) for row in tx.execute(query)}


def connection_of(row: Row[Any]) -> Connection:
    return Connection(
        id=row.id,
        name=row.name,
        type=row.type,
        source_account_id=row.source_account_id,
        destination_account_id=row.destination_account_id,
        status=ConnectionStatus(row.status),
        status_reason=row.status_reason,
        proxy_id=row.proxy_id,
        token_ref=row.token_ref,
        proxy_policy=row.proxy_policy,
        filters=filter_rules.read(row.filters),
        schedule=schedule_rules.read(row.schedule),
        transform=transform_of(row.transform_options),
        publish=row.publish_options,
        retry_policy=row.retry_policy,
        on_ambiguous=row.on_ambiguous,
        priority=row.priority,
        started_at=row.started_at,
        last_run_at=row.last_run_at,
        created_at=row.created_at,
    )


def transform_of(stored: Mapping[str, Any]) -> TransformOptions:
    upscale, upscale_to_4k = upscale_of(stored)
    return TransformOptions(
        upscale=upscale,
        upscale_to_4k=upscale_to_4k,
        quality=Quality(stored.get("quality", Quality.OPTIMIZED)),
        too_long=TooLong(stored.get("too_long", TooLong.TRIM)),
        fit=Fit(stored.get("fit", Fit.PAD)),
        normalize_loudness=switch_of(stored, "normalize_loudness"),
        measure_quality=switch_of(stored, "measure_quality"),
        layout=layout_of(stored.get("greenscreen")),
    )


def touch(tx: Tx, connection_id: int, now: datetime) -> None:
    tx.execute(update(connections).where(connections.c.id == connection_id).values(last_run_at=now))


def _escaped(words: str) -> str:
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
