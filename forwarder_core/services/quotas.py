"""Quotas: what each destination account and each shared allowance has used today, what jobs under way have reserved,
and when it starts anew.

Counted in the ledger, corrected by answers: a platform's own figure is believed, and its refusal closes the scope until
the time it names. The fact to know: a day is the calendar day of whose counter it is: Google's in California, an
account's in the installation's own time zone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from forwarder_core.connectors import registry
from forwarder_core.connectors.metering import Metered, SharedQuota
from forwarder_core.db import accounts, pacing
from forwarder_core.db import quotas as ledger
from forwarder_core.db.engine import Tx
from forwarder_core.db.quotas import Day
from forwarder_core.domain import pace
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.incidents import Party
from forwarder_core.domain.jobs import Errand
from forwarder_core.domain.limits import Limits
from forwarder_core.domain.schedules import day_of, midnight_after
from forwarder_core.errors import DestinationDailyLimit, QuotaExhausted, StepFailed
from forwarder_core.services import limits
from forwarder_core.services.context import Core

_KEPT_DAYS = 35


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One counter. `usual`: its size by the limits in force; 0 = the platform has no such limit."""

    name: str
    title: str
    zone: str
    usual: int
    is_per_post: bool = True

    def day(self, now: datetime) -> date:
        return day_of(now, self.zone)

    def resets_at(self, now: datetime) -> datetime:
        return midnight_after(now, self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaView:
    """`limit`: the smallest of all that limit it; `closed_until`: refused by the platform itself before then."""

    scope: str
    title: str
    platform: str
    accounts: tuple[str, ...]
    day: date
    used: int
    reserved: int
    limit: int
    resets_at: datetime
    closed_until: datetime | None

    @property
    def is_used_up(self) -> bool:
        return self.closed_until is not None or self.used + self.reserved >= self.limit


def account_scope(core: Core, account_id: int, alias: str, known: Limits) -> Scope:
    name, title = f"account:{account_id}", f"Posts of {alias}"
    return Scope(name=name, title=title, zone=core.settings.timezone, usual=known.posts_per_day)


def shared_scopes(core: Core, platform: str, sealed: bytes | None, sizes: Mapping[str, int]) -> list[Scope]:
    """The allowances these credentials share with others."""
    if not registry.spec(platform).quotas:
        return []
    found = registry.shared_quotas(platform, core.vault.unseal(sealed))
    return [_shared(platform, quota, sizes) for quota in found if quota.name in sizes]


def _shared(platform: str, quota: SharedQuota, sizes: Mapping[str, int]) -> Scope:
    return Scope(
        name=f"{platform}:{quota.name}:{quota.key}",
        title=f"{registry.spec(platform).title} {quota.name} of project {quota.key}",
        zone=quota.zone,
        usual=sizes[quota.name],
        is_per_post=quota.is_per_post,
    )


# ---- what happens to a job's place ------------------------------------------------------------------------------


def session_opens(core: Core, tx: Tx, errand: Errand) -> None:
    """The next call asks a project for an upload: that is used, whatever comes of it."""
    now = core.clock.now()
    for scope in _shared_of(core, tx, errand.destination):
        if scope.is_per_post:
            ledger.use(tx, errand.job.id, scope.name, scope.day(now), now, each_time=True)


def post_goes_out(core: Core, tx: Tx, account_id: int, job_id: int) -> None:
    """The irreversible call is next: the account's day has one post more."""
    now = core.clock.now()
    ledger.use(tx, job_id, f"account:{account_id}", day_of(now, core.settings.timezone), now)


def post_refused(tx: Tx, account_id: int, job_id: int) -> None:
    """The destination said that it has not taken it."""
    ledger.give_back(tx, job_id, f"account:{account_id}")


def note_failure(core: Core, tx: Tx, failed: Errand, account: Account, error: StepFailed) -> None:
    """A platform that says “enough for today” is believed, for everybody who shares the allowance."""
    now = core.clock.now()
    if isinstance(error, QuotaExhausted):
        for scope in _shared_of(core, tx, account):
            until = _told_until(error, now) or scope.resets_at(now)
            ledger.tell(tx, scope.name, scope.day(now), full_until=until)
    elif isinstance(error, DestinationDailyLimit):
        until = _told_until(error, now) or now + timedelta(seconds=error.wait_s)
        day = day_of(now, core.settings.timezone)
        ledger.tell(tx, f"account:{account.id}", day, full_until=until)


def project_of(core: Core, tx: Tx, account: Account) -> Party | None:
    """The project whose allowances the account shares, where it shares any."""
    if not registry.spec(account.platform).quotas:
        return None
    shared = registry.shared_quotas(account.platform, core.vault.unseal(accounts.sealed_credentials(tx, account.id)))
    if not shared:
        return None
    key = shared[0].key
    return Party(f"{account.platform}:{key}", f"{registry.spec(account.platform).title} project {key}")


def _told_until(error: StepFailed, now: datetime) -> datetime | None:
    return None if error.retry_after_s is None else now + timedelta(seconds=error.retry_after_s)


@contextmanager
def counted(core: Core, account: Account, connector: object) -> Iterator[None]:
    """Write down what the calls within have cost, whether they succeed or not."""
    try:
        yield
    finally:
        note_cost(core, account, connector)


def note_cost(core: Core, account: Account, connector: object) -> None:
    """Write down what a connector's calls have cost, and what the platform told of the account's own posts."""
    if not isinstance(connector, Metered):
        return
    told = connector.meter()
    if not any(told.units.values()) and told.posts_used is None:
        return
    now = core.clock.now()
    with core.begin() as tx:
        for scope in _shared_of(core, tx, account):
            _, name, _ = scope.name.split(":", 2)
            if units := told.units.get(name):
                ledger.count_units(tx, scope.name, scope.day(now), units)
        if told.posts_used is not None:
            day = day_of(now, core.settings.timezone)
            said = {"told_used": told.posts_used, "cap": told.posts_total, "told_at": now}
            ledger.tell(tx, f"account:{account.id}", day, **said)


def _shared_of(core: Core, tx: Tx, account: Account) -> list[Scope]:
    sizes = limits.in_force(tx, account.platform).quotas
    return shared_scopes(core, account.platform, accounts.sealed_credentials(tx, account.id), sizes)


# ---- reading ----------------------------------------------------------------------------------------------------


def views(core: Core) -> list[QuotaView]:
    """Every counter that counts today: first what several accounts share, then each account's own."""
    now = core.clock.now()
    with core.begin() as tx:
        ends = pacing.destinations(tx)
        sources = [end for end in pacing.sources(tx) if registry.spec(end.platform).quotas]
        known = {platform: limits.in_force(tx, platform) for platform in {end.platform for end in [*ends, *sources]}}
        shared: dict[str, tuple[Scope, str, list[str]]] = {}
        own: dict[str, tuple[Scope, str, list[str]]] = {}
        for end in ends:
            for scope in shared_scopes(core, end.platform, end.sealed, known[end.platform].quotas):
                shared.setdefault(scope.name, (scope, end.platform, []))[2].append(end.alias)
            scope = account_scope(core, end.id, end.alias, known[end.platform])
            most = pace.read(end.pace).most_on(scope.day(now), scope.usual)
            own[scope.name] = (replace(scope, usual=most), end.platform, [end.alias])
        for end in sources:  # to look at one costs too
            for scope in shared_scopes(core, end.platform, end.sealed, known[end.platform].quotas):
                users = shared.setdefault(scope.name, (scope, end.platform, []))[2]
                users += [end.alias] if end.alias not in users else []
        every = [*shared.values(), *own.values()]
        days, closed = ledger.days(tx, days_around(now), now)
    return [_view(scope, platform, aliases, days, closed, now) for scope, platform, aliases in every]


def days_around(now: datetime) -> set[date]:
    """The calendar days it is anywhere."""
    return {(now + timedelta(days=days)).date() for days in (-1, 0, 1)}


def cap_of(scope: Scope, day: Day) -> int:
    """The platform's own figure where it told one, within what the limits in force allow."""
    return scope.usual if day.cap is None else min(scope.usual, day.cap)


def _view(
    scope: Scope,
    platform: str,
    aliases: list[str],
    days: Mapping[tuple[str, date], Day],
    closed: Mapping[str, datetime],
    now: datetime,
) -> QuotaView:
    day = days.get((scope.name, scope.day(now))) or Day(scope=scope.name, day=scope.day(now))
    return QuotaView(
        scope=scope.name,
        title=scope.title,
        platform=platform,
        accounts=tuple(sorted(aliases)),
        day=day.day,
        used=day.used,
        reserved=day.reserved,
        limit=cap_of(scope, day),
        resets_at=scope.resets_at(now),
        closed_until=closed.get(scope.name),
    )


def forget(tx: Tx, now: datetime) -> int:
    """Drop what is counted of days long gone."""
    return ledger.forget(tx, (now - timedelta(days=_KEPT_DAYS)).date())
