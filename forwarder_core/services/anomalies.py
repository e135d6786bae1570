"""Days unlike the others: per account, a sudden drop of success or of volume, told once a day with what the log says.

The rule is `domain.anomalies`; it looks at the hours of today that are over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from forwarder_core.db import accounts, analytics_rows, events
from forwarder_core.db.analytics_rows import ConnectionDay, Named
from forwarder_core.db.engine import Tx
from forwarder_core.domain import anomalies as rule
from forwarder_core.domain.analytics import Period, bounds
from forwarder_core.domain.anomalies import Anomaly, Kind
from forwarder_core.services import alerting, analytics_days
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core

_MOST_LOGS = 5
_LEVELS = ("critical", "error", "warning")
_WHAT = {Kind.SUCCESS_DROP: "Success fell", Kind.VOLUME_DROP: "Far fewer posts than usual"}


@dataclass(frozen=True, slots=True)
class Found:
    account_id: int
    alias: str
    day: date
    anomaly: Anomaly


def find(core: Core, day: date | None = None) -> list[Found]:
    """Of every account; of today up to the last full hour unless a day is given."""
    analytics_days.refresh_due(core)
    now = core.clock.now().astimezone(core.settings.zone)
    day, until = (day, 24) if day else (now.date(), now.hour)
    with core.begin() as tx:
        days = analytics_rows.connection_days(tx, Period(day - timedelta(weeks=rule.WEEKS), day))
        named = analytics_rows.named_connections(tx)
        aliases = analytics_rows.named_accounts(tx)
    return [
        Found(account_id, aliases[account_id][0], day, anomaly)
        for account_id, by_day in sorted(_by_account(days, named).items())
        for anomaly in rule.look(day, until, by_day)
    ]


def tell(core: Core) -> list[Found]:
    """Write an alert for each; a kind is told of an account once a day."""
    found = find(core)
    now = core.clock.now()
    for one in found:
        with core.begin() as tx:
            account = accounts.get(tx, one.account_id)
            if account is None:
                continue
            unit = " %" if one.anomaly.kind is Kind.SUCCESS_DROP else " jobs"
            alerting.about_account(
                tx,
                AlertKind.ANOMALY,
                account,
                now=now,
                once=f"{one.anomaly.kind}:{one.day}",
                code=one.anomaly.kind.value,
                error=f"{_WHAT[one.anomaly.kind]}: {one.anomaly.value:g}{unit}, usually {one.anomaly.usual:g}{unit}.",
                action="Look at the log lines of today and at the account's sign-in and proxy.",
                what=_WHAT[one.anomaly.kind],
                value=f"{one.anomaly.value:g}{unit}",
                usual=f"{one.anomaly.usual:g}{unit}",
                logs=_logs(tx, one.account_id, bounds(one.day, one.day, core.settings.zone)[0]),
            )
    return found


def _logs(tx: Tx, account_id: int, since: datetime) -> list[str]:
    """The gravest lines about the account since then."""
    lines: list[str] = []
    for level in _LEVELS:
        found = events.logs(tx, before_id=2**62, limit=_MOST_LOGS, account_id=account_id, level=level, since=since)
        lines += [str(row["text"])[:200] for row in found]
    return lines[:_MOST_LOGS]


def _by_account(
    days: list[ConnectionDay], named: dict[int, Named]
) -> dict[int, dict[date, dict[int, tuple[int, int]]]]:
    """Hours of each day of each account, of all its connections together."""
    summed: dict[int, dict[date, dict[int, tuple[int, int]]]] = {}
    for one in days:
        connection = named[one.connection_id]
        for account_id in {connection.source_account_id, connection.destination_account_id}:
            hours = summed.setdefault(account_id, {}).setdefault(one.day, {})
            for hour, (good, bad) in one.hours.items():
                before = hours.get(hour, (0, 0))
                hours[hour] = (before[0] + good, before[1] + bad)
    return summed
