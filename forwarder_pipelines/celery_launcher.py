"""Runs on other machines: Dagster's Celery launcher, mended where it is wrong.

What lives here: `CeleryLauncher`, named in dagster.yaml where FORWARDER_LAUNCHER=celery. What does not: the worker
(celery_worker). Mended: a terminated run ends as canceled and not as failed; resuming sends the argument its task
takes; a run whose machine fell silent is not called running for ever; a result the broker lost fails no living run.
The fact to know: Celery remembers a task of a dead machine as STARTED. Only the worker's sign of life in our own
database tells.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, ResumeRunContext, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs, ResumeRunArgs
from dagster._serdes import pack_value
from dagster_celery.config import TASK_EXECUTE_JOB_NAME, TASK_RESUME_JOB_NAME
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from forwarder_core.services import heartbeats
from forwarder_pipelines.opening import this_core

SILENT_AFTER = timedelta(seconds=90)  # a worker beats every ten


class CeleryLauncher(CeleryRunLauncher):
    """One Celery task is one run."""

    def terminate(self, run_id: str) -> bool:
        """Have the run end as canceled, whether a worker has it or it still waits for one."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        task = self._task_of(run)
        is_waiting = task is None or task.state in ("PENDING", "REVOKED")
        if task is not None:
            task.revoke(terminate=True)
        if is_waiting:
            self._instance.report_run_canceled(run, "Canceled before a worker took it.")
        return True

    def launch_run(self, context: LaunchRunContext) -> None:
        self._send(context.dagster_run, ExecuteRunArgs, TASK_EXECUTE_JOB_NAME, "execute_job_args_packed")

    def resume_run(self, context: ResumeRunContext) -> None:
        self._send(context.dagster_run, ResumeRunArgs, TASK_RESUME_JOB_NAME, "resume_job_args_packed")

    def _send(
        self, run: dg.DagsterRun, args: type[ExecuteRunArgs] | type[ResumeRunArgs], task: str, argument: str
    ) -> None:
        """By the task's name alone: upstream registers the task anew for each run, and Celery warns of the second."""
        if run.job_code_origin is None:
            raise dg.DagsterInvariantViolationError(f"Run {run.run_id} does not say where its code is.")
        packed = pack_value(
            args(
                job_origin=run.job_code_origin,
                run_id=run.run_id,
                instance_ref=self._instance.get_ref(),
                set_exit_code_on_failure=True,
            )
        )
        signature = self.celery.signature(task, kwargs={argument: packed}, immutable=True)
        self._launch_celery_task_run(run=run, task_signature=signature, routing_key=task)

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        task = self._task_of(run)
        if task is None:
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "It was never handed to the broker.")
        state = task.state
        if state == "SUCCESS":
            return CheckRunHealthResult(WorkerStatus.SUCCESS)
        if state in ("FAILURE", "REVOKED"):
            return CheckRunHealthResult(WorkerStatus.FAILED, f"Its task ended as {state}.")
        if state == "STARTED":
            return _of_worker(str((task.info or {}).get("hostname", "")))
        return CheckRunHealthResult(
            WorkerStatus.RUNNING, "The broker knows nothing of it; its job's lease and the longest run time judge it."
        )

    def _task_of(self, run: dg.DagsterRun) -> Any:
        """None where the run has not been handed to the broker."""
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        return self.celery.AsyncResult(task_id) if task_id else None


def _of_worker(name: str) -> CheckRunHealthResult:
    silence = heartbeats.silence_of(this_core(), name)
    if silence is None or silence < SILENT_AFTER:
        return CheckRunHealthResult(WorkerStatus.RUNNING, f"On {name}", None, name)
    words = f"{name} has been silent for {silence.total_seconds():.0f} s"
    return CheckRunHealthResult(WorkerStatus.FAILED, words, None, name)
