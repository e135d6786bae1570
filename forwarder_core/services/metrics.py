"""Metrics: the numbers a monitoring system asks for every few seconds, each read at that moment.

Everything comes from the rows, so a restart loses nothing and every process tells the same. The fact to know: the names
here are relied upon by dashboards and alert rules (deploy/grafana/forwarder.json): adding is free, renaming is not.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from forwarder_core.db import events, outbox, overviews
from forwarder_core.db import metrics as rows
from forwarder_core.db.engine import Tx
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.services.context import Core

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Metric:
    """A gauge. `values`: by the values of its labels, in their order."""

    name: str
    text: str
    labels: tuple[str, ...]
    values: Mapping[tuple[str, ...], float]


def read(core: Core) -> list[Metric]:
    """All of them. Raises SQLAlchemyError where the database is away."""
    now = core.clock.now()
    with core.begin() as tx:
        return [*_queue(tx, now), *_flow(tx, now), *_surroundings(core, tx, now)]


def _queue(tx: Tx, now: datetime) -> Iterable[Metric]:
    counted = rows.open_jobs(tx)
    yield _by("forwarder_jobs", "Jobs that have not ended, by status", "status", counted)
    waiting = counted[JobStatus.QUEUED] + counted[JobStatus.RETRY_WAIT]
    yield _one("forwarder_queue_length", "Jobs queued or waiting for a retry", waiting)
    yield _one("forwarder_queue_age_seconds", "Age of the oldest queued job", _age(now, rows.oldest_queued(tx)))


def _flow(tx: Tx, now: datetime) -> Iterable[Metric]:
    minute, day = rows.ended(tx, now - _MINUTE), rows.ended(tx, now - _DAY)
    yield _one("forwarder_jobs_per_minute", "Jobs that ended in the last minute", sum(n for *_, n in minute))
    outcomes: dict[tuple[str, ...], float] = {}
    for status, code, n in day:
        outcomes[status, code] = outcomes.get((status, code), 0) + n
    words = "Jobs that ended in the last 24 h, by status and error code"
    yield Metric("forwarder_outcomes_day", words, ("status", "code"), outcomes)
    yield _by(
        "forwarder_attempts_day", "Attempts of the last 24 h, by state", "state", rows.attempts_ended(tx, now - _DAY)
    )
    seconds: dict[tuple[str, ...], float] = {
        (step, str(quantile)): value
        for step, quantiles in rows.step_seconds(tx, now - _HOUR).items()
        for quantile, value in quantiles.items()
    }
    yield Metric("forwarder_step_seconds", "Seconds of a step in the last hour", ("step", "quantile"), seconds)


def _surroundings(core: Core, tx: Tx, now: datetime) -> Iterable[Metric]:
    healths = {alias: float(health != "unhealthy") for alias, health in rows.proxy_healths(tx)}
    yield _by("forwarder_proxy_up", "1 unless the proxy failed its checks", "proxy", healths)
    days: dict[tuple[str, ...], float] = {
        (row["alias"], row["platform"], row["label"]): (row["expires_at"] - now).total_seconds() / _DAY_S
        for row in rows.token_ends(tx)
    }
    words = "Days until a person must renew a credential"
    yield Metric("forwarder_token_days_left", words, ("account", "platform", "token"), days)
    yield _by("forwarder_accounts", "Accounts, by status", "status", dict(rows.account_statuses(tx)))
    unsent = outbox.undelivered(tx)
    yield _one("forwarder_outbox_waiting", "Alerts that wait to be sent", unsent.waiting)
    yield _one("forwarder_outbox_age_seconds", "Age of the oldest alert that waits", _age(now, unsent.oldest_at))
    overdue = _age(now, overviews.oldest_due_watch(tx))
    yield _one("forwarder_sensor_overdue_seconds", "How long the most overdue source has been due", overdue)
    beats = {beat["name"]: _age(now, beat["seen_at"]) for beat in events.beats(tx)}
    yield _by("forwarder_heartbeat_age_seconds", "Since the last sign of life of a process", "process", beats)
    free = shutil.disk_usage(next(path for path in (core.settings.home, *core.settings.home.parents) if path.exists()))
    yield _one("forwarder_disk_free_bytes", "Free space where media are kept", free.free)
    yield _one("forwarder_disk_size_bytes", "Size of that disk", free.total)


def _age(now: datetime, since: datetime | None) -> float:
    return max(0.0, (now - since).total_seconds()) if since is not None else 0.0


def _one(name: str, text: str, value: float) -> Metric:
    return Metric(name, text, (), {(): float(value)})


def _by(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    return Metric(name, text, (label,), {(key,): float(value) for key, value in values.items()})
