"""Alerts: what is worth a message goes into the outbox, in the transaction of the event that causes it.

Sending is somebody else's work (the keeper's). The dedupe key makes an alert once, whoever reports the event twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from forwarder_core.db import events
from forwarder_core.db.engine import Tx
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.jobs import Errand, Failure
from forwarder_core.logs import redact


class AlertKind(StrEnum):
    JOB_RETRYING = "job_retrying"
    JOB_DEAD = "job_dead"
    JOB_RECOVERED = "job_recovered"
    JOB_UNCONFIRMED = "job_unconfirmed"
    CAPTCHA = "captcha"
    ACCOUNT = "account"
    GAP = "gap"
    CENSUS = "census"


def about_job(
    tx: Tx, kind: AlertKind, errand: Errand, *, now: datetime, failure: Failure | None = None, **facts: Any
) -> None:
    """An alert in the thread of a job; at most one of a kind per attempt."""
    job = errand.job
    payload: Mapping[str, Any] = {
        "job_id": job.id,
        "connection_id": job.connection_id,
        "connection": errand.connection_name,
        "source": {"alias": errand.source.alias, "platform": errand.source.platform, "id": errand.source.id},
        "destination": {
            "alias": errand.destination.alias,
            "platform": errand.destination.platform,
            "id": errand.destination.id,
        },
        "code": failure.code if failure else None,
        "error": redact(failure.message) if failure else None,
        "action": failure.action if failure else None,
        "at": now.isoformat(),
        **facts,
    }
    events.post(
        tx,
        dedupe_key=f"{kind}:{job.id}:{job.attempts}",
        kind=kind,
        thread=f"job:{job.id}",
        payload=payload,
        now=now,
    )


def about_account(
    tx: Tx, kind: AlertKind, account: Account, *, now: datetime, once: str, code: str, error: str, action: str
) -> None:
    """An alert in the thread of an account; at most one of a kind for each value of `once`."""
    events.post(
        tx,
        dedupe_key=f"{kind}:account:{account.id}:{once}",
        kind=kind,
        thread=f"account:{account.id}",
        payload={
            "account": account.alias,
            "account_id": account.id,
            "platform": account.platform,
            "code": code,
            "error": redact(error),
            "action": action,
            "at": now.isoformat(),
        },
        now=now,
    )
