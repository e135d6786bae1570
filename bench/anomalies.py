"""Planted anomalies among ordinary days: how many are found, how soon, and how many alarms are false.

`python -m bench.anomalies` prints the tables of docs/analytics.md. Every history is made anew from a seed: nine weeks
of an account with a weekly rhythm (a fifth less at the weekend, 8 to 20 o'clock), posts as chance brings them (Poisson,
and days that differ by 10 % on top), 4 % failures of the causes of the specification's example. The fact to know:
whatever is looked at is looked at every 15 minutes, as the schedule does, and time counts from when the thing began.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import exp
from random import Random
from typing import Any

from bench import figures, knowable
from forwarder_core.domain import anomalies, volumes
from forwarder_core.domain.anomalies import Anomaly, Kind, Outcome, Usual, Week

FIRST = date(2026, 1, 5)  # a Monday
OPEN, CLOSE = 8, 20
_LENGTH = CLOSE - OPEN
_WEEKS = 8
_MIX = {"auth_expired": 41.4, "rate_limited": 25.9, "network_error": 17.2, "proxy_error": 10.3, "challenge": 5.2}
_FAILING = 0.04
_SEEDS = (11, 12, 13)
_DAYS = 28
_TOGETHER = 10  # accounts behind one proxy
Post = tuple[float, Outcome]  # the number of its hour, as a fraction, and what became of it


@dataclass(frozen=True, slots=True)
class Planted:
    """What happens from `OPEN` of the last day on. `success`, `volume`: shares of the usual; `code`: the one cause of
    it, None = the usual mixture."""

    name: str
    kind: Kind
    success: float = 1.0
    volume: float = 1.0
    code: str | None = None

    def knowable(self, due: float) -> float:
        """The share that can be found in two hours at the very best; `due` posts are expected in them."""
        if self.kind is Kind.VOLUME_DROP:
            return knowable.of_silence(due, self.volume)
        usual = _FAILING * _MIX.get(self.code or "", 0.0) / 100
        return knowable.of_failures(due, usual, 1 - self.success * (1 - usual))


KINDS = (
    Planted("nothing is forwarded, a cause it never had", Kind.SUCCESS_DROP, success=0.0, code="account_disabled"),
    Planted("nothing is forwarded, a cause it had before", Kind.SUCCESS_DROP, success=0.0, code="proxy_error"),
    Planted("half of it fails", Kind.SUCCESS_DROP, success=0.5, code="network_error"),
    Planted("nothing comes", Kind.VOLUME_DROP, volume=0.0),
    Planted("a fifth of it comes", Kind.VOLUME_DROP, volume=0.2),
)
TRAFFIC = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # posts an hour
SHARED = (0.25, 0.5, 1.0, 2.0)  # of each account, where ten share a trouble


@dataclass(slots=True)
class Account:
    """A history: posts by number of hour, weeks of outcomes, and the days still to come."""

    dice: Random
    traffic: float
    id: int = 0
    hours: dict[int, int] = field(default_factory=dict)
    recent: list[Post] = field(default_factory=list)
    told: dict[Kind, float] = field(default_factory=dict)
    usual: Usual = field(init=False)

    def __post_init__(self) -> None:
        weeks = []
        for week in range(_WEEKS):
            posts: list[Post] = []
            for day in range(7):
                posts += self.day(FIRST + timedelta(weeks=week, days=day))
            weeks.append(Week(len(posts), {code: sum(one.code == code for _, one in posts) for code in _MIX}))
        self.usual = Usual(weeks)

    def day(self, day: date, planted: Planted | None = None) -> list[Post]:
        """The posts of the day, in order; those of the three days before are kept."""
        mean = self.traffic * (1.0 if day.weekday() < 5 else 0.8) * self.dice.gammavariate(100, 0.01)
        mean *= planted.volume if planted else 1.0
        begun = volumes.hour_of(day)
        times = sorted(begun + OPEN + _LENGTH * self.dice.random() for _ in range(_poisson(self.dice, mean * _LENGTH)))
        for at in times:
            self.hours[int(at)] = self.hours.get(int(at), 0) + 1
        posts = [(at, self._outcome(planted)) for at in times]
        self.recent = [one for one in self.recent if one[0] >= begun - 72] + posts
        return posts

    def _outcome(self, planted: Planted | None) -> Outcome:
        if planted and self.dice.random() >= planted.success:
            return Outcome(planted.code, self.id)
        failed = self.dice.random() < _FAILING
        return Outcome(self.dice.choices(list(_MIX), list(_MIX.values()))[0] if failed else None, self.id)


def looked_at(accounts: Sequence[Account], day: date) -> list[tuple[float, Kind]]:
    """Every quarter of an hour: the hour of day of the first alarm of each kind. Several accounts: as what they share
    is looked at."""
    begun = volumes.hour_of(day)
    posts = sorted((one for account in accounts for one in account.recent), key=lambda one: one[0])
    failed = [at for at, one in posts if one.code]  # nothing new can be rare before the next failure
    told = accounts[0].told
    today: dict[Kind, float] = {}
    volume = _volume(accounts, begun)
    for quarter in range(OPEN * 4 + 1, CLOSE * 4 + 2):
        now = begun + quarter / 4
        found = []
        if Kind.SUCCESS_DROP not in today and bisect_right(failed, now) > bisect_right(failed, now - 0.25):
            since = told.get(Kind.SUCCESS_DROP, 0.0)
            found.append(_success(accounts, [one for at, one in posts if since < at <= now]))
        if Kind.VOLUME_DROP not in today:
            found.append(volume(now, told.get(Kind.VOLUME_DROP, 0.0)))
        for one in found:
            if one:
                told[one.kind], today[one.kind] = now, now - begun
    return [(at, kind) for kind, at in today.items()]


def _success(accounts: Sequence[Account], recent: Sequence[Outcome]) -> Anomaly | None:
    if len(accounts) == 1:
        return anomalies.success(recent, accounts[0].usual)
    return anomalies.shared(recent, {account.id: account.usual for account in accounts})


def _volume(accounts: Sequence[Account], begun: int) -> Callable[[float, float], Anomaly | None]:
    """The rule, asked with the time and with what was told last."""
    found = {account.id: volumes.rhythm(begun, account.hours) for account in accounts}
    known = {id_: one for id_, one in found.items() if one}
    whole = volumes.together(known.values())
    times = {account.id: [at for at, _ in account.recent] for account in accounts}
    if whole is None:
        return lambda _now, _since: None
    if len(accounts) == 1:
        return lambda now, since: volumes.volume(now, times[0], whole, since)
    return lambda now, since: volumes.shared(now, times, known, whole, since)


def planted(what: Planted, traffic: float, count: int, seed: int, together: int = 1) -> list[float | None]:
    """Hours until each of `count` planted ones was told; None = not that day."""
    waits: list[float | None] = []
    for n in range(count):
        accounts = _accounts(f"{seed}:{what.name}:{traffic}:{n}", traffic, together)
        for ahead in range(n % 5 + 1):
            day = FIRST + timedelta(weeks=_WEEKS, days=ahead)
            for account in accounts:
                account.day(day, what if ahead == n % 5 else None)
        found = {kind: at for at, kind in looked_at(accounts, day)}
        waits.append(found[what.kind] - OPEN if what.kind in found else None)
    return waits


def false_alarms(traffic: float, count: int, seed: int, together: int = 1) -> int:
    """Among ordinary accounts (or tens that share something) over 28 days."""
    return sum(len(found) for n in range(count) for found in _ordinary(f"{seed}:{traffic}:{n}", traffic, together))


def _ordinary(seed: str, traffic: float, together: int) -> Iterator[list[tuple[float, Kind]]]:
    accounts = _accounts(seed, traffic, together)
    for ahead in range(_DAYS):
        day = FIRST + timedelta(weeks=_WEEKS, days=ahead)
        for account in accounts:
            account.day(day)
        yield looked_at(accounts, day)


def _accounts(seed: str, traffic: float, count: int) -> list[Account]:
    return [Account(Random(f"{seed}:{id_}"), traffic, id_) for id_ in range(count)]


def _poisson(dice: Random, mean: float) -> int:
    """Knuth's way, in pieces small enough for it."""
    count = 0
    while mean > 0:
        part, mean = min(mean, 30.0), mean - 30.0
        left = exp(-part)
        product = dice.random()
        while product > left:
            count += 1
            product *= dice.random()
    return count


