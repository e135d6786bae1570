"""Analytics over the wire, in the words of the functional specification 4.8. Shares are percent; null = not known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from admin_app.api.schemas.base import Body, Out
from forwarder_core.domain import analytics as figures
from forwarder_core.domain.analytics import Cause, Period, Tally
from forwarder_core.services.analytics import AccountLine, ConnectionLine, DayLine, View
from forwarder_core.services.analytics_tables import title
from forwarder_core.services.fixing import remedy_of

PeriodName = Literal["weekly", "monthly", "7days", "30days", "90days"]
TableName = Literal[
    "days",
    "connections",
    "accounts",
    "failures",
    "proxies",
    "proxy_totals",
    "hours",
    "dead_letters",
    "events",
    "weeks",
    "months",
]


class _Span(Body):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    period: PeriodName = Field("30days", description="`weekly` since Monday, `monthly` since the first; all end today")
    first: dt.date | None = Field(None, alias="from", description="With or without `to`, in the place of `period`")
    last: dt.date | None = Field(None, alias="to")

    @model_validator(mode="after")
    def _begins(self) -> _Span:
        if self.first is None and self.last is not None:
            raise ValueError("`to` needs `from`")
        return self


class SpanQuery(_Span):
    """Which days."""


class ExportIn(_Span):
    """Which table, of which days."""

    table: TableName = "days"
    format: Literal["csv"] = "csv"


class PeriodOut(Out):
    start: dt.date
    end: dt.date

    @classmethod
    def of(cls, period: Period) -> PeriodOut:
        return cls(start=period.first, end=period.last)


class MetricsOut(Out):
    """Jobs are those that ended in the period. `success_rate` is per post, `attempt_success_rate` per attempt."""

    total_jobs: int
    succeeded: int
    failed: int
    success_rate: float | None
    failure_rate: float | None
    attempts: int
    attempt_success_rate: float | None
    avg_retry_count: float | None
    avg_job_duration_seconds: float | None
    avg_wait_seconds: float | None
    uptime_percent: float | None
    bytes_fetched: int
    bytes_sent: int

    @classmethod
    def of(cls, tally: Tally, uptime: float | None) -> MetricsOut:
        return cls(
            total_jobs=tally.total,
            succeeded=tally.succeeded,
            failed=tally.failed,
            success_rate=tally.success_rate,
            failure_rate=figures.percent(tally.failed, tally.total),
            attempts=tally.attempts_succeeded + tally.attempts_failed,
            attempt_success_rate=tally.attempt_rate,
            avg_retry_count=tally.avg_retries,
            avg_job_duration_seconds=tally.avg_duration_s,
            avg_wait_seconds=tally.avg_wait_s,
            uptime_percent=uptime,
            bytes_fetched=tally.bytes_fetched,
            bytes_sent=tally.bytes_sent,
        )


class FailureOut(Out):
    """`count`: jobs that failed of it for good. `gain_points`: so much higher were the success rate without it."""

    reason: str
    title: str
    count: int
    percent: float | None
    attempts: int
    gain_points: float

    @classmethod
    def of(cls, cause: Cause) -> FailureOut:
        return cls(
            reason=cause.code,
            title=title(cause.code),
            count=cause.jobs,
            percent=cause.percent,
            attempts=cause.attempts,
            gain_points=cause.gain,
        )


class DayOut(Out):
    """`grade`: good above 95 % of success, fair from 80, bad below or when nothing arrived, idle without work."""

    date: dt.date
    total: int
    succeeded: int
    failed: int
    success_rate: float | None
    grade: str

    @classmethod
    def newest_first(cls, days: Sequence[DayLine]) -> list[DayOut]:
        return [
            cls(
                date=line.day,
                total=line.tally.total,
                succeeded=line.tally.succeeded,
                failed=line.tally.failed,
                success_rate=line.tally.success_rate,
                grade=line.grade.value,
            )
            for line in reversed(days)
        ]


class HoursOut(Out):
    """Local hours, `to` excluded."""

    start: int
    to: int

    @classmethod
    def of(cls, peak: tuple[int, int] | None) -> HoursOut | None:
        return cls(start=peak[0], to=peak[1]) if peak else None


class ConnectionAnalyticsOut(Out):
    """`uncounted_days`: of the period those that are being counted; what is told of them is old or missing."""

    connection_id: int
    connection_name: str
    status: str
    period: PeriodOut
    uncounted_days: list[dt.date]
    metrics: MetricsOut
    failure_breakdown: list[FailureOut]
    daily_stats: list[DayOut]
    peak_hours: HoursOut | None
    last_failed_at: dt.datetime | None

    @classmethod
    def of(cls, line: ConnectionLine, period: Period) -> ConnectionAnalyticsOut:
        return cls(
            connection_id=line.named.id,
            connection_name=line.named.name,
            status="deleted" if line.named.is_deleted else line.named.status,
            period=PeriodOut.of(period),
            uncounted_days=list(line.uncounted),
            metrics=MetricsOut.of(line.tally, line.uptime),
            failure_breakdown=[FailureOut.of(cause) for cause in line.causes],
            daily_stats=DayOut.newest_first(line.days),
            peak_hours=HoursOut.of(line.peak),
            last_failed_at=line.last_failed_at,
        )


class AccountMetricsOut(Out):
    total_forwarded: int
    as_source: int
    as_destination: int
    succeeded: int
    failed: int
    success_rate: float | None
    uptime_percent: float | None
    own_failures: int


class AccountConnectionOut(Out):
    connection_id: int
    name: str
    role: str
    status: str
    success_rate: float | None


class TokenStatusOut(Out):
    valid: bool
    expires_at: dt.datetime | None
    days_until_expiry: int | None


class ErrorDayOut(Out):
    """`count`: attempts that failed of it in the account's own step on that day."""

    date: dt.date
    reason: str
    count: int


