"""Accounts, proxies and platforms out of their ordinary: a sudden drop of success or of volume, told with the log.

The rules are `domain.anomalies` and `domain.volumes`; they are asked every 15 minutes. The fact to know: what was told
is spent: the next alarm of the same kind needs posts that came after it, and where accounts are in trouble together one
alarm of what they share stands for theirs of that day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from forwarder_core.db import accounts, events
from forwarder_core.db.engine import Tx
from forwarder_core.domain import anomalies as rule
from forwarder_core.domain import volumes
from forwarder_core.domain.analytics import bounds
from forwarder_core.domain.anomalies import Anomaly, Kind, Outcome
from forwarder_core.egress import DIRECT
from forwarder_core.services import alerting, analytics_days, analytics_tables, behaviours, diagnosing
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.behaviours import Behaviour
from forwarder_core.services.context import Core

_MOST_LOGS = 5
_MOST_NAMED = 10
_LEVELS = ("critical", "error", "warning")
_WHAT = {Kind.SUCCESS_DROP: "Success fell", Kind.VOLUME_DROP: "Far fewer posts than usual"}
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`about`: `account:7`, `proxy:3` (its address where it has no id) or `platform:youtube`; `members`: ids of the
    accounts concerned; `account_id`: None where they share it."""

    about: str
    name: str
    members: tuple[int, ...]
    day: date
    anomaly: Anomaly

    @property
    def account_id(self) -> int | None:
        return self.members[0] if self.about.startswith("account:") else None


def find(core: Core) -> list[Found]:
    """Of every account, and of all that share a proxy or a platform, as of now."""
    analytics_days.catch_up(core)
    seen = behaviours.gather(core)
    covered = _told_together(seen)
    shared = _unlike([*_shared_drops(seen), *_shared_silences(seen, core)], covered)
    covered |= {(id_, one.anomaly.kind) for one in shared for id_ in one.members}
    alone = [*_drops(seen), *_silences(seen, core)]
    return [*shared, *(one for one in alone if (one.members[0], one.anomaly.kind) not in covered)]


def tell(core: Core) -> list[Found]:
    """Write an alert for each; a kind is told of a subject once a day."""
    found = find(core)
    suspicion = diagnosing.recent(core).words if any(f.anomaly.kind is Kind.SUCCESS_DROP for f in found) else ""
    for one in found:
        with core.begin() as tx:
            _tell(tx, core, one, suspicion)
    return found


# ---- one account ---------------------------------------------------------------------------------------------------


def _drops(seen: Behaviour) -> Iterator[Found]:
    for id_, usual in sorted(seen.usual.items()):
        about = f"account:{id_}"
        recent = _since(seen, about, Kind.SUCCESS_DROP, (id_,))
        if found := rule.success(recent, usual):
            yield Found(about=about, name=seen.accounts[id_][0], members=(id_,), day=seen.today, anomaly=found)


def _silences(seen: Behaviour, core: Core) -> list[Found]:
    """A destination that gets less because its source gives less is not told of."""
    quiet: dict[int, Anomaly] = {}
    if not _is_clock_moved(seen, core):
        for id_, rhythm in sorted(seen.rhythms.items()):
            since = _told_at(seen, f"account:{id_}", Kind.VOLUME_DROP)
            if found := volumes.volume(seen.hour, seen.times.get(id_, ()), rhythm, since):
                quiet[id_] = found
    told = {one.about for one in seen.told if one.kind == Kind.VOLUME_DROP}
    silent = {*quiet} | {id_ for id_ in seen.accounts if f"account:{id_}" in told}
    return [
        Found(about=f"account:{id_}", name=seen.accounts[id_][0], members=(id_,), day=seen.today, anomaly=one)
        for id_, one in quiet.items()
        if not (seen.fed_by.get(id_, frozenset()) - {id_}) & silent
    ]


# ---- accounts that share something ---------------------------------------------------------------------------------


def _shared_drops(seen: Behaviour) -> Iterator[Found]:
    for about, members in sorted(_groups(seen).items()):
        proxy = about.removeprefix("proxy:") if about.startswith("proxy:") else None
        recent = _since(seen, about, Kind.SUCCESS_DROP, members, proxy)
        if found := rule.shared(recent, {id_: seen.usual[id_] for id_ in members}):
            failed = sorted(
                {one.account for one in recent if one.code in (found.code or one.code, one.code) and one.code}
            )
            yield Found(about=about, name=_named(seen, about), members=tuple(failed), day=seen.today, anomaly=found)


def _shared_silences(seen: Behaviour, core: Core) -> Iterator[Found]:
    """Of the sources of one platform: where they fall silent together, it is we who do not hear them."""
    if _is_clock_moved(seen, core):
        return
    for about, members in sorted(_groups(seen).items()):
        usual = {id_: seen.rhythms[id_] for id_ in members if id_ in seen.rhythms and id_ in seen.sources}
        if about.startswith("proxy:") or len(usual) < 2 or (whole := volumes.together(usual.values())) is None:
            continue
        since = _told_at(seen, about, Kind.VOLUME_DROP)
        if found := volumes.shared(seen.hour, seen.times, usual, whole, since):
            yield Found(about=about, name=_named(seen, about), members=tuple(usual), day=seen.today, anomaly=found)


