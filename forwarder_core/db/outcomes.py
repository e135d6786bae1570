"""How attempts ended, each with whom it went between and by which exit: what anomalies and diagnoses are told from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, case, func, select

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.accounts import accounts
from forwarder_core.db.tables.flow import attempts, connections, jobs
from forwarder_core.domain.diagnoses import Run

_ENDED = ("success", "failed", "lost")  # others were interrupted, or asked a person


def ended(tx: Tx, since: datetime, until: datetime) -> list[Run]:
    """Attempts that ended from `since` on and before `until`, in order."""
    query = _runs().where(attempts.c.ended_at >= since, attempts.c.ended_at < until)
    return [Run(**row._mapping) for row in tx.execute(query.order_by(attempts.c.ended_at, attempts.c.id))]


def _runs() -> Select[Any]:
    source, destination = accounts.alias("source"), accounts.alias("destination")
    failed = attempts.c.state != "success"
    return (
        select(
            attempts.c.ended_at.label("at"),
            jobs.c.id.label("job_id"),
            jobs.c.connection_id,
            jobs.c.root_post_id.label("post_id"),
            connections.c.source_account_id.label("source_id"),
            connections.c.destination_account_id.label("destination_id"),
            source.c.platform.label("source_platform"),
            destination.c.platform.label("destination_platform"),
            attempts.c.proxy,
            (attempts.c.step == "fetch_post").label("is_fetch"),
            case((failed, func.coalesce(attempts.c.error_code, "worker_died")), else_=None).label("code"),
            ((attempts.c.n == jobs.c.attempts) & jobs.c.status.in_(["success", "dead"])).label("is_last"),
        )
        .select_from(attempts)
        .join(jobs, jobs.c.id == attempts.c.job_id)
        .join(connections, connections.c.id == jobs.c.connection_id)
        .join(source, source.c.id == connections.c.source_account_id)
        .join(destination, destination.c.id == connections.c.destination_account_id)
        .where(jobs.c.workspace_id == WORKSPACE, attempts.c.state.in_(_ENDED))
    )
