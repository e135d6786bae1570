"""Watching: the values that tell of trouble nobody reported, each told once when it begins and once when it ends.

What is measured is in `db.measures`, when it is trouble in `domain.thresholds`. Run every five minutes by a schedule;
the keeper looks at the pulse of the others, because a schedule cannot tell that schedules stand still.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from forwarder_core.db import events, measures, overviews
from forwarder_core.db.engine import Tx
from forwarder_core.domain import thresholds
from forwarder_core.domain.thresholds import Crossing, Metric, Reading
from forwarder_core.services import alerting, census, disk, quotas, tunables
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core
from forwarder_core.services.quotas import QuotaView
from forwarder_core.services.tunables import Tuned

_DAY = timedelta(hours=24)
_LAST = 10
_LEAST = 4  # so many checks of a proxy, or jobs through it, before their rate says anything
_TOKEN_CLEARS_H = 24.0  # so much more than the mark: a sign-in renewed for a day or two is still about to end
_KINDS = {
    Metric.SILENCE: AlertKind.SILENCE,
    Metric.DISK: AlertKind.DISK,
    Metric.DISK_STOP: AlertKind.DISK,
    Metric.QUOTA: AlertKind.QUOTA,
    Metric.CENSUS: AlertKind.CENSUS,
}
_WHOLE_CENSUS_MIN = 5  # of each hour: one look of twelve
_DAEMON = "Dagster daemon"
_QUOTA_TRIPS, _QUOTA_CLEARS = 90.0, 50.0  # percent; a new day clears it
_OF_ONE_ACCOUNT = "account:"


def watch(core: Core) -> list[Crossing]:
    """Measure everything and tell what began or ended; those crossings."""
    now = core.clock.now()
    found, shared = census.take(core, is_whole=_wants_whole_census(core, now)), quotas.views(core)
    with core.begin() as tx:
        tuned = tunables.read(tx)
        readings = [
            *_success_rates(tx, tuned, now),
            *_sign_ins(tx, tuned, now),
            *_proxies(tx, tuned),
            _queue(tx, tuned, now),
            *_silences(tx, tuned, now),
            *_disk(disk.free_bytes(core), tuned),
            *_quotas(shared),
            _census(found),
            *_pulses(tx, tuned, now),
        ]
        return _tell(tx, readings, now, is_all=True)


def _wants_whole_census(core: Core, now: datetime) -> bool:
    """Once an hour, and as long as a post is missing: the short one would call it found."""
    with core.begin() as tx:
        is_missing = any(metric == Metric.CENSUS for metric, _ in measures.beyond(tx))
    return is_missing or now.minute < _WHOLE_CENSUS_MIN


def watch_pulses(core: Core) -> list[Crossing]:
    """Only whether the others live: asked by the keeper, who needs no schedule for it."""
    now = core.clock.now()
    with core.begin() as tx:
        return _tell(tx, _pulses(tx, tunables.read(tx), now), now, is_all=False)


def _tell(tx: Tx, readings: Sequence[Reading], now: datetime, *, is_all: bool) -> list[Crossing]:
    """`is_all`: what is beyond its mark and was not measured any more is gone, and ends without a word."""
    beyond = measures.beyond(tx)
    told = [one for one in thresholds.crossings(readings, set(beyond)) if _told(tx, one, now)]
    for metric, subject in set(beyond) - {reading.key for reading in readings} if is_all else ():
        measures.end(tx, metric, subject)
    return told


def _told(tx: Tx, crossing: Crossing, now: datetime) -> bool:
    """False when another process told it in this very moment."""
    reading = crossing.reading
    facts: dict[str, Any] = dict(reading.facts)
    thread = f"threshold:{reading.metric}:{reading.subject}"
    once = f"{reading.metric}:{reading.subject}:{now.isoformat()}"
    if crossing.is_start:
        if not measures.begin(tx, reading.metric, reading.subject, str(facts.get("value", "")), now):
            return False
        kind = _KINDS.get(reading.metric, AlertKind.THRESHOLD)
    else:
        since = measures.end(tx, reading.metric, reading.subject)
        if since is None:
            return False
        kind, facts = AlertKind.BACK_TO_NORMAL, {**facts, "since": since.isoformat(), "error": None, "action": None}
    alerting.about_system(tx, kind, now=now, once=once, thread=thread, **facts)
    return True


# ---- what is measured -------------------------------------------------------------------------------------------


def _success_rates(tx: Tx, tuned: Tuned, now: datetime) -> Iterable[Reading]:
    least, mark = tuned.count("alerts.success_rate_jobs"), tuned.number("alerts.success_rate_min")
    for one in measures.by_account(tx, now - _DAY):
        ended = one.succeeded + one.failed
        yield Reading(
            metric=Metric.SUCCESS_RATE,
            subject=f"account:{one.id}",
            value=one.rate if ended >= least else None,
            trips_at=mark - 0.001,  # at the mark itself all is well
            clears_at=min(100.0, mark + 5),
            facts={
                "metric": "success rate",
                "account": one.name,
                "account_id": one.id,
                "platform": one.platform,
                "value": f"{one.rate:.0f} % of {ended} jobs",
                "threshold": f"{mark:g} %",
                "period": "24 h",
                "action": "Look at the account's failed jobs: their errors say what to do.",
            },
        )


def _sign_ins(tx: Tx, tuned: Tuned, now: datetime) -> Iterable[Reading]:
    """Beside the warning each account sets its days of: this one is the installation's."""
    mark = tuned.number("alerts.token_hours")
    for one in measures.sign_ins(tx):
        left = (one.expires_at - now) / timedelta(hours=1)
        name = f"{one.account} ({one.label})" if one.label else one.account
        yield Reading(
            metric=Metric.TOKEN,
            subject=f"token:{one.id}",
            value=left,
            trips_at=mark,
            clears_at=mark + _TOKEN_CLEARS_H,
            facts={
                "metric": "time to token expiry",
                "account": name,
                "account_id": one.account_id,
                "platform": one.platform,
                "value": f"{left:.0f} h" if left > 0 else "ended",
                "threshold": f"{mark:g} h",
                "action": f"Renew the sign-in before it ends: Accounts → {one.account} → Update token.",
            },
        )


