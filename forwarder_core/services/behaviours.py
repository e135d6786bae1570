"""What accounts did of late and what they usually do, as the rules of anomalies take it.

The fact to know: a failure counts against the account in whose step it happened, so a drop is told of the end that
causes it, and a post that several connections share is one. Volume is that of connections that are switched on: what
somebody paused is silent because he wished it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from forwarder_core.db import analytics_rows, outcomes, proxies
from forwarder_core.db.analytics_rows import FailureDay, Named
from forwarder_core.db.engine import Tx
from forwarder_core.db.outcomes import Told
from forwarder_core.domain import anomalies as rule
from forwarder_core.domain import volumes
from forwarder_core.domain.analytics import Period
from forwarder_core.domain.anomalies import Outcome, Usual, Week
from forwarder_core.domain.connections import ConnectionStatus
from forwarder_core.domain.diagnoses import Run
from forwarder_core.domain.volumes import Rhythm, hour_of
from forwarder_core.services.context import Core

_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Recent:
    """What became of one post at one account, when, and by which exit."""

    at: datetime
    outcome: Outcome
    proxy: str | None


@dataclass(slots=True, eq=False)
class _Past:
    """What went through connections before: posts by weeks back, and by number of hour those of what is switched on."""

    posts: dict[int, int] = field(default_factory=dict)
    hours: dict[int, int] = field(default_factory=dict)

    def add(self, other: _Past) -> None:
        for mine, theirs in ((self.posts, other.posts), (self.hours, other.hours)):
            for key, n in theirs.items():
                mine[key] = mine.get(key, 0) + n


@dataclass(slots=True)
class _Before:
    """What an account did before. `past`: one for all accounts with the same connections, as the two ends of one are;
    `failed`: by weeks back what failed at its own end."""

    past: _Past
    failed: dict[int, dict[str, int]] = field(default_factory=dict)

    @property
    def weeks(self) -> list[Week]:
        return [Week(posts, self.failed.get(week, {})) for week, posts in sorted(self.past.posts.items())]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Of every account, by its id. `times`: number of the hour, as a fraction, of each job that ended of late;
    `accounts`: alias and platform; `proxies`: alias by id; `fed_by`: the sources that feed a destination."""

    now: datetime
    today: date
    hour: float
    recent: Mapping[int, Sequence[Recent]]
    usual: Mapping[int, Usual]
    times: Mapping[int, Sequence[float]]
    rhythms: Mapping[int, Rhythm]
    accounts: Mapping[int, tuple[str, str]]
    proxies: Mapping[str, str]
    fed_by: Mapping[int, frozenset[int]]
    told: Sequence[Told]

    @property
    def sources(self) -> set[int]:
        return {id_ for sources in self.fed_by.values() for id_ in sources}

    def told_at(self, about: str, kind: str) -> datetime | None:
        """When it was told last."""
        return max((one.at for one in self.told if (one.about, one.kind) == (about, kind)), default=None)

    def number(self, at: datetime) -> float:
        """The number of its hour."""
        return self.hour - (self.now - at).total_seconds() / 3_600


def gather(core: Core) -> Behaviour:
    now = core.clock.now()
    local = now.astimezone(core.settings.zone)
    today, hour = local.date(), hour_of(local.date()) + local.hour + local.minute / 60 + local.second / 3_600
    with core.begin() as tx:
        named = analytics_rows.named_connections(tx)
        before = _before(tx, named, today)
        recent = _recent(outcomes.ended(tx, now - rule.LOOKS_BACK, now + timedelta(seconds=1)))
        ended = outcomes.endings(tx, now - rule.LOOKS_BACK, now + timedelta(seconds=1))
        accounts = analytics_rows.named_accounts(tx)
        aliases = {str(id_): one.alias for id_, one in proxies.known(tx).items()}
        told = outcomes.told(tx, now - rule.LOOKS_BACK)
    rhythms = {past: volumes.rhythm(hour_of(today), past.hours) for past in {one.past for one in before.values()}}
    found = {id_: rhythms[one.past] for id_, one in before.items()}
    return Behaviour(
        now=now,
        today=today,
        hour=hour,
        recent=recent,
        usual={id_: Usual(one.weeks) for id_, one in before.items()},
        times=_times(ended, named, now, hour),
        rhythms={id_: one for id_, one in found.items() if one is not None},
        accounts={id_: (alias, platform) for id_, (alias, platform, _) in accounts.items()},
        proxies=aliases,
        fed_by=_fed_by(named.values()),
        told=told,
    )


