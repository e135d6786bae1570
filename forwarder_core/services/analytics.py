"""Analytics read: the whole, a connection, an account, the installation, each over a period of calendar days.

What the API, the screen, the exports and the reports show comes from here, so they say the same. docs/analytics.md
defines every figure; the formulas are `domain.analytics`.

The fact to know: a day that was never counted stands in no figure and among no `days`, never as one without posts; it
is among the `uncounted`, as is one that changed and was not counted again yet, which shows what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, tzinfo
from typing import Any, TypeVar

from forwarder_core.db import accounts as account_rows
from forwarder_core.db import analytics_rows as rows
from forwarder_core.db import happenings as happening_rows
from forwarder_core.db import proxies as proxy_rows
from forwarder_core.db.analytics_rows import AccountDay, ConnectionDay, FailureDay, Named, ProxyDay, SystemDay
from forwarder_core.domain import analytics as figures
from forwarder_core.domain import proxies as proxy_rules
from forwarder_core.domain.accounts import Account, AccountStatus
from forwarder_core.domain.analytics import Cause, Fix, Health, Period, Tally
from forwarder_core.domain.happenings import Happening
from forwarder_core.errors import FieldError, Invalid, NotFound
from forwarder_core.services import analytics_days
from forwarder_core.services.analytics_causes import ErrorLine, counted, errors_of, what_next
from forwarder_core.services.analytics_days import Counted
from forwarder_core.services.context import Core

PERIODS = ("weekly", "monthly", *figures.PRESETS)
MOST_ROLLUPS = 12
_MOST_DAYS = 3_660
Item = TypeVar("Item")
# Statuses in which an account's sign-in is not in order.
_SIGNED_OUT = (AccountStatus.TOKEN_EXPIRED, AccountStatus.REFRESH_FAILED, AccountStatus.REQUIRES_REAUTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayLine:
    """One calendar day, also one on which nothing was to do."""

    day: date
    tally: Tally

    @property
    def grade(self) -> figures.Grade:
        return figures.grade(self.tally)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLine:
    named: Named
    tally: Tally
    uptime: float | None
    days: tuple[DayLine, ...]
    causes: tuple[Cause, ...]
    peak: tuple[int, int] | None
    last_failed_at: datetime | None
    uncounted: tuple[date, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLine:
    """`tally`: of all jobs at either end; `as_source`, `as_destination`: jobs that ended with it there; `blamed`:
    failed attempts in its own step; `errors`: those, by day and cause. `health`: of no days but all of them."""

    id: int
    alias: str
    platform: str
    status: str
    tally: Tally
    as_source: int
    as_destination: int
    blamed: int
    uptime: float | None
    health: Health
    is_token_valid: bool
    token_expiry: datetime | None
    last_failed_at: datetime | None
    days: tuple[DayLine, ...]
    errors: tuple[ErrorLine, ...]
    uncounted: tuple[date, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How busy the workers were. `utilisation` in percent of the slot-seconds, `wait_s` from queued to started."""

    utilisation: float | None
    wait_s: float | None
    latency_p50_s: float | None
    latency_p95_s: float | None
    jobs_per_minute: float | None
    days: tuple[SystemDay, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyLine:
    """Checks of a proxy over the period; `average_ms` of those that succeeded. `health`: at present."""

    proxy_id: int
    alias: str
    health: proxy_rules.Health
    checks: int
    failed: int
    average_ms: int | None

    @property
    def error_rate(self) -> float | None:
        return figures.percent(self.failed, self.checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A period of the whole installation; `weeks`, `months`: the last ones as they were rolled up, newest first, but
    for those with a day that is to be counted. `zone`: whose days they are."""

    period: Period
    zone: tzinfo
    uncounted: tuple[date, ...]
    tally: Tally
    uptime: float | None
    days: tuple[DayLine, ...]
    causes: tuple[Cause, ...]
    connections: tuple[ConnectionLine, ...]
    accounts: tuple[AccountLine, ...]
    load: Load
    peak: tuple[int, int] | None
    by_hour: dict[int, int]
    proxies: tuple[ProxyDay, ...]
    by_proxy: tuple[ProxyLine, ...]
    dead_letters: tuple[dict[str, Any], ...]
    fixes: tuple[Fix, ...]
    happenings: tuple[Happening, ...]
    weeks: tuple[dict[str, Any], ...]
    months: tuple[dict[str, Any], ...]


def period(core: Core, name: str = "30days", first: date | None = None, last: date | None = None) -> Period:
    """A named one, or from `first` to `last`. Raises Invalid."""
    today = analytics_days.today(core)
    if first is None and last is None:
        if name not in PERIODS:
            raise Invalid("There is no such period.", FieldError("period", f"one of {', '.join(PERIODS)}"))
        return figures.period_of(name, today)
    last = last or today
    first = first or last
    if first > last:
        raise Invalid("The period ends before it begins.", FieldError("from", "must not be after `to`"))
    if (last - first).days >= _MOST_DAYS:
        raise Invalid("The period is too long.", FieldError("from", f"at most {_MOST_DAYS} days"))
    return Period(first, last)


def view(core: Core, chosen: Period) -> View:
    """Everything of the period in one reading."""
    so_far = analytics_days.count_for(core, chosen)
    now = core.clock.now()
    since, until = figures.bounds(chosen.first, chosen.last, core.settings.zone)
    with core.begin() as tx:
        of_connections = rows.connection_days(tx, chosen)
        of_accounts = rows.account_days(tx, chosen)
        failed = rows.failure_days(tx, chosen)
        named = rows.named_connections(tx)
        aliases = rows.named_accounts(tx)
        known = {one.id: one.token_expiry for one in account_rows.page(tx, after=0, limit=len(aliases))}
        expiries = {id_: known.get(id_) for id_ in aliases}
        proxies, system = rows.proxy_days(tx, chosen), rows.system_days(tx, chosen)
        every_proxy = proxy_rows.known(tx).values()
        latency = rows.latency(tx, since, until)
        dead = rows.open_dead_letters(tx)
        happened = happening_rows.between(tx, since, until)
        weeks, months = (so_far.whole(rows.rolled_up(tx, kind, MOST_ROLLUPS)) for kind in ("week", "month"))
    lines = day_lines(so_far.days, of_connections)
    tally = total(line.tally for line in lines)
    hours = by_hour(of_connections)
    return View(
        period=chosen,
        zone=core.settings.zone,
        uncounted=so_far.uncounted,
        tally=tally,
        uptime=figures.uptime(line.tally for line in lines),
        days=lines,
        causes=tuple(figures.ranked(counted(failed), tally)),
        connections=tuple(_connection_lines(so_far, of_connections, failed, named)),
        accounts=tuple(_account_lines(so_far, of_accounts, aliases, expiries, now, errors_of(failed, named))),
        load=_load(tally, system, latency, core, now),
        peak=figures.peak_hours(hours),
        by_hour=hours,
        proxies=tuple(proxies),
        by_proxy=tuple(_proxy_lines(every_proxy, proxies)),
        dead_letters=tuple(dead),
        fixes=tuple(what_next(of_connections, failed, named)),
        happenings=tuple(happened),
        weeks=tuple(weeks),
        months=tuple(months),
    )


def connection(core: Core, connection_id: int, chosen: Period) -> ConnectionLine:
    """Raises NotFound. A deleted connection keeps its figures."""
    so_far = analytics_days.count_for(core, chosen)
    with core.begin() as tx:
        named = rows.named_connections(tx).get(connection_id)
        if named is None:
            raise NotFound(f"There is no connection {connection_id}.")
        days = rows.connection_days(tx, chosen, connection_id)
        failed = rows.failure_days(tx, chosen, [connection_id])
    (line,) = _connection_lines(so_far, days, failed, {connection_id: named}, is_every=True)
    return line


def account(core: Core, account_id: int, chosen: Period) -> tuple[AccountLine, list[tuple[ConnectionLine, str]]]:
    """The account, and the connections that use it with the role it has in each. Raises NotFound."""
    seen = view(core, chosen)
    line = next((one for one in seen.accounts if one.id == account_id), None)
    if line is None:
        raise NotFound(f"There is no account {account_id}.")
    using = [
        (one, "source" if one.named.source_account_id == account_id else "destination")
        for one in seen.connections
        if account_id in (one.named.source_account_id, one.named.destination_account_id)
    ]
    return line, using


def health_of(core: Core, accounts: Sequence[Account]) -> dict[int, Health]:
    """By account, of the last 30 days, as its own page says it."""
    chosen = period(core)
    so_far = analytics_days.count_for(core, chosen)
    with core.begin() as tx:
        days = rows.account_days(tx, chosen, accounts[0].id if len(accounts) == 1 else None)
    named = {one.id: (one.alias, one.platform, one.status.value) for one in accounts}
    expiries = {one.id: one.token_expiry for one in accounts}
    return {line.id: line.health for line in _account_lines(so_far, days, named, expiries, core.clock.now(), {})}


def rollups(core: Core, kind: str, limit: int = MOST_ROLLUPS) -> list[dict[str, Any]]:
    """The last weeks or months (`week`, `month`), newest first, but for those with a day that is to be counted."""
    so_far = analytics_days.count_for(core, period(core))
    with core.begin() as tx:
        return so_far.whole(rows.rolled_up(tx, kind, limit))


# ---- lines from rows -----------------------------------------------------------------------------------------------


def total(tallies: Iterable[Tally]) -> Tally:
    every = list(tallies)
    if len(every) == 1:  # as is each day of each connection
        return every[0]
    return Tally(**{f.name: sum(getattr(one, f.name) for one in every) for f in fields(Tally)})


def day_lines(chosen: Iterable[date], days: Iterable[ConnectionDay | AccountDay]) -> tuple[DayLine, ...]:
    """Every day that was counted, whatever was on it."""
    found = _grouped(days, lambda one: one.day)
    return tuple(DayLine(day=day, tally=total(one.tally for one in found.get(day, []))) for day in chosen)


def by_hour(days: Iterable[ConnectionDay]) -> dict[int, int]:
    """Jobs that ended, by local hour."""
    counted = dict.fromkeys(range(24), 0)
    for day in days:
        for hour, (good, bad) in day.hours.items():
            counted[hour] += good + bad
    return counted


def _connection_lines(
    so_far: Counted,
    days: Sequence[ConnectionDay],
    failed: Sequence[FailureDay],
    named: dict[int, Named],
    *,
    is_every: bool = False,
) -> Iterable[ConnectionLine]:
    """Those that did anything, and those that still exist; a deleted one without a day is gone."""
    of_connection = _grouped(days, lambda one: one.connection_id)
    failures = _grouped(failed, lambda one: one.connection_id)
    for id_, name in sorted(named.items()):
        own = of_connection.get(id_, [])
        if name.is_deleted and not own and not is_every:
            continue
        lines = day_lines(so_far.days, own)
        tally = total(line.tally for line in lines)
        yield ConnectionLine(
            named=name,
            tally=tally,
            uptime=figures.uptime(line.tally for line in lines),
            days=lines,
            causes=tuple(figures.ranked(counted(failures.get(id_, [])), tally)),
            peak=figures.peak_hours(by_hour(own)),
            last_failed_at=_latest(own),
            uncounted=so_far.uncounted,
        )


def _account_lines(
    so_far: Counted,
    days: Sequence[AccountDay],
    aliases: dict[int, tuple[str, str, str]],
    expiries: dict[int, datetime | None],
    now: datetime,
    errors: Mapping[int, Sequence[ErrorLine]],
) -> Iterable[AccountLine]:
    of_account = _grouped(days, lambda one: one.account_id)
    for id_, (alias, platform, status) in sorted(aliases.items()):
        own, expiry = of_account.get(id_, []), expiries[id_]
        lines = day_lines(so_far.days, own)
        tally = total(line.tally for line in lines)
        up = figures.uptime(line.tally for line in lines)
        last = _latest(own)
        is_valid = status not in _SIGNED_OUT and (expiry is None or expiry > now)
        yield AccountLine(
            id=id_,
            alias=alias,
            platform=platform,
            status=status,
            tally=tally,
            as_source=sum(one.tally.total for one in own if one.role == "source"),
            as_destination=sum(one.tally.total for one in own if one.role == "destination"),
            blamed=sum(one.blamed for one in own),
            uptime=up,
            health=figures.health(
                success_rate=None if so_far.is_lacking else tally.success_rate,
                uptime_percent=None if so_far.is_lacking else up,
                is_token_valid=is_valid,
                since_failure=None if last is None else now - last,
            ),
            is_token_valid=is_valid,
            token_expiry=expiry,
            last_failed_at=last,
            days=lines,
            errors=tuple(errors.get(id_, ())),
            uncounted=so_far.uncounted,
        )


def _load(
    tally: Tally, system: Sequence[SystemDay], latency: tuple[float | None, float | None], core: Core, now: datetime
) -> Load:
    today = analytics_days.today(core)
    begun = (now - figures.bounds(today, today, core.settings.zone)[0]).total_seconds()
    elapsed = [(day.slots, begun if day.day == today else day.elapsed_s) for day in system]
    seconds = sum(span for _, span in elapsed)
    return Load(
        utilisation=figures.utilisation(tally.busy_s, elapsed),
        wait_s=tally.avg_wait_s,
        latency_p50_s=latency[0],
        latency_p95_s=latency[1],
        jobs_per_minute=round(60 * tally.total / seconds, 3) if seconds else None,
        days=tuple(system),
    )


def _proxy_lines(proxies: Iterable[proxy_rules.Proxy], days: Sequence[ProxyDay]) -> Iterable[ProxyLine]:
    of_proxy = _grouped(days, lambda one: one.proxy_id)
    for one in sorted(proxies, key=lambda proxy: proxy.alias):
        own = of_proxy.get(one.id, [])
        checks, failed = sum(day.checks for day in own), sum(day.failed for day in own)
        average = round(sum(day.latency_ms for day in own) / (checks - failed)) if checks > failed else None
        yield ProxyLine(
            proxy_id=one.id, alias=one.alias, health=one.health, checks=checks, failed=failed, average_ms=average
        )


def _latest(days: Iterable[ConnectionDay | AccountDay]) -> datetime | None:
    return max((one.last_failed_at for one in days if one.last_failed_at is not None), default=None)


def _grouped(items: Iterable[Item], key: Callable[[Item], Any]) -> dict[Any, list[Item]]:
    grouped: dict[Any, list[Item]] = {}
    for item in items:
        grouped.setdefault(key(item), []).append(item)
    return grouped
