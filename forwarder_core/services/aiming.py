"""Aiming: giving a connection another destination.

The fact to know: what waited was meant for the old destination and goes nowhere by itself any more. While a job runs,
or nobody knows yet whether its post is live, the change is refused: that post is published once, and shown so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from forwarder_core.db import accounts, connections, jobs, publications
from forwarder_core.db.engine import Tx
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.jobs import RE_AIMED, JobStatus
from forwarder_core.errors import Conflict
from forwarder_core.services import proxy_rules
from forwarder_core.services.connections import NewConnection, check_ends

_WAITING = (JobStatus.QUEUED, JobStatus.RETRY_WAIT, JobStatus.PAUSED, JobStatus.CAPTCHA)
_MANY = 100_000
_NEWEST = 2**62


def aim(tx: Tx, known: Connection, destination_id: int, values: Mapping[str, Any], now: datetime) -> None:
    """Lead the connection to this account from now on. `values`: what else is changed with it, its proxies above all.

    Raises Invalid for an account that cannot be its destination, Conflict while a job is on its way to the old one.
    """
    if destination_id == known.destination_account_id:
        return
    source, destination = accounts.get(tx, known.source_account_id), accounts.get(tx, destination_id)
    ends = NewConnection(
        name=known.name, source_account_id=known.source_account_id, destination_account_id=destination_id
    )
    kind = check_ends(ends, source, destination)
    if source is not None and destination is not None:
        proxies = (values.get("proxy_id", known.proxy_id), values.get("proxy_policy", known.proxy_policy))
        proxy_rules.check_new_connection(tx, source, destination, *proxies)
    connections.change(tx, known.id, {"destination_account_id": destination_id, "type": kind})
    _let_go(tx, known, now)


def _let_go(tx: Tx, known: Connection, now: datetime) -> None:
    """In this order: a claim that comes in between waits for the row, and then finds it cancelled."""
    waiting = [job.id for job in _jobs(tx, known, *_WAITING)]
    unclear = publications.unclear_among(tx, waiting)
    idle = [job for job in waiting if job not in unclear]
    jobs.move(tx, idle, JobStatus.CANCELLED, now=now, failure=RE_AIMED, wait_reason=None, next_attempt_at=None)
    if unclear or _jobs(tx, known, JobStatus.RUNNING, JobStatus.UNCONFIRMED):
        raise Conflict(
            f"A post of “{known.name}” is on its way to its present destination, or may be live there.",
            action="Pause the connection and wait until its jobs have ended; answer those that are unconfirmed.",
        )
    publications.abandon_unsent(tx, known.id)


def _jobs(tx: Tx, known: Connection, *status: JobStatus) -> list[Any]:
    return jobs.page(tx, before_id=_NEWEST, limit=_MANY, connection_id=known.id, status=status)