def _times(
    ended: Iterable[tuple[datetime, int]], named: Mapping[int, Named], now: datetime, hour: float
) -> dict[int, list[float]]:
    times: dict[int, list[float]] = {}
    for at, connection in ended:
        if _is_on(named[connection]):
            for id_ in _ends(named[connection]):
                times.setdefault(id_, []).append(hour - (now - at).total_seconds() / 3_600)
    return times


def _ends(named: Named) -> set[int]:
    return {named.source_account_id, named.destination_account_id}


def _is_on(named: Named) -> bool:
    return not named.is_deleted and named.status == ConnectionStatus.ACTIVE


def _fed_by(named: Iterable[Named]) -> dict[int, frozenset[int]]:
    fed: dict[int, set[int]] = {}
    for one in named:
        fed.setdefault(one.destination_account_id, set()).add(one.source_account_id)
    return {id_: frozenset(sources) for id_, sources in fed.items()}


def _recent(runs: Iterable[Run]) -> dict[int, list[Recent]]:
    """What became of each post at each account, in order. A post that arrived anywhere did well at its source."""
    met: dict[int, dict[int, Recent]] = {}
    for run in runs:
        if not run.is_last:
            continue
        for account, is_blamed in ((run.source_id, bool(run.is_fetch)), (run.destination_id, not run.is_fetch)):
            of_posts = met.setdefault(account, {})
            known = of_posts.get(run.post_id)
            is_well = run.code is None or not is_blamed or (known is not None and known.outcome.code is None)
            of_posts[run.post_id] = Recent(run.at, Outcome(None if is_well else run.code, account), run.proxy)
    return {account: sorted(of_posts.values(), key=lambda one: one.at) for account, of_posts in met.items()}


def _before(tx: Tx, named: Mapping[int, Named], today: date) -> dict[int, _Before]:
    span = Period(today - timedelta(weeks=rule.WEEKS), today - _A_DAY)
    known = _by_account(_by_connection(analytics_rows.busy_hours(tx, span), named, today), named)
    for failed in analytics_rows.failure_days(tx, span):
        if failed.jobs:
            connection = named[failed.connection_id]
            id_ = connection.source_account_id if failed.side == "source" else connection.destination_account_id
            _blame(known[id_], failed, today)
    return known


def _by_connection(
    days: Iterable[tuple[int, date, Mapping[int, int]]], named: Mapping[int, Named], today: date
) -> dict[int, _Past]:
    pasts: dict[int, _Past] = {}
    for connection, day, hours in days:
        past, back = pasts.setdefault(connection, _Past()), (today - day - _A_DAY).days // 7
        past.posts[back] = past.posts.get(back, 0) + sum(hours.values())
        if _is_on(named[connection]):
            first = hour_of(day)
            past.hours.update({first + hour: n for hour, n in hours.items()})
    return pasts


def _by_account(pasts: Mapping[int, _Past], named: Mapping[int, Named]) -> dict[int, _Before]:
    of: dict[int, list[int]] = {}
    for connection in pasts:
        for id_ in _ends(named[connection]):
            of.setdefault(id_, []).append(connection)
    together = {tuple(ones): _sum([pasts[one] for one in ones]) for ones in of.values()}
    return {id_: _Before(together[tuple(ones)]) for id_, ones in of.items()}


def _sum(pasts: Sequence[_Past]) -> _Past:
    whole = _Past()
    for past in pasts:
        whole.add(past)
    return whole


def _blame(account: _Before, failed: FailureDay, today: date) -> None:
    causes = account.failed.setdefault((today - failed.day - _A_DAY).days // 7, {})
    causes[failed.code] = causes.get(failed.code, 0) + failed.jobs