def _proxies(tx: Tx, tuned: Tuned) -> Iterable[Reading]:
    mark = tuned.number("alerts.proxy_errors_max")
    counted = (("checks", measures.by_proxy(tx, _LAST)), ("jobs", measures.by_proxy_used(tx, _LAST)))
    for one, what in ((one, what) for what, tallies in counted for one in tallies):
        rate = 100 * one.failed / one.n
        yield Reading(
            metric=Metric.PROXY_ERRORS,
            subject=f"proxy:{one.id}:{what}",
            value=rate if one.n >= _LEAST else None,
            trips_at=mark + 0.001,
            clears_at=max(0.0, mark - 20),
            facts={
                "metric": "proxy errors",
                "proxy": one.alias,
                "proxy_id": one.id,
                "value": f"{one.alias}: {rate:.0f} % of the last {one.n} {what} failed",
                "threshold": f"{mark:g} %",
                "action": "Test the proxy under Proxies; replace it if it stays so.",
            },
        )


def _queue(tx: Tx, tuned: Tuned, now: datetime) -> Reading:
    oldest, mark = measures.oldest_runnable(tx, now), tuned.number("alerts.queue_minutes")
    waited = max(0.0, (now - oldest) / timedelta(minutes=1)) if oldest else 0.0
    return Reading(
        metric=Metric.QUEUE_AGE,
        value=waited,
        trips_at=mark,
        clears_at=mark / 2,
        facts={
            "metric": "age of the queue",
            "value": f"{waited:.0f} min",
            "threshold": f"{mark:g} min",
            "action": "Look at the running jobs; raise dispatch.max_running where the server has room for more.",
        },
    )