class AccountAnalyticsOut(Out):
    """`health_parts`: the points of 40 for success, 30 for uptime, 20 for the sign-in, 10 for the last failure.
    `uncounted_days`: of the period those that are being counted; what is told of them is old or missing."""

    account_id: int
    account_alias: str
    account_type: str
    status: str
    health_score: int | None
    health_parts: dict[str, float | None]
    period: PeriodOut
    uncounted_days: list[dt.date]
    metrics: AccountMetricsOut
    connections: list[AccountConnectionOut]
    token_status: TokenStatusOut
    last_failed_at: dt.datetime | None
    error_history: list[ErrorDayOut]
    daily_stats: list[DayOut]

    @classmethod
    def of(
        cls, line: AccountLine, using: Iterable[tuple[ConnectionLine, str]], period: Period, now: dt.datetime
    ) -> AccountAnalyticsOut:
        expiry = line.token_expiry
        return cls(
            account_id=line.id,
            account_alias=line.alias,
            account_type=line.platform,
            status=line.status,
            health_score=line.health.score,
            health_parts=dict(line.health.parts),
            period=PeriodOut.of(period),
            uncounted_days=list(line.uncounted),
            metrics=AccountMetricsOut(
                total_forwarded=line.as_source + line.as_destination,
                as_source=line.as_source,
                as_destination=line.as_destination,
                succeeded=line.tally.succeeded,
                failed=line.tally.failed,
                success_rate=line.tally.success_rate,
                uptime_percent=line.uptime,
                own_failures=line.blamed,
            ),
            connections=[_used(one, role) for one, role in using],
            token_status=TokenStatusOut(
                valid=line.is_token_valid, expires_at=expiry, days_until_expiry=(expiry - now).days if expiry else None
            ),
            last_failed_at=line.last_failed_at,
            error_history=[
                ErrorDayOut(date=one.day, reason=one.code, count=one.attempts) for one in reversed(line.errors)
            ],
            daily_stats=DayOut.newest_first(line.days),
        )


def _used(line: ConnectionLine, role: str) -> AccountConnectionOut:
    return AccountConnectionOut(
        connection_id=line.named.id,
        name=line.named.name,
        role=role,
        status="deleted" if line.named.is_deleted else line.named.status,
        success_rate=line.tally.success_rate,
    )


class RateOut(Out):
    id: int
    name: str
    total: int
    failed: int
    success_rate: float | None
    uptime_percent: float | None


class FixOut(Out):
    """`gain_points`: of uptime, in percent of the connection-days with work. `remedy`: sign_in, challenge, test_proxy
    or retry_all."""

    reason: str
    title: str
    remedy: str
    account_id: int
    jobs: int
    days: int
    gain_points: float


class AnalyticsSummaryOut(Out):
    """`forwarded_count` and the four after it are the summary row of the brief; `metrics` says more. `uncounted_days`:
    of the period those that are being counted; what is told of them is old or missing."""

    period: PeriodOut
    uncounted_days: list[dt.date]
    forwarded_count: int
    success_count: int
    fail_count: int
    avg_retries: float | None
    top_errors: list[FailureOut]
    metrics: MetricsOut
    failure_breakdown: list[FailureOut]
    daily_stats: list[DayOut]
    connections: list[RateOut]
    accounts: list[RateOut]
    dead_letters: int
    peak_hours: HoursOut | None
    what_next: list[FixOut]

    @classmethod
    def of(cls, view: View) -> AnalyticsSummaryOut:
        causes = [FailureOut.of(cause) for cause in view.causes]
        return cls(
            period=PeriodOut.of(view.period),
            uncounted_days=list(view.uncounted),
            forwarded_count=view.tally.total,
            success_count=view.tally.succeeded,
            fail_count=view.tally.failed,
            avg_retries=view.tally.avg_retries,
            top_errors=[one for one in causes if one.count][:5],
            metrics=MetricsOut.of(view.tally, view.uptime),
            failure_breakdown=causes,
            daily_stats=DayOut.newest_first(view.days),
            connections=[_rate(c.named.id, c.named.name, c.tally, c.uptime) for c in view.connections],
            accounts=[_rate(a.id, a.alias, a.tally, a.uptime) for a in view.accounts],
            dead_letters=sum(one["jobs"] for one in view.dead_letters),
            peak_hours=HoursOut.of(view.peak),
            what_next=[
                FixOut(
                    reason=f.code,
                    title=title(f.code),
                    remedy=remedy_of(f.code).value,
                    account_id=f.account_id,
                    jobs=f.jobs,
                    days=f.days,
                    gain_points=f.gain,
                )
                for f in view.fixes
            ],
        )


def _rate(id_: int, name: str, tally: Tally, uptime: float | None) -> RateOut:
    rate = tally.success_rate
    return RateOut(id=id_, name=name, total=tally.total, failed=tally.failed, success_rate=rate, uptime_percent=uptime)
