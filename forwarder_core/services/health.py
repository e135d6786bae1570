"""Health: what must be true for posts to go on, each looked at now and said in words.

A check never raises: what cannot be found out is a failure with its reason. The fact to know: the database's failure is
the answer of every check that needs it, so whoever asks gets an answer even then.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from forwarder_core import settings
from forwarder_core.db import events, jobs, outbox, overviews, schema
from forwarder_core.errors import FfmpegMissing, StartError
from forwarder_core.media.tools import find_ffmpeg
from forwarder_core.services import census, heartbeats, tunables
from forwarder_core.services.context import Core
from forwarder_core.settings import Launcher

_KEEPER_SILENT = timedelta(seconds=30)  # it beats every ten seconds
_SENSOR_SILENT = timedelta(minutes=2)  # a tick may take 40 s, and a restart of the daemon as long
_OLD_YT_DLP = timedelta(days=90)
_DETECTION_LATE = timedelta(minutes=5)  # sensors look every five seconds
_REDIS_PATIENCE_S = 2.0
_LEAST_FREE_BYTES = 200_000_000  # below, nothing new is fetched
_FEW_FREE_BYTES = 2_000_000_000


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILING = "failing"
    NOT_USED = "not_used"


@dataclass(frozen=True, slots=True)
class Check:
    state: State
    detail: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    at: datetime | None
    checks: dict[str, Check]

    @property
    def state(self) -> State:
        """The worst of them."""
        states = {check.state for check in self.checks.values()}
        return next((s for s in (State.FAILING, State.WARNING) if s in states), State.OK)


def look(core: Core) -> Health:
    """All checks, within a second or two."""
    asked: dict[str, Callable[[Core], Check]] = {
        "database": _database,
        "migrations": _migrations,
        "keeper": _keeper,
        "daemon": _daemon,
        "detection": _detection,
        "workers": _workers,
        "census": _census,
        "disk": _disk,
        "ffmpeg": _ffmpeg,
        "yt_dlp": _yt_dlp,
        "redis": _redis,
    }
    checks = {name: _safely(check, core) for name, check in asked.items()}
    try:
        at = core.clock.now()
    except SQLAlchemyError:
        at = None  # the clock is the database's
    return Health(at, checks)


def _safely(check: Callable[[Core], Check], core: Core) -> Check:
    try:
        return check(core)
    except SQLAlchemyError as e:
        return Check(State.FAILING, f"The database does not answer ({type(e).__name__}).")


def _database(core: Core) -> Check:
    with core.begin() as tx:
        counted = outbox.outbox_counts(tx)
    return Check(State.OK, "It answers.", {"alerts_waiting": counted["waiting"]})


def _migrations(core: Core) -> Check:
    with core.begin() as tx:
        try:
            schema.check_revision(tx)
        except StartError as e:
            return Check(State.FAILING, f"{e.message} {e.action}")
    return Check(State.OK, "The tables are this version's.", {"revision": schema.known()[-1]})


def _keeper(core: Core) -> Check:
    now = core.clock.now()
    with core.begin() as tx:
        beats = {beat["name"]: (now - beat["seen_at"]).total_seconds() for beat in events.beats(tx)}
    ages = {"age_s": {name: round(age, 1) for name, age in beats.items()}}
    if "keeper" not in beats:
        return Check(State.FAILING, "It has not run yet; alerts and rescues wait for it.", ages)
    if beats["keeper"] > _KEEPER_SILENT.total_seconds():
        return Check(State.FAILING, f"Its last sign of life is {beats['keeper']:.0f} s old.", ages)
    return Check(State.OK, "It is at work.", ages)


def _daemon(core: Core) -> Check:
    """Dagster's daemon, by the last tick of each sensor it runs; their names are theirs."""
    now = core.clock.now()
    with core.begin() as tx:
        beats = [beat for beat in events.beats(tx) if beat["kind"] == heartbeats.SENSOR]
    ages = {beat["name"]: round((now - beat["seen_at"]).total_seconds(), 1) for beat in beats}
    if not ages:
        return Check(State.WARNING, "No sensor has ticked yet.", {"sensors_age_s": {}})
    facts = {"sensors_age_s": ages}
    oldest = max(ages, key=lambda name: ages[name])
    if ages[oldest] > _SENSOR_SILENT.total_seconds():
        return Check(State.FAILING, f"{oldest} last ticked {ages[oldest]:.0f} s ago: the daemon stands still.", facts)
    return Check(State.OK, "Its sensors tick.", facts)


