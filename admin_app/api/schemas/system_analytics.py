"""The whole system's analytics over the wire: load, latency, proxies, dead letters, credentials that end."""

from __future__ import annotations

import datetime as dt

from admin_app.api.schemas.analytics import DayOut, HoursOut, MetricsOut, PeriodOut
from admin_app.api.schemas.base import Out
from forwarder_core.domain.proxies import Health
from forwarder_core.services.analytics import View
from forwarder_core.services.analytics_tables import title
from forwarder_core.services.tokens import TokenView


class DeadLetterOut(Out):
    reason: str
    title: str
    jobs: int
    oldest_at: dt.datetime | None


class ProxyOut(Out):
    """Checks of the period; `status` at present."""

    proxy_id: int
    proxy: str
    status: Health
    checks: int
    failed: int
    error_rate: float | None
    avg_latency_ms: int | None


class EndingOut(Out):
    account_id: int
    account_alias: str
    expires_at: dt.datetime | None


class SystemAnalyticsOut(Out):
    """`worker_utilization_percent` of the slot-seconds there were; latencies from posted at the source to seen at the
    destination. `total_video_bytes` are those sent. `uncounted_days`: of the period those that are being counted; what
    is told of them is old or missing."""

    period: PeriodOut
    uncounted_days: list[dt.date]
    metrics: MetricsOut
    total_video_bytes: int
    worker_utilization_percent: float | None
    jobs_per_minute: float | None
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    peak_hours: HoursOut | None
    jobs_by_hour: dict[int, int]
    proxies: list[ProxyOut]
    dead_letters: list[DeadLetterOut]
    tokens_expiring: dict[str, list[EndingOut]]
    daily_stats: list[DayOut]

    @classmethod
    def of(cls, view: View, ending: dict[int, list[TokenView]]) -> SystemAnalyticsOut:
        return cls(
            period=PeriodOut.of(view.period),
            uncounted_days=list(view.uncounted),
            metrics=MetricsOut.of(view.tally, view.uptime),
            total_video_bytes=view.tally.bytes_sent,
            worker_utilization_percent=view.load.utilisation,
            jobs_per_minute=view.load.jobs_per_minute,
            latency_p50_seconds=view.load.latency_p50_s,
            latency_p95_seconds=view.load.latency_p95_s,
            peak_hours=HoursOut.of(view.peak),
            jobs_by_hour=view.by_hour,
            proxies=_proxies(view),
            dead_letters=[
                DeadLetterOut(
                    reason=one["code"], title=title(one["code"]), jobs=one["jobs"], oldest_at=one["oldest_at"]
                )
                for one in view.dead_letters
            ],
            tokens_expiring={f"{within}days": [_ending(one) for one in views] for within, views in ending.items()},
            daily_stats=DayOut.newest_first(view.days),
        )


def _ending(view: TokenView) -> EndingOut:
    return EndingOut(account_id=view.account.id, account_alias=view.account.alias, expires_at=view.next_action_at)


def _proxies(view: View) -> list[ProxyOut]:
    return [
        ProxyOut(
            proxy_id=one.proxy_id,
            proxy=one.alias,
            status=one.health,
            checks=one.checks,
            failed=one.failed,
            error_rate=one.error_rate,
            avg_latency_ms=one.average_ms,
        )
        for one in view.by_proxy
    ]
