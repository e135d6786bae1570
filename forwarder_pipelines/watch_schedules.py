"""The schedules that look after the house: thresholds every five minutes, summaries every hour."""

import dagster as dg

from forwarder_core.services import summaries, watching
from forwarder_pipelines.opening import this_core


@dg.op(description="Measure what has a threshold; tell what began and what ended.")
def watch_thresholds(context: dg.OpExecutionContext) -> None:
    for crossing in watching.watch(this_core()):
        word = "beyond" if crossing.is_start else "back within"
        context.log.info(f"{crossing.reading.metric} {crossing.reading.subject}: {word} its threshold")


@dg.job(executor_def=dg.in_process_executor, description="Is there trouble nobody reported?")
def watch_job() -> None:
    watch_thresholds()


@dg.op(description="Write the daily and the weekly summary once their hour has come.")
def post_summaries(context: dg.OpExecutionContext) -> None:
    asked = summaries.post_due(this_core())
    context.log.info(f"Due today: {', '.join(asked) or 'none yet'}")


@dg.job(executor_def=dg.in_process_executor, description="What was forwarded, what failed and why.")
def summary_job() -> None:
    post_summaries()


watch_schedule = dg.ScheduleDefinition(
    job=watch_job, cron_schedule="*/5 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)

summary_schedule = dg.ScheduleDefinition(
    job=summary_job, cron_schedule="3 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
