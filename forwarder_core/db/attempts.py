"""Attempts in SQL: how each try at a job ended, and what it took."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Update, bindparam, select, update

from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.accounts import proxies
from forwarder_core.db.tables.flow import attempts, jobs
from forwarder_core.domain.jobs import Failure, JobStatus, Lease


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


def note(tx: Tx, lease: Lease, *, seconds: Mapping[str, float] | None = None, **values: Any) -> bool:
    """Add facts to the attempt: seconds per step, bytes, proxy. False = the job is another worker's by now."""
    said: dict[str, Any] = {f"to_{name}": value for name, value in values.items()}
    said |= {"to_seconds": dict(seconds)} if seconds else {}
    its = {"its_id": lease.attempt_id, "job": lease.job_id, "job_fence": lease.fence}
    return tx.execute(_note(tuple(said)), said | its).rowcount == 1


@cache
def _note(said: tuple[str, ...]) -> Update:
    """Built once for each set of facts; `said`: columns, as `to_` and their name."""
    columns = {name: attempts.c[name.removeprefix("to_")] for name in said}
    values: dict[Any, Any] = {column: bindparam(name, type_=column.type) for name, column in columns.items()}
    if attempts.c.seconds in values:
        values[attempts.c.seconds] = attempts.c.seconds.op("||")(values[attempts.c.seconds])
    is_held = (jobs.c.id == bindparam("job"), jobs.c.fence == bindparam("job_fence"))
    carried = select(jobs.c.id).where(*is_held, jobs.c.status == JobStatus.RUNNING).exists()
    return update(attempts).where(attempts.c.id == bindparam("its_id"), carried).values(values)


def of_job(tx: Tx, job_id: int) -> list[dict[str, Any]]:
    """By number; `proxy_alias`: what the proxy it went through is called today."""
    query = select(attempts, proxies.c.alias.label("proxy_alias"))
    query = query.outerjoin(proxies, proxies.c.id == attempts.c.proxy_id).where(attempts.c.job_id == job_id)
    return [dict(row) for row in tx.execute(query.order_by(attempts.c.n)).mappings()]
