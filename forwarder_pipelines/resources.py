"""What ops are given: the carrier of this run's job, and what passes between them."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from forwarder_core.services.carrying import Carrier
from forwarder_pipelines.opening import this_core

JOB_TAG = "fwd/job"
DISPATCH_TAG = "fwd/dispatch"
REQUEST_TAG = "fwd/request"


@dg.resource(description="The job this run carries: claimed by the first op that asks, let go at the end of the run.")
def carrier(context: dg.InitResourceContext) -> Iterator[Carrier]:
    run = context.run
    tags = run.tags if run else {}
    # A re-executed run carries its parent's tags, and that launch is spent: it opens the job's next attempt.
    launch = None if run and run.parent_run_id else int(tags.get(DISPATCH_TAG, 0))
    held = Carrier(this_core(), int(tags.get(JOB_TAG, 0)), launch, run.run_id if run else "")
    try:
        yield held
    finally:
        held.let_go()


class JobIdIOManager(dg.IOManager):
    """Between ops passes only the id of the job, and the run's tags hold that: nothing is stored."""

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        return None

    def load_input(self, context: dg.InputContext) -> int:
        return int(context.step_context.dagster_run.tags[JOB_TAG])


@dg.io_manager
def job_id_io_manager() -> JobIdIOManager:
    return JobIdIOManager()
