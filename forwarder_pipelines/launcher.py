"""Dagster's side of the warm launcher: hands each run to the server that forks a process for it.

What lives here: `LocalRunLauncher`, named in dagster.yaml where FORWARDER_LAUNCHER=local. What does not: the server
(launching). This module is loaded by the daemon and the webserver, so it imports nothing heavy.
The fact to know: a run's process dies with the server (launching.forking says why), so a server that is not there has
no run alive, and the record of a run whose process is gone is a proof of its death.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import dagster as dg
from dagster._core.errors import DagsterLaunchFailedError, DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._serdes import ConfigurableClass
from dagster._serdes.config_class import ConfigurableClassData

from forwarder_pipelines.launching.protocol import Act, Answer, Refused, Request, ask
from forwarder_pipelines.launching.records import Records

# Fifteen at once on two cores would take each a new process, which costs twice what the second run in one does.
BEGUN_IN_A_SECOND = os.cpu_count() or 1
PATIENCE_S = 10.0  # a restart of the server, imports and all
_AGAIN_S = 0.2


class LocalRunLauncher(RunLauncher[dg.DagsterInstance], ConfigurableClass):
    """`folder`: where the server listens and keeps its records, `<home>/launcher`."""

    def __init__(
        self, folder: str, patience_s: float = PATIENCE_S, inst_data: ConfigurableClassData | None = None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Dagster leaves it so
        self._folder = Path(folder)
        self._patience_s = patience_s
        self._inst_data = inst_data
        self._records = Records(self._folder)

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        return {"folder": dg.Field(dg.StringSource), "patience_s": dg.Field(float, default_value=PATIENCE_S)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        return cls(inst_data=inst_data, **config_value)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Raises DagsterUserCodeUnreachableError when no server answers: the daemon queues such a run again a few
        times before it fails it, and then its job is due again by its dispatch stamp."""
        request = Request(Act.LAUNCH, context.dagster_run.run_id)
        end = time.monotonic() + self._patience_s
        while True:
            try:
                ask(self._folder, request)
                return
            except Refused as e:
                raise DagsterLaunchFailedError(str(e)) from e  # type: ignore[no-untyped-call]
            except OSError as e:
                if time.monotonic() > end:
                    raise DagsterUserCodeUnreachableError(
                        f"The launcher does not answer at {self._folder} ({type(e).__name__}). "
                        "Look at the log of the process `launcher`."
                    ) from e
                time.sleep(_AGAIN_S)

    def terminate(self, run_id: str) -> bool:
        """Have the run end as canceled; its process is killed if it has not ended after a grace."""
        run = self._instance.get_run_by_id(run_id) if self.has_instance else None
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        answer = self._ask(Request(Act.TERMINATE, run_id))
        if answer is not None and not answer["terminated"]:
            self._instance.report_run_canceled(run, "Canceled; it had no process any more.")
        return answer is not None

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Told by the run's record and the kernel, so it needs no server; how a run ended only the server knows."""
        worker = self._records.read(run.run_id)
        if worker is None:
            return self._health_without_record(run.run_id)
        who = f"{worker.host}:{worker.pid}"
        if not worker.is_here:
            return CheckRunHealthResult(WorkerStatus.RUNNING, f"On {worker.host}; not to be judged here", None, who)
        if worker.lives():
            return CheckRunHealthResult(WorkerStatus.RUNNING, f"Process {worker.pid} is at work", None, who)
        return CheckRunHealthResult(WorkerStatus.FAILED, f"Process {worker.pid} died without a word", None, who)

    def _health_without_record(self, run_id: str) -> CheckRunHealthResult:
        answer = self._ask(Request(Act.STATUS, run_id))
        ended = answer["ended"] if answer else None
        if ended is None:
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "No process of this run is known.")
        if ended["code"] == 0:
            return CheckRunHealthResult(WorkerStatus.SUCCESS, "Its process came to its end.")
        return CheckRunHealthResult(WorkerStatus.FAILED, f"Its process ended with code {ended['code']}.")

    def join(self, timeout: int = 30) -> None:
        """Wait until the server has no run under way; at most `timeout` seconds."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            answer = self._ask(Request(Act.STATUS))
            if answer is None or not answer["running"]:
                return
            time.sleep(_AGAIN_S)

    def _ask(self, request: Request) -> Answer | None:
        """None where no server answers."""
        try:
            return ask(self._folder, request)
        except (OSError, Refused):
            return None