def _groups(seen: Behaviour) -> dict[str, tuple[int, ...]]:
    """Accounts with a past, by the proxy they used of late and by platform; at least two."""
    groups: dict[str, set[int]] = {}
    for id_ in seen.usual:
        groups.setdefault(f"platform:{seen.accounts[id_][1]}", set()).add(id_)
        for one in seen.recent.get(id_, ()):
            if one.proxy not in (None, DIRECT):
                groups.setdefault(f"proxy:{one.proxy}", set()).add(id_)
    return {about: tuple(sorted(members)) for about, members in groups.items() if len(members) > 1}


def _unlike(found: list[Found], covered: set[tuple[int, Kind]]) -> list[Found]:
    """Of a proxy and a platform that are told of the same accounts, the one by which it is rarer."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda each: each.anomaly.chance):
        concerned = {(id_, one.anomaly.kind) for id_ in one.members}
        if not concerned & (covered | {(id_, k.anomaly.kind) for k in kept for id_ in k.members}):
            kept.append(one)
    return sorted(kept, key=lambda each: each.about)


def _told_together(seen: Behaviour) -> set[tuple[int, Kind]]:
    """Accounts for which something they share was told within a day."""
    return {
        (id_, Kind(one.kind))
        for one in seen.told
        if not one.about.startswith("account:") and one.at > seen.now - _DAY
        for id_ in one.members
    }


def _named(seen: Behaviour, about: str) -> str:
    kind, _, key = about.partition(":")
    return f"{kind} {seen.proxies.get(key, key) if kind == 'proxy' else key}"


# ---- since when ----------------------------------------------------------------------------------------------------


def _since(
    seen: Behaviour, about: str, kind: Kind, members: tuple[int, ...], proxy: str | None = None
) -> list[Outcome]:
    """Outcomes after the last alarm, in order; through this proxy where one is asked for."""
    told = seen.told_at(about, kind)
    recent = sorted((one for id_ in members for one in seen.recent.get(id_, ())), key=lambda one: one.at)
    return [one.outcome for one in recent if proxy in (None, one.proxy) and (told is None or one.at > told)]


def _told_at(seen: Behaviour, about: str, kind: Kind) -> float:
    told = seen.told_at(about, kind)
    return seen.number(told) if told else 0.0


def _is_clock_moved(seen: Behaviour, core: Core) -> bool:
    """For half a day after clocks changed, the hours of today are not those of the weeks before."""
    zone = core.settings.zone
    return seen.now.astimezone(zone).utcoffset() != (seen.now - _DAY / 2).astimezone(zone).utcoffset()


# ---- words ---------------------------------------------------------------------------------------------------------


def _tell(tx: Tx, core: Core, one: Found, suspicion: str) -> None:
    now = core.clock.now()
    value, usual = _words(one.anomaly)
    what = _WHAT[one.anomaly.kind]
    error = f"{what}: {value}, usually {usual}. {_rarity(one.anomaly)}".strip()
    since = bounds(one.day, one.day, core.settings.zone)[0]
    facts: dict[str, Any] = {
        "code": one.anomaly.kind.value,
        "action": _action(one.anomaly, suspicion),
        "value": value,
        "usual": usual,
        "about": one.about,
        "members": list(one.members),
        "logs": _logs(tx, one.members, since),
    }
    account = accounts.get(tx, one.account_id) if one.account_id is not None else None
    if account is not None:
        once = f"{one.anomaly.kind}:{one.day}"
        alerting.about_account(tx, AlertKind.ANOMALY, account, now=now, once=once, error=error, what=what, **facts)
    elif one.account_id is None:
        error = f"{error} Concerned: {_concerned(tx, one.members)}."
        once, thread = f"{one.anomaly.kind}:{one.about}:{one.day}", f"anomaly:{one.about}"
        what = f"{what} ({one.name})"
        alerting.about_system(tx, AlertKind.ANOMALY, now=now, once=once, thread=thread, error=error, what=what, **facts)


def _concerned(tx: Tx, members: tuple[int, ...]) -> str:
    found = [accounts.get(tx, id_) for id_ in members[:_MOST_NAMED]]
    more = f" and {len(members) - _MOST_NAMED} more" if len(members) > _MOST_NAMED else ""
    return ", ".join(one.alias for one in found if one) + more


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


def _logs(tx: Tx, members: tuple[int, ...], since: datetime) -> list[str]:
    """The gravest lines about the accounts and their connections since then, each once."""
    lines: dict[int, str] = {}
    for level in _LEVELS:
        for id_ in members[:_MOST_NAMED]:
            found = events.logs(tx, before_id=2**62, limit=_MOST_LOGS, account_id=id_, level=level, since=since)
            lines |= {row["id"]: str(row["text"])[:200] for row in found}
        if len(lines) >= _MOST_LOGS:
            break
    return list(lines.values())[:_MOST_LOGS]