def _workers(core: Core) -> Check:
    """Whoever carries a job renews its lease; the reaper takes jobs back from those who do not."""
    with core.begin() as tx:
        running, silent = len(jobs.running(tx)), len(jobs.expired(tx, core.clock.now()))
        most = tunables.read(tx).count("dispatch.max_running")
    facts = {"running": running, "silent": silent, "most": most}
    if silent:
        return Check(State.WARNING, f"{silent} of {running} running jobs have lost their worker.", facts)
    return Check(State.OK, f"{running} of {most} at work.", facts)


def _detection(core: Core) -> Check:
    """The sensors' pulse: a source that has been due for long means that none of them ticks."""
    with core.begin() as tx:
        due = overviews.oldest_due_watch(tx)
    if due is None:
        return Check(State.OK, "No source is looked at by itself.")
    late = core.clock.now() - due
    if late > _DETECTION_LATE:
        return Check(
            State.FAILING,
            f"A source has been due for {late.total_seconds():.0f} s: the Dagster daemon or its sensors stand still.",
            {"overdue_s": round(late.total_seconds())},
        )
    return Check(State.OK, "Sources are looked at in time.", {"overdue_s": max(0, round(late.total_seconds()))})


def _census(core: Core) -> Check:
    taken = census.take(core, is_whole=False)
    facts = {"undecided_posts": taken.undecided_posts, "stuck_jobs": taken.stuck_jobs}
    if taken.is_clean:
        return Check(State.OK, "Every post seen is decided about, and every job moves.", facts)
    words = f"{taken.undecided_posts} posts without a decision, {taken.stuck_jobs} jobs that do not move."
    return Check(State.WARNING, words, facts)


def _disk(core: Core) -> Check:
    free = shutil.disk_usage(_existing(core.settings.home)).free
    facts = {"free_bytes": free}
    if free < _LEAST_FREE_BYTES:
        return Check(State.FAILING, f"Only {free / 1e6:.0f} MB are free.", facts)
    if free < _FEW_FREE_BYTES:
        return Check(State.WARNING, f"{free / 1e9:.1f} GB are free.", facts)
    return Check(State.OK, f"{free / 1e9:.0f} GB are free.", facts)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _yt_dlp(core: Core) -> Check:
    """Its version is its date. Platforms change under it, so an old one soon fetches nothing."""
    try:
        version = metadata.version("yt-dlp")
        year, month, day = map(int, version.split(".")[:3])
        made = datetime(year, month, day, tzinfo=UTC)
    except (metadata.PackageNotFoundError, ValueError) as e:
        return Check(State.WARNING, f"Its version cannot be read ({type(e).__name__}).")
    age = core.clock.now() - made
    facts = {"version": version, "age_days": age.days}
    if age > _OLD_YT_DLP:
        return Check(State.WARNING, f"It is {age.days} days old: update the product when fetching fails.", facts)
    return Check(State.OK, version, facts)


def _redis(core: Core) -> Check:
    """Only where runs are handed to other machines by it. Every address is asked: the one runs wait at, and the one
    their ends are told at."""
    if core.settings.launcher is not Launcher.CELERY:
        return Check(State.NOT_USED, "The queue is a table of the database.")
    silent = {name: reason for name, url in settings.brokers().items() if (reason := _silence(url))}
    if silent:
        return Check(State.FAILING, " ".join(f"{name}: {reason}." for name, reason in silent.items()))
    return Check(State.OK, "It answers.")


def _silence(url: str) -> str | None:
    """Why this broker does not answer; None when it did. The address holds a login and is not told."""
    if not url:
        return "is not set, so nobody knows whether it is there"
    from celery import Celery  # type: ignore[import-untyped]  # heavy, and only here
    from celery.exceptions import OperationalError  # type: ignore[import-untyped]

    waits = {"socket_timeout": _REDIS_PATIENCE_S, "socket_connect_timeout": _REDIS_PATIENCE_S}
    asking = Celery(broker=url, set_as_current=False)
    try:
        with asking.connection_for_read(transport_options=waits) as line:
            line.ensure_connection(max_retries=1, timeout=_REDIS_PATIENCE_S)  # it pings
    except (OperationalError, OSError, KeyError, ValueError, ImportError) as e:
        return f"does not answer ({type(e.__cause__ or e).__name__})"
    return None


def _ffmpeg(core: Core) -> Check:
    try:
        found = find_ffmpeg(core.settings.ffmpeg)
    except FfmpegMissing as e:
        return Check(State.FAILING, f"{e.message} {e.action}")
    return Check(State.OK, found.version)
