"""The daily and the weekly summary: what was forwarded, what failed and why, and whose credentials end soon.

Asked for every hour by a schedule; each is written once for its day or week, from the hour the admin wishes on, so that
an installation that slept through that hour still sends it. Routine token refreshes are one line here and no message.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from forwarder_core.db import jobs, measures
from forwarder_core.db.engine import Tx
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.errors import failure_classes
from forwarder_core.services import accounts, alerting, tunables
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core

_MOST_NAMED = 8
_MONDAY = 0
_EXPIRES_SOON = timedelta(days=7)


def post_due(core: Core) -> list[AlertKind]:
    """Write the summaries whose hour has come; which those were asked for today (each is stored once)."""
    now = core.clock.now()
    local = now.astimezone(core.settings.zone)
    asked = []
    expiring = _expiring(core, now)
    with core.begin() as tx:
        if local.hour < tunables.read(tx).count("alerts.summary_hour"):
            return []
        _post(tx, AlertKind.DAILY_SUMMARY, now, local, timedelta(days=1), expiring)
        asked.append(AlertKind.DAILY_SUMMARY)
        if local.weekday() == _MONDAY:
            _post(tx, AlertKind.WEEKLY_SUMMARY, now, local, timedelta(days=7), expiring)
            asked.append(AlertKind.WEEKLY_SUMMARY)
    return asked


def _post(tx: Tx, kind: AlertKind, now: datetime, local: datetime, span: timedelta, expiring: list[str]) -> None:
    since = now - span
    facts = {**_counted(tx, since), "expiring": expiring}
    facts["period"] = f"{local - span:%Y-%m-%d %H:%M} to {local:%Y-%m-%d %H:%M %Z}"
    alerting.about_system(tx, kind, now=now, once=f"{local:%Y-%m-%d}", **facts)


def _counted(tx: Tx, since: datetime) -> dict[str, Any]:
    ended, waiting = measures.ended(tx, since), jobs.count_by_status(tx)
    good, bad = ended.get(JobStatus.SUCCESS, 0), ended.get(JobStatus.DEAD, 0)
    rate = {"success_rate": round(100 * good / (good + bad), 1)} if good + bad else {}
    return {
        **rate,
        "forwarded": good + bad,
        "succeeded": good,
        "failed": bad,
        "waiting": sum(n for status, n in waiting.items() if not JobStatus(status).is_terminal),
        "filtered": measures.filtered(tx, since),
        "tokens_refreshed": measures.refreshed(tx, since),
        "accounts": [_account_line(one) for one in measures.by_account(tx, since)[:_MOST_NAMED]],
        "errors": [f"{_title(code)}: {n}" for code, n in measures.top_errors(tx, since, _MOST_NAMED)],
    }


def _account_line(one: measures.Tally) -> str:
    return f"{one.name}: {one.succeeded} of {one.succeeded + one.failed} ({one.rate:.0f} %)"


def _title(code: str) -> str:
    known = failure_classes().get(code)
    return known.title if known else code.replace("_", " ")


def _expiring(core: Core, now: datetime) -> list[str]:
    """Accounts whose credentials a person must renew within a week."""
    every = accounts.page(core, limit=10_000)
    soon = [one for one in every if one.token_expiry is not None and now < one.token_expiry <= now + _EXPIRES_SOON]
    return [_expiry_line(core, one) for one in sorted(soon, key=lambda one: one.token_expiry or now)[:_MOST_NAMED]]


def _expiry_line(core: Core, account: Account) -> str:
    at = account.token_expiry.astimezone(core.settings.zone) if account.token_expiry else None
    return f"{account.alias}: {at:%Y-%m-%d %H:%M %Z}"
