"""Connections in SQL. Their rules are JSON objects here and dataclasses everywhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.flow import connections, jobs
from forwarder_core.domain.connections import Connection, ConnectionStatus
from forwarder_core.domain.filters import FilterMode, Filters
from forwarder_core.domain.retries import RetryPolicy, Strategy
from forwarder_core.domain.schedules import DEFAULT_INTERVAL_S, Schedule
from forwarder_core.domain.transforms import Fit, Quality, TooLong, TransformOptions, layout_of, upscale_of

USUAL_RETRIES = RetryPolicy()
_A_WEEK_MINUTES = 7 * 24 * 60
_WAIT_KEYS = ("backoff_multiplier", "initial_delay_seconds", "max_delay_seconds")
_RETRY_KEYS = {*_WAIT_KEYS, "max_attempts", "backoff_strategy", "retry_on_errors", "no_retry_on_errors"}
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


def change(tx: Tx, connection_id: int, values: Mapping[str, Any]) -> bool:
    return tx.execute(update(connections).where(_OWN, connections.c.id == connection_id).values(**values)).rowcount == 1


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
        proxy_policy=row.proxy_policy,
        filters=filters_of(row.filters),
        schedule=schedule_of(row.schedule),
        transform=transform_of(row.transform_options),
        publish=row.publish_options,
        retry_policy=row.retry_policy,
        priority=row.priority,
        started_at=row.started_at,
        last_run_at=row.last_run_at,
        created_at=row.created_at,
    )


def filters_of(stored: Mapping[str, Any]) -> Filters:
    days = stored.get("date_range") or {}
    return Filters(
        mode=FilterMode(stored.get("mode", FilterMode.ALL_NEW)),
        caption_keywords=_words(stored.get("caption_keywords", ())),
        include_old_posts=bool(stored.get("include_old_posts", False)),
        newest_n=int(stored["newest_n"]) if stored.get("newest_n") is not None else None,
        max_age_h=float(stored["max_age_h"]) if stored.get("max_age_h") is not None else None,
        old_from=date.fromisoformat(days["from"]) if days.get("from") else None,
        old_to=date.fromisoformat(days["to"]) if days.get("to") else None,
    )


def _words(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not all(isinstance(word, str) and word.strip() for word in value):
        raise ValueError("caption_keywords must be a list of words")
    return tuple(value)


def schedule_of(stored: Mapping[str, Any]) -> Schedule:
    """Raises ValueError for an interval that is no positive number of minutes."""
    minutes = stored.get("check_interval_minutes", DEFAULT_INTERVAL_S / 60)
    if isinstance(minutes, bool) or not isinstance(minutes, (int, float)) or not 0 < minutes <= _A_WEEK_MINUTES:
        raise ValueError("check_interval_minutes must be a number of minutes above 0 and at most a week")
    return Schedule(check_interval_s=minutes * 60)


def retry_policy_of(stored: Mapping[str, Any], usual: RetryPolicy = USUAL_RETRIES) -> RetryPolicy:
    """The policy a connection asks for, over the usual one. Raises ValueError for values that make none."""
    if unknown := stored.keys() - _RETRY_KEYS:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    waits = {key: _not_negative(key, stored[key]) for key in _WAIT_KEYS if key in stored}
    return RetryPolicy(
        max_retries=int(_not_negative("max_attempts", stored.get("max_attempts", usual.max_retries))),
        delays_s=() if waits or "backoff_strategy" in stored else usual.delays_s,
        strategy=Strategy(stored.get("backoff_strategy", usual.strategy)),
        multiplier=waits.get("backoff_multiplier", usual.multiplier),
        initial_delay_s=waits.get("initial_delay_seconds", usual.initial_delay_s),
        max_delay_s=waits.get("max_delay_seconds", usual.max_delay_s),
        retry_on=frozenset(stored.get("retry_on_errors", ())),
        no_retry_on=frozenset(stored.get("no_retry_on_errors", ())),
    )


def _not_negative(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1_000_000:
        raise ValueError(f"{key} must be a number from 0 to 1,000,000")
    return float(value)


def transform_of(stored: Mapping[str, Any]) -> TransformOptions:
    upscale, upscale_to_4k = upscale_of(stored)
    return TransformOptions(
        upscale=upscale,
        upscale_to_4k=upscale_to_4k,
        quality=Quality(stored.get("quality", Quality.OPTIMIZED)),
        too_long=TooLong(stored.get("too_long", TooLong.TRIM)),
        fit=Fit(stored.get("fit", Fit.PAD)),
        layout=layout_of(stored.get("greenscreen")),
    )


def touch(tx: Tx, connection_id: int, now: datetime) -> None:
    tx.execute(update(connections).where(connections.c.id == connection_id).values(last_run_at=now))


def _escaped(words: str) -> str:
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
