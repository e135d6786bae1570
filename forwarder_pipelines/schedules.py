"""Schedules: upkeep with periods of hours, visible in Dagit with its history."""

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from forwarder_core.services import proxy_health, retention
from forwarder_pipelines import partitions
from forwarder_pipelines.opening import this_core

KEPT_PARTITIONS = 5_000  # Dagit slows down with tens of thousands
MOST_RUNS = 500  # an hour: a run takes 27 ms to delete, and a day has no more than that


@dg.op(description="Delete files and logs past their retention.")
def sweep_files(context: dg.OpExecutionContext) -> None:
    swept = retention.sweep(this_core())
    context.log.info(f"{swept.job_folders} job folders and {swept.log_events} log events deleted")


@dg.op(description="Forget runs that ended long ago, with their events; what became of each post stays in our tables.")
def forget_runs(context: dg.OpExecutionContext) -> None:
    before = retention.runs_kept_from(this_core())
    ended = dg.RunsFilter(statuses=FINISHED_STATUSES, created_before=before)
    old = context.instance.get_run_records(ended, limit=MOST_RUNS, ascending=True)
    for record in old:
        context.instance.delete_run(record.dagster_run.run_id)
    context.log.info(f"{len(old)} runs of before {before:%Y-%m-%d} forgotten")


@dg.op(description="Forget the oldest post partitions; what was materialized stays in Dagster's history.")
def forget_partitions(context: dg.OpExecutionContext) -> None:
    name = partitions.posts.name or ""
    known = sorted(context.instance.get_dynamic_partitions(name), key=lambda key: int(key.partition("|")[2]))
    for key in known[:-KEPT_PARTITIONS]:
        context.instance.delete_dynamic_partition(name, key)


@dg.job(executor_def=dg.in_process_executor, description="Keep the house small.")
def retention_job() -> None:
    sweep_files()
    forget_runs()
    forget_partitions()


@dg.op(description="Ask the targets through every proxy; tell, move and pause where one is down.")
def check_proxies(context: dg.OpExecutionContext) -> None:
    for checked in proxy_health.check_all(this_core()):
        words = checked.error or f"{checked.average_ms} ms"
        context.log.info(f"{checked.proxy.alias}: {checked.verdict} ({words})")


@dg.job(executor_def=dg.in_process_executor, description="Is every proxy up?")
def proxy_check_job() -> None:
    check_proxies()


def _is_clean_up_due(context: dg.ScheduleEvaluationContext) -> bool:
    return retention.is_due(this_core(), context.scheduled_execution_time)


retention_schedule = dg.ScheduleDefinition(
    job=retention_job,
    cron_schedule=f"{retention.MINUTE} * * * *",
    should_execute=_is_clean_up_due,
    default_status=dg.DefaultScheduleStatus.RUNNING,
)

proxy_check_schedule = dg.ScheduleDefinition(
    job=proxy_check_job, cron_schedule="*/30 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
