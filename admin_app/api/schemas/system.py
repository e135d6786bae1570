"""The dashboard and the health of the installation over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from admin_app.api.schemas.base import Out
from admin_app.api.schemas.incidents import IncidentOut
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.services.census import Census
from forwarder_core.services.health import Health
from forwarder_core.services.overview import FirstSteps, Summary


class ConnectionCounts(Out):
    total: int
    active: int
    paused: int
    stopped: int


class JobCounts(Out):
    """`success_rate` in percent of those that ended; null where none did."""

    total: int
    succeeded: int
    failed: int
    retrying: int
    success_rate: float | None


class Workers(Out):
    active: int
    total_capacity: int
    utilization_percent: float


class Queue(Out):
    pending_jobs: int
    avg_wait_time_seconds: float | None


class Activity(Out):
    timestamp: datetime
    job_id: int
    connection_name: str
    status: str


class SummaryOut(Out):
    connections: ConnectionCounts
    jobs_24h: JobCounts
    workers: Workers
    queue: Queue
    recent_activity: list[Activity]
    incidents: list[IncidentOut]

    @classmethod
    def of(cls, summary: Summary) -> SummaryOut:
        day = summary.jobs_24h
        return cls(
            connections=ConnectionCounts(total=sum(summary.connections.values()), **summary.connections),
            jobs_24h=JobCounts(
                total=sum(day.values()),
                succeeded=day.get(JobStatus.SUCCESS, 0),
                failed=day.get(JobStatus.DEAD, 0),
                retrying=day.get(JobStatus.RETRY_WAIT, 0),
                success_rate=summary.success_rate,
            ),
            workers=Workers(
                active=summary.running,
                total_capacity=summary.most_running,
                utilization_percent=round(100 * summary.running / summary.most_running, 1),
            ),
            queue=Queue(pending_jobs=summary.waiting, avg_wait_time_seconds=summary.wait_s),
            recent_activity=[
                Activity(
                    timestamp=v.changed_at, job_id=v.job.id, connection_name=v.connection_name, status=v.job.status
                )
                for v in summary.recent
            ],
            incidents=[IncidentOut.of(incident) for incident in summary.incidents],
        )


class FirstStepsOut(Out):
    has_source: bool
    has_destination: bool
    has_connection: bool
    has_started: bool
    has_forwarded: bool
    has_alerts: bool
    is_done: bool

    @classmethod
    def of(cls, steps: FirstSteps) -> FirstStepsOut:
        return cls(**{name: getattr(steps, name) for name in cls.model_fields})


class CheckOut(Out):
    status: str
    detail: str
    facts: dict[str, Any]


class HealthOut(Out):
    status: str
    at: datetime | None
    checks: dict[str, CheckOut]

    @classmethod
    def of(cls, health: Health) -> HealthOut:
        checks = {name: CheckOut(status=c.state, detail=c.detail, facts=c.facts) for name, c in health.checks.items()}
        return cls(status=health.state, at=health.at, checks=checks)


class CensusOut(Out):
    undecided_posts: int
    stuck_jobs: int
    is_clean: bool

    @classmethod
    def of(cls, taken: Census) -> CensusOut:
        return cls(undecided_posts=taken.undecided_posts, stuck_jobs=taken.stuck_jobs, is_clean=taken.is_clean)
