"""A machine that carries runs: `python -m forwarder_pipelines.celery_worker [--concurrency N] [--queues a,b]`.

The broker is the one dagster.yaml names, so a worker needs the same folder, image and database as the others, and
nothing else. Everything is imported before the first child is forked.
The fact to know: signs of life come from the worker's own loop and hold no connection between them: children are forked
from this process at any time, and a session to the database must not have two ends.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

import dagster as dg
from celery.signals import worker_process_init, worker_ready  # type: ignore[import-untyped]
from dagster_celery.tasks import create_execute_job_task, create_resume_job_task
from kombu.entity import Queue

from forwarder_core.errors import StartError
from forwarder_core.services import heartbeats, recovery
from forwarder_core.services.context import Core
from forwarder_core.services.recovery import RunControl
from forwarder_pipelines.celery_launcher import CeleryLauncher
from forwarder_pipelines.launching.warm import warm
from forwarder_pipelines.opening import this_core
from forwarder_pipelines.run_control import DagsterRunControl

BEAT_EVERY_S = 10.0
RUNS_PER_CHILD = 50  # bounds what a library leaks; a new child costs a fork, no import
QUEUE = "dagster"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="celery_worker")
    parser.add_argument("--concurrency", type=int, default=4, help="runs at once on this machine")
    parser.add_argument("--queues", default=QUEUE, help="comma-separated; a run's tag dagster-celery/queue names one")
    parser.add_argument("--name", default="worker@%h", help="unique among all machines; %%h is the host's name")
    given = parser.parse_args(arguments)
    warm()
    launcher = dg.DagsterInstance.get().run_launcher
    if not isinstance(launcher, CeleryLauncher):
        raise StartError("This installation has no Celery launcher.", action="Set FORWARDER_LAUNCHER=celery.")
    app, queues = launcher.celery, given.queues.split(",")
    app.conf.worker_redirect_stdouts = False  # into a logger that writes to them: what is said would be lost
    app.conf.task_queues = [_queue(name) for name in queues]
    create_execute_job_task(app)
    create_resume_job_task(app)
    told = {
        "loglevel": "INFO",
        "concurrency": given.concurrency,
        "queues": given.queues,
        "hostname": given.name,
        "max-tasks-per-child": RUNS_PER_CHILD,
    }
    options = [f"--{name}={value}" for name, value in told.items()]
    app.worker_main(["worker", *options, "--without-gossip", "--without-mingle"])
    return 0


def _queue(name: str) -> Any:
    made: Any = Queue
    return made(name, routing_key=f"{name}.#", queue_arguments={"x-max-priority": 10})


@worker_ready.connect  # type: ignore[untyped-decorator]
def _begin(sender: Any, **_: Any) -> None:
    def beat(take_back: Callable[[Core, RunControl], object] = recovery.reap) -> None:
        core = this_core()
        try:
            heartbeats.beat(core, str(sender.hostname), kind="celery")
            take_back(core, DagsterRunControl(dg.DagsterInstance.get()))
        finally:
            core.engine.dispose()

    beat(recovery.sweep)  # what this machine carried when it died is proven dead, and need not wait for its lease
    sender.timer.call_repeatedly(BEAT_EVERY_S, beat)


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _be_child(**_: Any) -> None:
    this_core.cache_clear()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
