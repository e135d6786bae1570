"""A machine that carries runs: `python -m forwarder_pipelines.celery_worker [--concurrency N] [--queues a,b]`.

The broker is the one dagster.yaml names, so a worker needs the same folder, image and database as the others, and
nothing else. Everything is imported and asked once before the first child is forked, as in the warm launcher; a child
carries run after run and keeps its sessions.
The fact to know: signs of life come from the worker's own loop and leave no session behind: children are forked from
this process between any two of them, and a session to the database must not have two ends.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import dagster as dg
from celery.signals import setup_logging, worker_ready  # type: ignore[import-untyped]
from dagster._cli.api import _execute_run_command_body, _resume_run_command_body
from dagster._core.instance import InstanceRef
from dagster._grpc.types import ExecuteRunArgs, ResumeRunArgs
from dagster._serdes import unpack_value
from dagster_celery.config import TASK_EXECUTE_JOB_NAME, TASK_RESUME_JOB_NAME
from kombu.entity import Queue

from forwarder_core import logs
from forwarder_core.errors import StartError
from forwarder_core.services import heartbeats, recovery
from forwarder_core.services.context import Core
from forwarder_core.services.recovery import RunControl
from forwarder_pipelines import storage
from forwarder_pipelines.calm_storage import holding
from forwarder_pipelines.celery_launcher import CeleryLauncher
from forwarder_pipelines.launching.rehearsal import rehearse
from forwarder_pipelines.launching.succession import MOST_RUNS, Standing
from forwarder_pipelines.launching.warm import warm
from forwarder_pipelines.opening import this_core
from forwarder_pipelines.run_control import DagsterRunControl

BEAT_EVERY_S = 10.0
QUEUE = "dagster"
Args = ExecuteRunArgs | ResumeRunArgs
log = logging.getLogger("forwarder.worker")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="celery_worker")
    parser.add_argument("--concurrency", type=int, default=4, help="runs at once on this machine")
    parser.add_argument("--queues", default=QUEUE, help="comma-separated; a run's tag dagster-celery/queue names one")
    parser.add_argument("--name", default="worker@%h", help="unique among all machines; %%h is the host's name")
    given = parser.parse_args(arguments)
    instance = dg.DagsterInstance.get()
    launcher = instance.run_launcher
    if not isinstance(launcher, CeleryLauncher):
        raise StartError("This installation has no Celery launcher.", action="Set FORWARDER_LAUNCHER=celery.")
    ref = storage.read_ref(instance.root_directory)
    rehearse(ref)
    warm()
    app, queues = launcher.celery, given.queues.split(",")
    app.conf.worker_redirect_stdouts = False  # into a logger that writes to them: what is said would be lost
    app.conf.task_queues = [_queue(name) for name in queues]
    _take_runs(app, Child(ref))
    worker_ready.connect(_begin(ref), weak=False)
    told = {
        "loglevel": "INFO",
        "concurrency": given.concurrency,
        "queues": given.queues,
        "hostname": given.name,
        "max-tasks-per-child": MOST_RUNS,
    }
    options = [f"--{name}={value}" for name, value in told.items()]
    app.worker_main(["worker", *options, "--without-gossip", "--without-mingle"])
    return 0


def _queue(name: str) -> Any:
    made: Any = Queue
    return made(name, routing_key=f"{name}.#", queue_arguments={"x-max-priority": 10})


def _take_runs(app: Any, child: Child) -> None:
    """The two tasks, by upstream's names and arguments."""

    def task(name: str, argument: str, args: type[Args], body: Callable[..., int]) -> None:
        def carry(**packed: Any) -> int:
            return child.carry(unpack_value(packed[argument], as_type=args).run_id, body)

        app.task(carry, name=name, track_started=True)

    task(TASK_EXECUTE_JOB_NAME, "execute_job_args_packed", ExecuteRunArgs, _execute_run_command_body)
    task(TASK_RESUME_JOB_NAME, "resume_job_args_packed", ResumeRunArgs, _resume_run_command_body)


class Child:
    """A process that carries run after run, with an instance of Dagster's that it keeps. Upstream's tasks open
    one by dagster.yaml for each run, and write each event by itself."""

    def __init__(self, ref: InstanceRef) -> None:
        self._ref = ref
        self._instance: dg.DagsterInstance | None = None
        self._before: Standing | None = None

    def carry(self, run_id: str, body: Callable[..., int]) -> int:
        """Raises SystemExit after a run that left something behind: the worker notes it and forks another child."""
        if self._instance is None or self._before is None:
            self._before, self._instance = Standing.now(), dg.DagsterInstance.from_ref(self._ref)
        told = {"instance": self._instance, "run_id": run_id, "set_exit_code_on_failure": True}
        with logs.forgetting(), holding(self._instance):
            code = copy_context().run(body, write_stream_fn=_nobody_listens, **told)
        if lost := self._before.lost():
            log.warning("After run %s this process takes no other: %s", run_id, lost)
            raise SystemExit(code)
        return code


def _nobody_listens(event: dg.DagsterEvent) -> None:
    """Events are rows."""


def _begin(ref: InstanceRef) -> Callable[..., None]:
    def beat(name: str, take_back: Callable[[Core, RunControl], object] = recovery.reap) -> None:
        core = this_core()
        try:
            heartbeats.beat(core, name, kind="celery")
            with dg.DagsterInstance.from_ref(ref) as instance:
                take_back(core, DagsterRunControl(instance))
        finally:
            core.engine.dispose()
            storage.hand_down()

    def begin(sender: Any, **_: Any) -> None:
        name = str(sender.hostname)
        # What this machine carried when it died is proven dead: no need to wait for its lease.
        beat(name, recovery.sweep)
        sender.timer.call_repeatedly(BEAT_EVERY_S, beat, (name,))

    return begin


@setup_logging.connect  # type: ignore[untyped-decorator]
def _keep_our_logging(**_: Any) -> None:
    """Whoever answers this signal spares the product's own handlers from being replaced."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
