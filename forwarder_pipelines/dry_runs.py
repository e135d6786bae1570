"""Dry runs in Dagster: a job of one op, apart from the forward. What it does is `services.dry_running`.

(No postponed annotations here: Dagster reads the class of `context` from its annotation.)
"""

import dagster as dg

from forwarder_core.domain.requests import Request
from forwarder_core.errors import ForwarderError
from forwarder_core.logs import redact
from forwarder_core.services import dry_running
from forwarder_pipelines.opening import this_core
from forwarder_pipelines.resources import DISPATCH_TAG, REQUEST_TAG


@dg.op(description="Fetch, transform and word the newest posts; nothing is written at the destination.")
def try_posts(context: dg.OpExecutionContext) -> None:
    tags = context.run.tags
    try:
        ended = dry_running.carry(this_core(), int(tags[REQUEST_TAG]), int(tags[DISPATCH_TAG]), context.run_id)
    except dg.DagsterExecutionInterruptedError:
        asked = context.instance.get_run_by_id(context.run_id)
        is_terminated = asked is not None and asked.status is dg.DagsterRunStatus.CANCELING
        dry_running.run_ended(this_core(), context.run_id, is_cancelled=is_terminated)
        raise
    except ForwarderError as e:
        raise dg.Failure(redact(e.message), metadata={"code": e.code}, allow_retries=False) from None
    context.log.info(f"The dry run is {ended}." if ended else "Nothing is done: this launch is spent.")


@dg.job(executor_def=dg.in_process_executor, description="What the newest posts of a connection would become.")
def dry_run_job() -> None:
    try_posts()


def run_request(request: Request) -> dg.RunRequest:
    """Ids only: Dagster stores and shows its tags."""
    return dg.RunRequest(
        run_key=f"dry-run:{request.id}:{request.dispatch_no}",
        job_name=dry_run_job.name,
        tags={
            REQUEST_TAG: str(request.id),
            DISPATCH_TAG: str(request.dispatch_no),
            "fwd/connection": str(request.connection_id),
        },
    )
