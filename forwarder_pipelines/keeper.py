"""The keeper: the loops shorter than a minute. It reaps dead workers' jobs and proves by its heartbeat that it lives.

`python -m forwarder_pipelines.keeper`; stops on SIGTERM between two rounds. Killing it at any moment loses nothing.
"""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

from forwarder_core.errors import ForwarderError
from forwarder_core.services import heartbeats, recovery
from forwarder_core.services.context import Core
from forwarder_core.services.recovery import RunControl
from forwarder_pipelines.resources import this_core
from forwarder_pipelines.run_control import DagsterRunControl

ROUND_S = 2.0
log = logging.getLogger("forwarder.keeper")


def one_round(core: Core, runs: RunControl) -> None:
    """Everything the keeper does, once."""
    recovery.reap(core, runs)
    heartbeats.beat(core, "keeper")


def main() -> None:
    stopping = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    core = this_core()
    with dg.DagsterInstance.get() as instance:
        runs = DagsterRunControl(instance)
        log.info("Keeper started")
        while not stopping.wait(ROUND_S):
            try:
                one_round(core, runs)
            except (SQLAlchemyError, ForwarderError, dg.DagsterError) as e:
                log.warning("A round was left out: %s", type(e).__name__)
    log.info("Keeper stopped")


if __name__ == "__main__":
    main()
