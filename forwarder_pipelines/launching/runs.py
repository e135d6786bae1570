"""What a child does: execute a run as `dagster api execute_run` would, or close runs that died.

What lives here: Dagster's side of a child, of the warm launcher's or of a Celery worker's. What does not: the process
around it (forking, celery_worker), the run after (succession).
The fact to know: exit code 0 means that the run has its end in Dagster, well or badly; with any other the server has
a second child write that end, so that a killed run is not shown as running until the monitor looks.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import EngineEventData
from dagster._core.instance import InstanceRef
from dagster._grpc.impl import core_execute_run
from dagster._utils.hosted_user_process import recon_job_from_origin
from dagster._utils.interrupts import capture_interrupts

from forwarder_pipelines.calm_storage import holding
from forwarder_pipelines.launching.records import Records, Worker

FINISHED, UNFINISHED = 0, 1


class Outcome(StrEnum):
    """`ended`: failed or canceled. `unfinished`: Dagster still counts it as under way."""

    SUCCEEDED = "succeeded"
    ENDED = "ended"
    UNFINISHED = "unfinished"


def execute(instance: dg.DagsterInstance, records: Records | None, run_id: str) -> Outcome:
    """Execute the run in this process. SIGTERM ends it: canceled if someone asked for that in Dagster, else failed.
    Without `records` somebody else knows which process carries it."""
    with capture_interrupts():
        if records is not None:
            records.write(run_id, Worker.me())
        with holding(instance):
            _execute(instance, run_id)
        return _outcome(instance, run_id)


def _execute(instance: dg.DagsterInstance, run_id: str) -> None:
    run = instance.get_run_by_id(run_id)
    if run is None or run.job_code_origin is None:
        raise dg.DagsterInvariantViolationError(f"Run {run_id} is not known here, or not where its code is.")
    pid = os.getpid()
    instance.report_engine_event(f"Started process for run (pid: {pid}).", run, EngineEventData.in_process(pid))
    # The run boundary: Dagster writes a failure down before it raises; where it could not, the exit code will say so.
    with suppress(Exception, KeyboardInterrupt, DagsterExecutionInterruptedError):
        for _ in core_execute_run(recon_job_from_origin(run.job_code_origin), run, instance, inject_env_vars=False):
            pass
    instance.report_engine_event(f"Process for run exited (pid: {pid}).", run)


def _outcome(instance: dg.DagsterInstance, run_id: str) -> Outcome:
    """Also settles a run that was to be canceled before it had begun: Dagster takes no notice of those."""
    run = instance.get_run_by_id(run_id)
    if run is not None and run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, "Canceled before it did anything.")
        return Outcome.ENDED
    if run is not None and run.is_success:
        return Outcome.SUCCEEDED
    return Outcome.ENDED if run is None or run.is_finished else Outcome.UNFINISHED


def close(ref: InstanceRef, run_ids: Sequence[str], reason: str) -> int:
    """Give these runs, whose process is dead, their end in Dagster; those that have one keep it."""
    with dg.DagsterInstance.from_ref(ref) as instance:
        for run_id in run_ids:
            run = instance.get_run_by_id(run_id)
            if run is None or run.is_finished:
                continue
            if run.status is dg.DagsterRunStatus.CANCELING:
                instance.report_run_canceled(run, reason)
            else:
                instance.report_run_failed(run, reason)
    return FINISHED
