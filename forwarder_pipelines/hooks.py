"""What happens when a run ends without having closed its job: the failure hook, and the sensor for what no hook sees.

The ops close the attempt themselves. The hook is for an op that could not even begin (an import, a resource); it does
not fire when a worker dies, so the run-failure sensor looks too. Whoever comes first does it; the others find it done.
"""

import dagster as dg

from forwarder_core.services import dry_running, recovery
from forwarder_pipelines.opening import this_core
from forwarder_pipelines.resources import DISPATCH_TAG, JOB_TAG

LOOK_S = 20  # each look costs what a tick of a watch sensor costs; a lease that ends tells the same later


@dg.failure_hook(name="close_attempt_hook")
def close_attempt_hook(context: dg.HookContext) -> None:
    """Take the job back from an op that failed without saying so."""
    if recovery.run_ended(this_core(), context.run_id, by_its_own_worker=True):
        context.log.warning("The op ended without closing its job; it is taken back.")


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.FAILURE,
    name="run_failure_sensor",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=LOOK_S,
    description="Takes back the job of a run that failed without closing it, as when its worker died.",
)
def run_failure_sensor(context: dg.RunStatusSensorContext) -> None:
    run = context.dagster_run
    if not recovery.run_ended(this_core(), run.run_id) and not run.parent_run_id:
        recovery.never_began(this_core(), int(run.tags.get(JOB_TAG, 0)), int(run.tags.get(DISPATCH_TAG, 0)))
    dry_running.run_ended(this_core(), context.dagster_run.run_id)


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.CANCELED,
    name="run_canceled_sensor",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=LOOK_S,
    description="The same for a run that was terminated.",
)
def run_canceled_sensor(context: dg.RunStatusSensorContext) -> None:
    recovery.run_ended(this_core(), context.dagster_run.run_id, is_cancelled=True)
    dry_running.run_ended(this_core(), context.dagster_run.run_id, is_cancelled=True)
