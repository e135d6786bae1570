"""Alerts: what is worth a message goes into the outbox, in the transaction of the event that causes it.

Sending is `notifying`'s work, the words are `forwarder_core.alerts`'. The dedupe key makes an alert once, whoever
reports the event twice; the cause decides which alerts may share a digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from forwarder_core.alerts.kinds import AlertKind as AlertKind
from forwarder_core.alerts.kinds import is_wanted, rule_of
from forwarder_core.db import accounts, attempts, connections, events, jobs, outbox
from forwarder_core.db.engine import Tx
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.jobs import Errand, Failure, Step
from forwarder_core.errors import failure_classes
from forwarder_core.logs import redact
from forwarder_core.services import retry_policies, roads

KINDS_SETTING = "telegram.kinds"  # what the admin switched on or off, by kind
_CAPTION_CHARS = 200
_MOST_CONNECTIONS = 51


def about_job(
    tx: Tx,
    kind: AlertKind,
    errand: Errand,
    *,
    now: datetime,
    failure: Failure | None = None,
    once: str = "",
    **facts: Any,
) -> None:
    """An alert in the thread of a job; at most one of a kind per attempt, or per value of `once` in it.

    A kind that is off by default writes nothing unless the admin switched it on: every success would be a row.
    """
    if not (rule_of(kind).is_on or is_wanted(kind, wanted_kinds(tx)) or roads.is_asked_for(tx, kind)):
        return
    job = errand.job
    blamed = errand.source if job.step is Step.FETCH else errand.destination
    payload = {
        "job_id": job.id,
        "connection_id": job.connection_id,
        **_ends(errand),
        "platform": blamed.platform,
        "account": blamed.alias,
        "account_id": blamed.id,
        "source_post": errand.platform_post_id,
        "source_url": errand.source_url,
        "caption": errand.caption[:_CAPTION_CHARS],
        "code": failure.code if failure else None,
        "error": redact(failure.message) if failure else None,
        "action": failure.action if failure else None,
        "at": now.isoformat(),
        **facts,
    }
    if failure:
        payload["retries"] = retry_policies.retries_of(tx, job.connection_id, failure.code)
        payload["burns_retry"] = facts.get("retry", 0) > job.retries_used
    elif kind is AlertKind.JOB_RECOVERED:
        payload |= _way_there(tx, job.id)
    key = f"{kind}:{job.id}:{job.attempts}" + (f":{once}" if once else "")
    _post(tx, kind, key, f"job:{job.id}", payload, now)


def about_account(
    tx: Tx,
    kind: AlertKind,
    account: Account,
    *,
    now: datetime,
    once: str,
    code: str,
    error: str,
    action: str,
    **facts: Any,
) -> None:
    """An alert in the thread of an account; at most one of a kind for each value of `once`."""
    payload = {
        "account": account.alias,
        "account_id": account.id,
        "platform": account.platform,
        **_concerned(tx, account, is_challenge=kind is AlertKind.CAPTCHA),
        "code": code,
        "error": redact(error),
        "action": action,
        "at": now.isoformat(),
        **facts,
    }
    named = account.alerts.get("channels")
    channels = [str(channel) for channel in named] if isinstance(named, list) else []
    _post(tx, kind, f"{kind}:account:{account.id}:{once}", f"account:{account.id}", payload, now, channels)


def about_connection(
    tx: Tx, kind: AlertKind, errand: Errand, *, now: datetime, once: str, code: str, error: str, action: str
) -> None:
    """An alert in the thread of a connection, on the occasion of one of its jobs; one of a kind for each `once`."""
    connection_id = errand.job.connection_id
    said = {"connection_id": connection_id, "code": code, "error": redact(error), "action": action}
    payload = {**said, **_ends(errand), "platform": errand.destination.platform, "at": now.isoformat()}
    _post(tx, kind, f"{kind}:connection:{connection_id}:{once}", f"connection:{connection_id}", payload, now)


def about_proxy(
    tx: Tx, kind: AlertKind, *, proxy_id: int, alias: str, address: str, now: datetime, once: str, **facts: Any
) -> None:
    """An alert in the thread of a proxy.

    Facts: failures, last_success_at (ISO), error, connections (names, with what became of each), taken (sentences),
    latency_ms, was and exit (address and country), is_other_country.
    """
    payload = {"proxy_id": proxy_id, "proxy": alias, "address": address, "at": now.isoformat(), **facts}
    _post(tx, kind, f"{kind}:proxy:{proxy_id}:{once}", f"proxy:{proxy_id}", payload, now)


def about_system(tx: Tx, kind: AlertKind, *, now: datetime, once: str, thread: str | None = None, **facts: Any) -> None:
    """An alert about the installation: census, quota, disk, silence, threshold, summaries, heartbeat.

    `thread`: what it and its happy end share; its kind unless told otherwise.
    """
    _post(tx, kind, f"{kind}:{once}", thread or f"system:{kind}", {"at": now.isoformat(), **facts}, now)


def wanted_kinds(tx: Tx) -> dict[str, bool]:
    """What the admin said of each kind; nothing for those nobody touched."""
    said = events.setting_values(tx).get(KINDS_SETTING)
    return {str(kind): bool(on) for kind, on in said.items()} if isinstance(said, dict) else {}


def _post(
    tx: Tx,
    kind: AlertKind,
    key: str,
    thread: str,
    payload: Mapping[str, Any],
    now: datetime,
    channels: Sequence[str] = (),
) -> None:
    code = str(payload.get("code") or "")
    known = failure_classes().get(code)
    severity = known.severity if known and not rule_of(kind).resolves else rule_of(kind).severity
    cause = f"{kind}:{code}:{payload.get('platform') or ''}"
    posted = outbox.post(
        tx,
        dedupe_key=key,
        kind=kind,
        thread=thread,
        payload=payload,
        now=now,
        cause=cause,
        severity=severity,
        is_muted=not roads.is_by_telegram(channels),
    )
    if posted is not None:
        roads.lead(tx, posted, kind, cause=cause, now=now, channels=channels)


def _ends(errand: Errand) -> dict[str, Any]:
    return {
        "connection": errand.connection_name,
        "source": _end(errand.source),
        "destination": _end(errand.destination),
    }


def _end(account: Account) -> dict[str, Any]:
    return {"alias": account.alias, "platform": account.platform, "id": account.id}


def _concerned(tx: Tx, account: Account, *, is_challenge: bool) -> dict[str, Any]:
    """The connections of an account in trouble, and the job that met its challenge where there is one."""
    waiting = jobs.waiting_for_challenge(tx, account.id) if is_challenge else []
    if waiting:
        errand = jobs.errand(tx, waiting[0])
        return {"job_id": errand.job.id, "connection_id": errand.job.connection_id, **_ends(errand)}
    using = connections.page(tx, after=0, limit=_MOST_CONNECTIONS, account_id=account.id)
    if len(using) == 1:
        ends = (accounts.get(tx, using[0].source_account_id), accounts.get(tx, using[0].destination_account_id))
        if ends[0] and ends[1]:
            return {"connection": using[0].name, "source": _end(ends[0]), "destination": _end(ends[1])}
    return {"connections": [connection.name for connection in using]}


def _way_there(tx: Tx, job_id: int) -> dict[str, Any]:
    """What the first failure was, and the proxy the job arrived by where others were tried before."""
    made = attempts.of_job(tx, job_id)
    facts: dict[str, Any] = {"first_error": next((one["error_message"] for one in made if one["error_message"]), None)}
    ways = [(one["proxy_id"], one["proxy_alias"]) for one in made if one["proxy_id"]]
    if len(set(ways)) > 1:
        facts["failover"] = ways[-1][1]
    return facts
