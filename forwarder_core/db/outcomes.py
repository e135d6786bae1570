"""How attempts ended, each with whom it went between and by which exit: what anomalies and diagnoses are told from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Text, case, cast, func, select

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.accounts import accounts
from forwarder_core.db.tables.flow import attempts, connections, jobs
from forwarder_core.db.tables.system import outbox
from forwarder_core.domain.diagnoses import Run

_ENDED = ("success", "failed", "lost")  # others were interrupted, or asked a person


def ended(tx: Tx, since: datetime, until: datetime) -> list[Run]:
    """Attempts that ended from `since` on and before `until`, in order."""
    query = _runs().where(attempts.c.ended_at >= since, attempts.c.ended_at < until)
    return [Run(**row._mapping) for row in tx.execute(query.order_by(attempts.c.ended_at, attempts.c.id))]


def endings(tx: Tx, since: datetime, until: datetime) -> list[tuple[datetime, int]]:
    """When jobs ended from `since` on and before `until`, in order, each with its connection's id."""
    query = select(jobs.c.completed_at, jobs.c.connection_id).where(
        jobs.c.workspace_id == WORKSPACE,
        jobs.c.status.in_(["success", "dead"]),
        jobs.c.completed_at >= since,
        jobs.c.completed_at < until,
    )
    return [(at, connection) for at, connection in tx.execute(query.order_by(jobs.c.completed_at))]


@dataclass(frozen=True, slots=True)
class Told:
    """An anomaly that was told: what it was about, its kind, when, and the accounts concerned."""

    about: str
    kind: str
    at: datetime
    members: frozenset[int]


def told(tx: Tx, since: datetime) -> list[Told]:
    """In order."""
    query = select(outbox.c.payload, outbox.c.created_at).where(
        outbox.c.workspace_id == WORKSPACE, outbox.c.kind == "anomaly", outbox.c.created_at >= since
    )
    found = ((row.payload, row.created_at) for row in tx.execute(query.order_by(outbox.c.created_at)))
    return [
        Told(said["about"], said["code"], at, frozenset(said.get("members", ())))
        for said, at in found
        if "about" in said
    ]


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
            func.coalesce(cast(attempts.c.proxy_id, Text), attempts.c.proxy).label("proxy"),
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
