"""Attempts in SQL: how each try at a job ended, and what it took."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import literal, select, update

from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.accounts import proxies
from forwarder_core.db.tables.flow import attempts, jobs
from forwarder_core.domain.jobs import Failure, Lease


def end(tx: Tx, attempt_id: int, state: str, now: datetime, failure: Failure | None = None) -> None:
    tx.execute(
        update(attempts)
        .where(attempts.c.id == attempt_id, attempts.c.ended_at.is_(None))
        .values(
            state=state,
            ended_at=now,
            step=select(jobs.c.step).where(jobs.c.id == attempts.c.job_id).scalar_subquery(),
            error_code=failure.code if failure else None,
            error_message=failure.message if failure else None,
        )
    )


def began(tx: Tx, attempt_id: int) -> datetime:
    at: datetime = tx.execute(select(attempts.c.started_at).where(attempts.c.id == attempt_id)).scalar_one()
    return at


def note(tx: Tx, lease: Lease, *, seconds: Mapping[str, float] | None = None, **values: Any) -> None:
    """Add facts to the attempt: seconds per step, bytes, proxy."""
    if seconds:
        values["seconds"] = attempts.c.seconds.op("||")(literal(dict(seconds), attempts.c.seconds.type))
    tx.execute(update(attempts).where(attempts.c.id == lease.attempt_id).values(**values))


def of_job(tx: Tx, job_id: int) -> list[dict[str, Any]]:
    """By number; `proxy_alias`: what the proxy it went through is called today."""
    query = select(attempts, proxies.c.alias.label("proxy_alias"))
    query = query.outerjoin(proxies, proxies.c.id == attempts.c.proxy_id).where(attempts.c.job_id == job_id)
    return [dict(row) for row in tx.execute(query.order_by(attempts.c.n)).mappings()]