def _share(waits: Sequence[float | None], within: float) -> int:
    return round(100 * sum(wait is not None and wait <= within for wait in waits) / len(waits))


def _waits(what: Planted, traffic: float, rounds: int, together: int = 1) -> list[float | None]:
    """Of as many for each seed."""
    return [wait for seed in _SEEDS for wait in planted(what, traffic, rounds // len(_SEEDS), seed, together)]


def measure(rounds: int = 3) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`: percent found within two hours beside the most that any rule
    can find, of twenty times as many as `rounds`; false alarms a month of 100 accounts beside the one allowed."""
    made: dict[str, Any] = {}
    for what in KINDS:
        for traffic in TRAFFIC:
            waits = _waits(what, traffic, 20 * rounds)
            most = 100 * what.knowable(2 * traffic)
            row = figures.row([_share(waits, 2.0)], [most], "%", digits=0)
            made[f"{what.name}, {traffic:g} an hour"] = row | {"rounds": len(waits)}
    for traffic in TRAFFIC:
        row = figures.row([false_alarms(traffic, 100, _SEEDS[0])], [1.0], "a month")
        made[f"false alarms, {traffic:g} an hour"] = row
    return made


def main(rounds: int = 120, accounts: int = 100) -> None:
    """The tables as docs/analytics.md has them. `accounts`: ordinary ones for each of the seeds."""
    _head(f"planted, on {rounds} accounts each", TRAFFIC)
    for what in KINDS:
        _line(what.name, *(_cell(what, traffic, rounds) for traffic in TRAFFIC))
    false = [sum(false_alarms(t, accounts, seed) for seed in _SEEDS) for t in TRAFFIC]
    _line(f"nothing: false alarms in {accounts * len(_SEEDS)} account-months", *map(str, false))
    sys.stdout.write("\n")
    _head(f"planted on {_TOGETHER} accounts together, {rounds} times", SHARED)
    for what in KINDS:
        _line(what.name, *(_cell(what, traffic, rounds, _TOGETHER) for traffic in SHARED))
    tens = accounts // _TOGETHER
    false = [sum(false_alarms(t, tens, seed, _TOGETHER) for seed in _SEEDS) for t in SHARED]
    _line(f"nothing: false alarms of {tens * len(_SEEDS)} such tens in a month", *map(str, false))


def _cell(what: Planted, traffic: float, rounds: int, together: int = 1) -> str:
    """Percent found in two hours, of what can be; in four; that day."""
    waits = _waits(what, traffic, rounds, together)
    most = round(100 * what.knowable(2 * traffic * together))
    return f"**{_share(waits, 2.0)}** of {most} / {_share(waits, 4.0)} / {_share(waits, 24.0)}"


def _head(title: str, rates: Sequence[float]) -> None:
    _line(title, *(f"{traffic:g} an hour" for traffic in rates))
    sys.stdout.write("|---|" + "---|" * len(rates) + "\n")


def _line(*cells: str) -> None:
    sys.stdout.write("| " + " | ".join(cells) + " |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
