"""Accounts out of their ordinary: a sudden drop of success or of volume, told once a day with what the log says.

The rules are `domain.anomalies`; they are asked every 15 minutes. The fact to know: a failure counts against the
account in whose step it happened, so a drop is told of the end that causes it, and a post that several connections
share is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from forwarder_core.db import accounts, analytics_rows, events, outcomes
from forwarder_core.db.analytics_rows import ConnectionDay, FailureDay, Named
from forwarder_core.db.engine import Tx
from forwarder_core.domain import anomalies as rule
from forwarder_core.domain.analytics import Period, bounds
from forwarder_core.domain.anomalies import Anomaly, Kind, Outcome, Week
from forwarder_core.domain.diagnoses import Run
from forwarder_core.services import alerting, analytics_days, analytics_tables, diagnosing
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core

_MOST_LOGS = 5
_LEVELS = ("critical", "error", "warning")
_WHAT = {Kind.SUCCESS_DROP: "Success fell", Kind.VOLUME_DROP: "Far fewer posts than usual"}
_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Found:
    account_id: int
    alias: str
    day: date
    anomaly: Anomaly


@dataclass(slots=True)
class _Usual:
    """What an account did before: posts by number of hour, and by weeks back what failed at its end."""

    hours: dict[int, int] = field(default_factory=dict)
    posts: dict[int, int] = field(default_factory=dict)
    failed: dict[int, dict[str, int]] = field(default_factory=dict)

    @property
    def weeks(self) -> list[Week]:
        return [Week(posts, self.failed.get(week, {})) for week, posts in sorted(self.posts.items())]


def find(core: Core) -> list[Found]:
    """Of every account, as of now."""
    analytics_days.refresh_due(core)
    now = core.clock.now()
    local = now.astimezone(core.settings.zone)
    today = local.date()
    with core.begin() as tx:
        span = Period(today - timedelta(weeks=rule.WEEKS), today)
        days, failed = analytics_rows.connection_days(tx, span), analytics_rows.failure_days(tx, span)
        named = analytics_rows.named_connections(tx)
        aliases = analytics_rows.named_accounts(tx)
        recent = _recent(outcomes.ended(tx, now - rule.LOOKS_BACK, now + timedelta(seconds=1)))
    usual = _usual(days, failed, named, today)
    drops = {id_: rule.success(recent.get(id_, []), known.weeks) for id_, known in usual.items()}
    volumes: dict[int, Anomaly | None] = {}
    # For half a day after clocks changed, the hours of today are not those of the weeks before.
    if local.utcoffset() == (now - _A_DAY / 2).astimezone(core.settings.zone).utcoffset():
        hour = rule.hour_of(today, local.hour)
        volumes = _sources_first({id_: rule.volume(hour, known.hours) for id_, known in usual.items()}, named)
    found = [(id_, one) for each in (drops, volumes) for id_, one in each.items() if one is not None]
    return [Found(id_, aliases[id_][0], today, one) for id_, one in sorted(found, key=lambda pair: pair[0])]


def tell(core: Core) -> list[Found]:
    """Write an alert for each; a kind is told of an account once a day."""
    found = find(core)
    now = core.clock.now()
    suspicion = diagnosing.recent(core).words if any(f.anomaly.kind is Kind.SUCCESS_DROP for f in found) else ""
    for one in found:
        with core.begin() as tx:
            account = accounts.get(tx, one.account_id)
            if account is None:
                continue
            value, usual = _words(one.anomaly)
            alerting.about_account(
                tx,
                AlertKind.ANOMALY,
                account,
                now=now,
                once=f"{one.anomaly.kind}:{one.day}",
                code=one.anomaly.kind.value,
                error=f"{_WHAT[one.anomaly.kind]}: {value}, usually {usual}. {_rarity(one.anomaly)}".strip(),
                action=_action(one.anomaly, suspicion),
                what=_WHAT[one.anomaly.kind],
                value=value,
                usual=usual,
                logs=_logs(tx, one.account_id, bounds(one.day, one.day, core.settings.zone)[0]),
            )
    return found


def _words(anomaly: Anomaly) -> tuple[str, str]:
    if anomaly.kind is Kind.VOLUME_DROP:
        span = f" jobs in {anomaly.hours} h"
        return f"{anomaly.value:g}{span}", f"{anomaly.usual:g}{span}"
    return f"{anomaly.value:g} % of the last {anomaly.posts}", f"{anomaly.usual:g} %"


def _rarity(anomaly: Anomaly) -> str:
    cause = f"All of one cause: {analytics_tables.title(anomaly.code)}. " if anomaly.code else ""
    return f"{cause}By chance once in {max(1, round(1 / max(anomaly.chance, 1e-12))):,} looks."


def _action(anomaly: Anomaly, suspicion: str) -> str:
    if anomaly.kind is Kind.VOLUME_DROP:
        return (
            "Does the account still post, and is it still read? Look at its sign-in, proxy and the log lines of today."
        )
    return f"Look at the log lines of today and at the account's sign-in and proxy. {suspicion}".strip()


def _logs(tx: Tx, account_id: int, since: datetime) -> list[str]:
    """The gravest lines about the account since then."""
    lines: list[str] = []
    for level in _LEVELS:
        found = events.logs(tx, before_id=2**62, limit=_MOST_LOGS, account_id=account_id, level=level, since=since)
        lines += [str(row["text"])[:200] for row in found]
    return lines[:_MOST_LOGS]


def _recent(runs: Iterable[Run]) -> dict[int, list[Outcome]]:
    """What became of each post at each account, in order. A post that arrived anywhere did well at its source."""
    met: dict[int, dict[int, str | None]] = {}
    for run in runs:
        if not run.is_last:
            continue
        for account, is_blamed in ((run.source_id, bool(run.is_fetch)), (run.destination_id, not run.is_fetch)):
            of_posts = met.setdefault(account, {})
            is_well = run.code is None or not is_blamed or (run.post_id in of_posts and of_posts[run.post_id] is None)
            of_posts[run.post_id] = None if is_well else run.code
    return {account: [Outcome(code) for code in of_posts.values()] for account, of_posts in met.items()}


def _usual(
    days: Sequence[ConnectionDay], failed: Sequence[FailureDay], named: Mapping[int, Named], today: date
) -> dict[int, _Usual]:
    known: dict[int, _Usual] = {}
    for one in days:
        for id_ in {named[one.connection_id].source_account_id, named[one.connection_id].destination_account_id}:
            account = known.setdefault(id_, _Usual())
            for hour, (good, bad) in one.hours.items():
                number = rule.hour_of(one.day, hour)
                account.hours[number] = account.hours.get(number, 0) + good + bad
            if one.day < today:
                back = (today - one.day - _A_DAY).days // 7
                account.posts[back] = account.posts.get(back, 0) + one.tally.total
    for bad_day in failed:
        if bad_day.day < today and bad_day.jobs:
            connection = named[bad_day.connection_id]
            is_fetch = bad_day.side == "source"
            account = known[connection.source_account_id if is_fetch else connection.destination_account_id]
            causes = account.failed.setdefault((today - bad_day.day - _A_DAY).days // 7, {})
            causes[bad_day.code] = causes.get(bad_day.code, 0) + bad_day.jobs
    return known


def _sources_first(volumes: Mapping[int, Anomaly | None], named: Mapping[int, Named]) -> dict[int, Anomaly | None]:
    """A destination that gets less because its source gives less is not told of."""
    quiet = {id_ for id_, one in volumes.items() if one is not None}
    fed = {c.destination_account_id for c in named.values() if c.source_account_id in quiet}
    return {id_: None if id_ in fed else one for id_, one in volumes.items()}
