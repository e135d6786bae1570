"""The overview: what goes on, in numbers and in lists, for the first screen and for whoever watches from outside.

Reading only. The fact to know: everything here is asked every two seconds by each open browser tab, so each function is
one transaction of a few indexed queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from forwarder_core.connectors.base import Role
from forwarder_core.db import connections, events, job_pages, jobs, overviews
from forwarder_core.db.engine import Tx
from forwarder_core.db.overviews import JobView
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.analytics import bounds, day_of, percent, period_of
from forwarder_core.domain.connections import Connection, ConnectionStatus
from forwarder_core.domain.incidents import Incident
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.services import accounts as accounts_service
from forwarder_core.services import incidents, notifying, tunables
from forwarder_core.services.context import Core
from forwarder_core.services.tunables import Tuned

_DAY = timedelta(hours=24)
_UNDER_WAY = (JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.RETRY_WAIT)
_RECENT = timedelta(minutes=10)  # so long a job that ended stays in the live list


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """An account as the end of a connection."""

    id: int
    alias: str
    platform: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionView:
    """A connection with the names of what it refers to and the numbers of its jobs. `next_look_at`: None while nobody
    looks by itself. `last_run_at`: when its source was looked at last, by itself or by hand. `jobs`: all it ever had,
    by state; `week`: those that arrived and those that failed for good in the last seven days, counted as analytics
    do."""

    connection: Connection
    source: End
    destination: End
    proxy_alias: str | None
    next_look_at: datetime | None
    last_run_at: datetime | None
    jobs: dict[str, int]
    week: tuple[int, int]

    @property
    def success_7_days(self) -> float | None:
        """Percent per post; None where nothing ended."""
        return percent(self.week[0], sum(self.week))

    @property
    def succeeded(self) -> int:
        return self.jobs.get(JobStatus.SUCCESS, 0)

    @property
    def failed(self) -> int:
        return self.jobs.get(JobStatus.DEAD, 0)

    @property
    def forwarded(self) -> int:
        """Posts this connection took on, whatever became of them."""
        return sum(self.jobs.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """`success_rate` in percent of the jobs of the last day that ended; None where none did."""

    connections: dict[str, int]
    jobs_24h: dict[str, int]
    success_rate: float | None
    running: int
    most_running: int
    waiting: int
    wait_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary(Numbers):
    """The numbers with the newest jobs and the incidents, for whoever shows no lists of its own."""

    recent: list[JobView]
    incidents: list[Incident]


def numbers(core: Core) -> Numbers:
    with core.begin() as tx:
        return Numbers(**_counted(core, tx))


def summary(core: Core) -> Summary:
    troubles = incidents.worth_showing(core)
    with core.begin() as tx:
        recent = job_pages.page(tx, before_id=2**62, limit=20)
        return Summary(**_counted(core, tx), recent=recent, incidents=troubles)


def _counted(core: Core, tx: Tx) -> dict[str, Any]:
    since = core.clock.now() - _DAY
    day, now = jobs.count_by_status(tx, since=since), jobs.count_by_status(tx, among=_UNDER_WAY)
    by_status = connections.count_by_status(tx)
    ended = day.get(JobStatus.SUCCESS, 0) + day.get(JobStatus.DEAD, 0)
    return {
        "connections": {status.value: by_status.get(status, 0) for status in ConnectionStatus},
        "jobs_24h": day,
        "success_rate": round(100 * day.get(JobStatus.SUCCESS, 0) / ended, 1) if ended else None,
        "running": now.get(JobStatus.RUNNING, 0),
        "most_running": tunables.read(tx).count("dispatch.max_running"),
        "waiting": now.get(JobStatus.QUEUED, 0) + now.get(JobStatus.RETRY_WAIT, 0),
        "wait_s": overviews.waits_s(tx, since),
    }


def moving(core: Core, *, limit: int = 12) -> list[JobView]:
    """The live list: what is under way or waiting, and what ended a moment ago."""
    with core.begin() as tx:
        return overviews.moving(tx, since=core.clock.now() - _RECENT, limit=limit)


def connection_views(core: Core, chosen: Sequence[Connection]) -> list[ConnectionView]:
    zone = core.settings.zone
    first = period_of("7days", day_of(core.clock.now(), zone)).first
    with core.begin() as tx:
        return _views(tx, chosen, bounds(first, first, zone)[0])


def _views(tx: Tx, chosen: Sequence[Connection], since: datetime) -> list[ConnectionView]:
    ends = overviews.account_names(tx, [i for c in chosen for i in (c.source_account_id, c.destination_account_id)])
    aliases = overviews.proxy_names(tx, [c.proxy_id for c in chosen if c.proxy_id is not None])
    looks = overviews.looks(tx, [c.source_account_id for c in chosen])
    counted = connections.outcomes(tx, [c.id for c in chosen])
    week = connections.ended_since(tx, [c.id for c in chosen], since)

    def looked(c: Connection) -> tuple[datetime | None, datetime | None]:
        if c.status is not ConnectionStatus.ACTIVE or not c.looks_by_itself:
            return None, c.last_run_at
        next_at, last_at = looks.get(c.source_account_id, (None, None))
        return next_at, max(filter(None, (last_at, c.last_run_at)), default=None)

    def end(account_id: int) -> End:
        alias, platform = ends[account_id]
        return End(id=account_id, alias=alias, platform=platform)

    return [
        ConnectionView(
            connection=c,
            source=end(c.source_account_id),
            destination=end(c.destination_account_id),
            proxy_alias=aliases.get(c.proxy_id) if c.proxy_id is not None else None,
            next_look_at=looked(c)[0],
            last_run_at=looked(c)[1],
            jobs=counted.get(c.id, {}),
            week=week.get(c.id, (0, 0)),
        )
        for c in chosen
    ]


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """How far a new installation is: the checklist of the first screen."""

    has_source: bool
    has_destination: bool
    has_connection: bool
    has_started: bool
    has_forwarded: bool
    has_alerts: bool = False
    source: Account | None = None  # what the buttons of these steps test
    destination: Account | None = None
    connection: Connection | None = None

    @property
    def is_done(self) -> bool:
        return self.has_forwarded


def has_forwarded(core: Core) -> bool:
    """Has any post ever arrived? The end of the first steps, asked without all the others."""
    with core.begin() as tx:
        return bool(jobs.page(tx, before_id=2**62, limit=1, status=(JobStatus.SUCCESS,)))


def first_steps(core: Core) -> FirstSteps:
    with core.begin() as tx:
        known = connections.page(tx, after=0, limit=1_000)
        done = jobs.page(tx, before_id=2**62, limit=1, status=(JobStatus.SUCCESS,))
    owned = accounts_service.page(core, limit=1_000)
    alerts = notifying.undelivered(core)
    source = next((a for a in owned if accounts_service.can_be(a.platform, Role.SOURCE)), None)
    able = [a for a in owned if accounts_service.can_be(a.platform, Role.DESTINATION)]
    destination = next((a for a in able if a != source), None)
    return FirstSteps(
        has_source=source is not None,
        has_destination=destination is not None,
        has_connection=bool(known),
        has_started=any(c.started_at is not None for c in known),
        has_forwarded=bool(done),
        has_alerts=alerts.is_configured or alerts.has_other_roads,
        source=source,
        destination=destination,
        connection=known[-1] if known else None,
    )


def workers(core: Core) -> list[dict[str, Any]]:
    """The processes that said they are alive, each with its machine and when it was heard of last."""
    with core.begin() as tx:
        return events.beats(tx)


def tuned(core: Core) -> Tuned:
    """The settings in force at this moment."""
    with core.begin() as tx:
        return tunables.read(tx)


def logs(
    core: Core,
    *,
    before: int = 2**62,
    limit: int = 50,
    oldest_first: bool = False,
    hour: int | None = None,
    **wanted: Any,
) -> list[dict[str, Any]]:
    """Log events, newest first, or oldest first from the one after `before`. `hour`: of a day of the installation's
    zone, 0 to 23. `wanted`: job_id, connection_id, account_id (and what was written about the connections it is an end
    of), level, code, since, until, q (beginnings of words)."""
    at = None if hour is None else (hour, core.settings.timezone)
    with core.begin() as tx:
        return events.logs(tx, before_id=before, limit=limit, oldest_first=oldest_first, hour=at, **wanted)
