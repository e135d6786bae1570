"""Runs on other machines: Dagster's Celery launcher, mended where it is wrong.

What lives here: `CeleryLauncher`, named in dagster.yaml where FORWARDER_LAUNCHER=celery. What does not: the worker
(celery_worker). Mended: a terminated run ends as canceled and not as failed; a run whose machine fell silent is not
called running for ever; a result the broker lost fails no living run; and the daemon does not listen for results that
it never reads. A task has its run's id, so nothing is written to the run to find it again.
The fact to know: Celery remembers a task of a dead machine as STARTED. Only the worker's sign of life in our own
database tells.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
from dagster._core.events import EngineEventData
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import pack_value
from dagster_celery.config import TASK_EXECUTE_JOB_NAME
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_QUEUE_TAG, DAGSTER_CELERY_RUN_PRIORITY_TAG

from forwarder_core.services import heartbeats
from forwarder_pipelines.opening import this_core

SILENT_AFTER = timedelta(seconds=90)  # a worker beats every ten


class CeleryLauncher(CeleryRunLauncher):
    """One Celery task is one run."""

    @property
    def supports_resume_run(self) -> bool:
        """A resumed run would repeat an upload that was cut short; the job's next run asks the destination first."""
        return False

    def terminate(self, run_id: str) -> bool:
        """Have the run end as canceled, whether a worker has it or it still waits for one."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        task = self.celery.AsyncResult(run_id)
        is_waiting = task.state in ("PENDING", "REVOKED")
        task.revoke(terminate=True)
        if is_waiting:
            self._instance.report_run_canceled(run, "Canceled before a worker took it.")
        return True

    def launch_run(self, context: LaunchRunContext) -> None:
        run = context.dagster_run
        if run.job_code_origin is None:
            raise dg.DagsterInvariantViolationError(f"Run {run.run_id} does not say where its code is.")
        queue = run.tags.get(DAGSTER_CELERY_QUEUE_TAG, self.default_queue)
        # Without the instance: a worker has one of its own, and what lies in the broker says nothing of ours.
        told = pack_value(ExecuteRunArgs(run.job_code_origin, run.run_id, instance_ref=None))
        self._send(run.run_id, {"execute_job_args_packed": told}, queue, _priority(run))
        words = f"Handed to the broker, for a worker of the queue {queue}."
        self._instance.report_engine_event(words, run, EngineEventData(), cls=type(self))

    def _send(self, task_id: str, told: dict[str, Any], queue: str, priority: int) -> None:
        """As Celery's `send_task` does, which would also subscribe to the result, on a connection for each thread."""
        amqp, name = self.celery.amqp, TASK_EXECUTE_JOB_NAME
        message = amqp.create_task_message(task_id, name, (), told)
        with self.celery.producer_or_acquire() as producer:
            amqp.send_task_message(
                producer, name, message, queue=queue, routing_key=f"{queue}.{name}", priority=priority
            )

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        task = self.celery.AsyncResult(run.run_id)
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

    def get_run_worker_debug_info(self, run: dg.DagsterRun, include_container_logs: bool | None = True) -> str:
        return f"Its Celery task {run.run_id} is {self.celery.AsyncResult(run.run_id).state}."


def _of_worker(name: str) -> CheckRunHealthResult:
    silence = heartbeats.silence_of(this_core(), name)
    if silence is None or silence < SILENT_AFTER:
        return CheckRunHealthResult(WorkerStatus.RUNNING, f"On {name}", None, name)
    words = f"{name} has been silent for {silence.total_seconds():.0f} s"
    return CheckRunHealthResult(WorkerStatus.FAILED, words, None, name)


def _priority(run: dg.DagsterRun) -> int:
    """By its tag; 0 is taken first from a Redis."""
    said = run.tags.get(DAGSTER_CELERY_RUN_PRIORITY_TAG, "")
    return int(said) if said.isdecimal() else 0
