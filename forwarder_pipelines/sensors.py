"""Sensors: look at sources, and ask for the runs of what is due. A fixed small number; connections are rows.

A tick holds no state: the cursor is in our own tables, so a reset of Dagster's loses and doubles nothing. Each watch
tick asks for due jobs at its end, so that a new post starts at once; the dispatch sensor asks for everything else.
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from forwarder_core.domain.jobs import Dispatch
from forwarder_core.domain.requests import Request
from forwarder_core.services import detection, dry_running, forwarding, heartbeats
from forwarder_pipelines import dry_runs, partitions
from forwarder_pipelines.calm_daemon import WATCH_SHARDS, watch_name
from forwarder_pipelines.dry_runs import dry_run_job
from forwarder_pipelines.hooks import run_canceled_sensor, run_failure_sensor
from forwarder_pipelines.jobs import forward_job
from forwarder_pipelines.opening import this_core
from forwarder_pipelines.resources import DISPATCH_TAG, JOB_TAG

TICK_S = 4  # the daemon looks every five seconds: at five, half of its looks would come a hair too early
Asked = dg.SensorResult | dg.SkipReason
_POLL_BUDGET_S = 40.0  # a sensor call is cut off after 60 s
_MOMENT_S = 0.3  # looks that find something at about the same time begin their runs together


def watch_sensor(shard: int) -> dg.SensorDefinition:
    """The sensor that looks at the sources of one shard."""

    @dg.sensor(
        name=watch_name(shard),
        job=forward_job,
        minimum_interval_seconds=TICK_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Looks at the due sources of shard {shard + 1} of {WATCH_SHARDS} and starts what they bring.",
    )
    def watch(context: dg.SensorEvaluationContext) -> Asked:
        heartbeats.beat(this_core(), watch_name(shard), kind=heartbeats.SENSOR)
        polled = detection.poll_due(
            this_core(), shard=shard, shards=WATCH_SHARDS, budget_s=_POLL_BUDGET_S, moment_s=_MOMENT_S
        )
        brought = sum(p.new_posts for p in polled)
        return _ask_for_runs(f"{len(polled)} sources looked at, {brought} new posts" if polled else "no source is due")

    return watch


@dg.sensor(
    jobs=[forward_job, dry_run_job],
    minimum_interval_seconds=TICK_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts the jobs that are due (retries, released holds, run-now) and the dry runs that were asked for.",
)
def dispatch_sensor(context: dg.SensorEvaluationContext) -> Asked:
    heartbeats.beat(this_core(), "dispatch_sensor", kind=heartbeats.SENSOR)
    return _ask_for_runs("no job is due", dry_running.launches(this_core()))


def _ask_for_runs(nothing: str, beside: Sequence[Request] = ()) -> Asked:
    """`beside`: dry runs to start as well."""
    due = forwarding.dispatchable(this_core())
    if not due and not beside:
        return dg.SkipReason(nothing)
    return dg.SensorResult(
        run_requests=[*map(run_request, due), *map(dry_runs.run_request, beside)],
        dynamic_partitions_requests=[partitions.posts.build_add_request([d.partition_key for d in due])],
    )


def run_request(dispatch: Dispatch) -> dg.RunRequest:
    """Ids only: Dagster stores and shows its tags."""
    return dg.RunRequest(
        run_key=dispatch.run_key,
        job_name=forward_job.name,
        partition_key=dispatch.partition_key,
        tags={
            JOB_TAG: str(dispatch.job_id),
            DISPATCH_TAG: str(dispatch.dispatch_no),
            "fwd/connection": str(dispatch.connection_id),
            "fwd/post": str(dispatch.source_post_id),
            "dagster/priority": str(dispatch.priority),
        },
    )


def all_sensors() -> Sequence[dg.SensorDefinition]:
    watching = [watch_sensor(shard) for shard in range(WATCH_SHARDS)]
    return [*watching, dispatch_sensor, run_failure_sensor, run_canceled_sensor]
