"""The schedules of the analytics: anomalies every 15 minutes, today and what changed every hour, reports of weeks and
months.

Noon in UTC is past midnight everywhere, so a report's last day is over in the installation's own zone.
(No postponed annotations here: Dagster reads the class of `context`.)
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from forwarder_core.services import analytics_days, anomalies, happenings
from forwarder_pipelines.assets.analytics import days
from forwarder_pipelines.opening import this_core

_DAILY_KEYS = [
    "connection_daily",
    "account_daily",
    "system_daily",
    "failure_reasons",
    "retry_stats",
    "uptime",
    "proxy_health",
    "latency",
    "throughput",
]
_MOST_RUNS = 5  # of one hour, beside today's
_LOOKED_BACK = timedelta(hours=3)  # a tick or two may be left out

analytics_job = dg.define_asset_job(
    "analytics_job",
    selection=dg.AssetSelection.assets(*_DAILY_KEYS),
    executor_def=dg.in_process_executor,
    description="The figures of a day.",
)
token_calendar_job = dg.define_asset_job(
    "token_calendar_job",
    selection=dg.AssetSelection.assets("token_calendar", "soak_report"),
    executor_def=dg.in_process_executor,
    description="Which sign-ins end soon, and what the last soaks found.",
)
report_weekly_job = dg.define_asset_job(
    "report_weekly_job",
    selection=dg.AssetSelection.assets("weekly_rollup", "report_weekly"),
    executor_def=dg.in_process_executor,
    description="The last week as a report.",
)
report_monthly_job = dg.define_asset_job(
    "report_monthly_job",
    selection=dg.AssetSelection.assets("monthly_rollup", "report_monthly"),
    executor_def=dg.in_process_executor,
    description="The last month as a report.",
)


@dg.op(description="Tell of accounts whose success or volume fell; note which release runs.")
def look_for_anomalies(context: dg.OpExecutionContext) -> None:
    core = this_core()
    happenings.note_release(core)
    for found in anomalies.tell(core):
        context.log.info(f"{found.name}: {found.anomaly.kind}, {found.anomaly.value:g} (usual {found.anomaly.usual:g})")


@dg.job(executor_def=dg.in_process_executor, description="Is an account out of its ordinary?")
def anomaly_job() -> None:
    look_for_anomalies()


anomaly_schedule = dg.ScheduleDefinition(
    job=anomaly_job, cron_schedule="8,23,38,53 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)


@dg.schedule(job=analytics_job, cron_schedule="12 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING)
def analytics_schedule(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """Today, and past days whose rows changed: to be counted still, or counted since Dagit's chart of them was made."""
    core = this_core()
    counted = analytics_days.counted_since(core, core.clock.now() - _LOOKED_BACK)
    changed = sorted({*analytics_days.stale(core, _MOST_RUNS), *_undrawn(context.instance, counted)})
    for day in sorted({analytics_days.today(core), *changed[-_MOST_RUNS:]}):
        if day >= date.fromisoformat(days.get_first_partition_key() or "9999-01-01"):
            yield dg.RunRequest(partition_key=day.isoformat())


def _undrawn(instance: dg.DagsterInstance, counted: Mapping[date, datetime]) -> Iterator[date]:
    """Those that were not materialized since."""
    for day, at in counted.items():
        made = dg.AssetRecordsFilter(
            asset_key=dg.AssetKey("connection_daily"),
            asset_partitions=[day.isoformat()],
            after_timestamp=at.timestamp(),
        )
        if not instance.fetch_materializations(made, limit=1).records:
            yield day


token_calendar_schedule = dg.ScheduleDefinition(
    job=token_calendar_job, cron_schedule="22 5 * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)


@dg.schedule(job=report_weekly_job, cron_schedule="35 12 * * 1", default_status=dg.DefaultScheduleStatus.RUNNING)
def report_weekly_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """On Monday, of the week before."""
    monday = context.scheduled_execution_time.date() - timedelta(days=7)
    return dg.RunRequest(run_key=f"week:{monday}", partition_key=monday.isoformat())


@dg.schedule(job=report_monthly_job, cron_schedule="45 12 1 * *", default_status=dg.DefaultScheduleStatus.RUNNING)
def report_monthly_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """On the first, of the month before."""
    first = (context.scheduled_execution_time.date().replace(day=1) - timedelta(days=1)).replace(day=1)
    return dg.RunRequest(run_key=f"month:{first}", partition_key=first.isoformat())


JOBS: list[dg.JobDefinition | UnresolvedAssetJobDefinition] = [
    analytics_job,
    anomaly_job,
    token_calendar_job,
    report_weekly_job,
    report_monthly_job,
]
SCHEDULES = [
    analytics_schedule,
    anomaly_schedule,
    token_calendar_schedule,
    report_weekly_schedule,
    report_monthly_schedule,
]
