"""Schedules of credentials: renewed ahead of time every hour, their ends looked at every six."""

import dagster as dg

from forwarder_core.services import token_watch
from forwarder_pipelines.opening import this_core


@dg.op(description="Renew every credential that ends soon; one that fails delays no other.")
def refresh_tokens(context: dg.OpExecutionContext) -> None:
    for looked in token_watch.refresh_due(this_core()):
        context.log.info(f"{looked.account}: {looked.words}")


@dg.job(executor_def=dg.in_process_executor, description="Renew credentials ahead of time.")
def token_refresh_job() -> None:
    refresh_tokens()


@dg.op(description="Warn of what ends soon, stop what has ended.")
def watch_tokens(context: dg.OpExecutionContext) -> None:
    for looked in token_watch.watch_expiry(this_core()):
        context.log.info(f"{looked.account}: {looked.words}")


@dg.job(executor_def=dg.in_process_executor, description="Until when does each sign-in last?")
def token_expiry_job() -> None:
    watch_tokens()


token_refresh_schedule = dg.ScheduleDefinition(
    job=token_refresh_job, cron_schedule="7 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)

token_expiry_schedule = dg.ScheduleDefinition(
    job=token_expiry_job, cron_schedule="27 */6 * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