def _silences(tx: Tx, tuned: Tuned, now: datetime) -> Iterable[Reading]:
    least = timedelta(hours=tuned.number("alerts.silence_least_h"))
    for one in measures.last_forwards(tx):
        pause = thresholds.long_pause(one.at, least)
        if pause is None:
            continue
        hours, mark = (now - one.at[0]) / timedelta(hours=1), pause / timedelta(hours=1)
        yield Reading(
            metric=Metric.SILENCE,
            subject=f"connection:{one.connection_id}",
            value=hours,
            trips_at=mark,
            clears_at=mark / 2,
            facts={
                "metric": "silence",
                "connection": one.name,
                "connection_id": one.connection_id,
                "last_at": one.at[0].isoformat(),
                "usual": f"up to {mark:.0f} h",
                "value": f"{hours:.0f} h",
                "threshold": f"{mark:.0f} h",
                "action": "Look whether the source posted; if it did, look at the connection's posts.",
            },
        )


def _disk(free: int, tuned: Tuned) -> Iterable[Reading]:
    for metric, key, status in (
        (Metric.DISK, "disk.warn_gb", "Fetching goes on."),
        (Metric.DISK_STOP, "disk.stop_gb", "Nothing is fetched before there is room again."),
    ):
        mark = tuned.number(key)
        yield Reading(
            metric=metric,
            value=free / disk.GB,
            trips_at=mark,
            clears_at=mark * 1.2,
            facts={
                "metric": "free disk space",
                "free_bytes": free,
                "status": status,
                "value": f"{free / disk.GB:.1f} GB",
                "threshold": f"{mark:g} GB",
                "action": "Free space on the disk of FORWARDER_HOME, or keep files for fewer days.",
            },
        )


def _quotas(views: Sequence[QuotaView]) -> Iterable[Reading]:
    """What accounts share. An account's own posts of a day are meant to be used up, and are no trouble."""
    for one in views:
        if one.scope.startswith(_OF_ONE_ACCOUNT):
            continue
        yield Reading(
            metric=Metric.QUOTA,
            subject=one.scope,
            value=100 * (one.used + one.reserved) / one.limit if one.limit else None,
            trips_at=_QUOTA_TRIPS,
            clears_at=_QUOTA_CLEARS,
            facts={
                "metric": "quota",
                "scope": one.title,
                "platform": one.platform,
                "used": one.used + one.reserved,
                "cap": one.limit,
                "resets_at": one.resets_at.isoformat(),
                "value": f"{one.used + one.reserved} of {one.limit}",
                "threshold": f"{_QUOTA_TRIPS:g} %",
                "action": "Nothing is lost: jobs wait for the reset. Ask for more, or spread the uploads.",
            },
        )


def _census(found: census.Census) -> Reading:
    return Reading(
        metric=Metric.CENSUS,
        value=found.undecided_posts + found.stuck_jobs,
        trips_at=1,
        clears_at=0,
        facts={
            "metric": "census",
            "undecided_posts": found.undecided_posts,
            "stuck_jobs": found.stuck_jobs,
            "action": "Look at the health page: is the Dagster daemon at work, and are there workers?",
        },
    )


def _pulses(tx: Tx, tuned: Tuned, now: datetime) -> list[Reading]:
    """Of the keeper by its own sign of life, of the daemon's sensors by a source that has been due for long."""
    due = overviews.oldest_due_watch(tx)
    silent = {"keeper": _keeper_silent(tx, now), _DAEMON: max(0.0, (now - due).total_seconds()) if due else 0.0}
    mark = tuned.number("alerts.heartbeat_s")
    return [
        Reading(
            metric=Metric.HEARTBEAT,
            subject=name,
            value=seconds,
            trips_at=mark,
            clears_at=mark / 2,
            facts={
                "metric": f"heartbeat of the {name}",
                "value": "never heard of" if seconds is None else f"silent for {seconds:.0f} s",
                "threshold": f"{mark:g} s",
                "action": "Look at the health page and at the log of that process; restart it.",
            },
        )
        for name, seconds in silent.items()
    ]


def _keeper_silent(tx: Tx, now: datetime) -> float | None:
    seen = [beat["seen_at"] for beat in events.beats(tx) if beat["name"] == "keeper"]
    return (now - max(seen)).total_seconds() if seen else None
