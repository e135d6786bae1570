"""A machine that carries runs: `python -m forwarder_pipelines.celery_worker [--concurrency N] [--queues a,b]`.

The broker is the one dagster.yaml names, so a worker needs the same folder, image and database as the others, and
nothing else. Everything is imported and asked once before the first child is forked, as in the warm launcher; a child
carries run after run as one of the launcher's does (launching.runs), and keeps its sessions.
The fact to know: signs of life come from the worker's own loop and leave no session behind: children are forked from
this process between any two of them, and a session to the database must not have two ends.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

import dagster as dg
from celery.signals import setup_logging, worker_ready  # type: ignore[import-untyped]
from dagster._core.instance import InstanceRef
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import unpack_value
from dagster_celery.config import TASK_EXECUTE_JOB_NAME
from kombu.entity import Queue

from forwarder_core import logs
from forwarder_core.errors import StartError
from forwarder_core.services import heartbeats, recovery
from forwarder_core.services.context import Core
from forwarder_core.services.recovery import RunControl
from forwarder_pipelines import storage
from forwarder_pipelines.celery_launcher import CeleryLauncher
from forwarder_pipelines.launching import runs
from forwarder_pipelines.launching.rehearsal import rehearse
from forwarder_pipelines.launching.succession import MOST_RUNS, Standing
from forwarder_pipelines.launching.warm import warm
from forwarder_pipelines.opening import this_core
from forwarder_pipelines.run_control import DagsterRunControl

BEAT_EVERY_S = 10.0
QUEUE = "dagster"
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
    app.worker_main(["worker", *options, "--without-gossip", "--without-mingle", "--without-heartbeat"])
    return 0


def _queue(name: str) -> Any:
    made: Any = Queue
    return made(name, routing_key=f"{name}.#", queue_arguments={"x-max-priority": 10})


def _take_runs(app: Any, child: Child) -> None:
    """The task, by upstream's name and arguments."""

    def carry(task: Any, execute_job_args_packed: Any) -> int:
        run_id = unpack_value(execute_job_args_packed, as_type=ExecuteRunArgs).run_id
        outcome = child.carry(run_id)
        code = runs.UNFINISHED if outcome is runs.Outcome.UNFINISHED else runs.FINISHED
        if reason := child.ends_because(outcome):
            log.warning("After run %s this process takes no other: %s", run_id, reason)
            if code == runs.FINISHED:  # said here, or Celery would take the end of the process for that of the run
                task.backend.mark_as_done(task.request.id, code, task.request)
            raise SystemExit(code)
        return code

    app.task(carry, name=TASK_EXECUTE_JOB_NAME, bind=True, track_started=True)


class Child:
    """A process that carries run after run, with an instance of Dagster's that it keeps. Upstream's tasks open
    one by dagster.yaml for each run, and write each event by itself."""

    def __init__(self, ref: InstanceRef) -> None:
        self._ref = ref
        self._instance: dg.DagsterInstance | None = None
        self._before: Standing | None = None

    def carry(self, run_id: str) -> runs.Outcome:
        if self._instance is None or self._before is None:
            self._before, self._instance = Standing.now(), dg.DagsterInstance.from_ref(self._ref)
        with logs.forgetting(), _same_ear():
            return copy_context().run(runs.execute, self._instance, None, run_id)

    def ends_because(self, outcome: runs.Outcome) -> str | None:
        """Why it may carry no other run, in words: as a child of the warm launcher (launching.succession)."""
        if outcome is not runs.Outcome.SUCCEEDED:
            return f"it {outcome}"
        return self._before.lost() if self._before is not None else None


@contextmanager
def _same_ear() -> Iterator[None]:
    """Dagster leaves SIGTERM as SIGINT is, which Celery's processes are deaf to: one could not be ended any more."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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
