"""The keeper: the loops shorter than a minute. It reaps dead workers' jobs, sends alerts, and proves that it lives.

`python -m forwarder_pipelines.keeper`; stops on SIGTERM between two rounds. Killing it at any moment loses nothing.
Alerts have a thread of their own: a slow Telegram delays no rescue.
"""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

from forwarder_core.errors import ForwarderError
from forwarder_core.services import heartbeats, notifying, recovery, telegram_settings
from forwarder_core.services.context import Core
from forwarder_core.services.recovery import RunControl
from forwarder_pipelines.resources import this_core
from forwarder_pipelines.run_control import DagsterRunControl

ROUND_S = 2.0
_SEND_ROUND_S = 1.0
_LAST_SEND_S = 20.0  # one call of Telegram ends within
log = logging.getLogger("forwarder.keeper")


def one_round(core: Core, runs: RunControl) -> None:
    """Everything the keeper does, once."""
    recovery.reap(core, runs)
    heartbeats.beat(core, "keeper")


def send_alerts(core: Core, stopping: threading.Event) -> None:
    """Send what the outbox holds, round after round, until `stopping`."""
    pace = notifying.Pace()
    with telegram_settings.open_sender(core) as sender:
        while not stopping.wait(_SEND_ROUND_S):
            try:
                notifying.keep_pulse(core, pace)
                notifying.send_due(core, sender, pace, is_stopping=stopping.is_set)
            except (SQLAlchemyError, ForwarderError) as e:
                log.warning("A round of alerts was left out: %s", type(e).__name__)


def main() -> None:
    stopping = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    core = this_core()
    alerts = threading.Thread(target=send_alerts, args=(core, stopping), name="alerts", daemon=True)
    with dg.DagsterInstance.get() as instance:
        runs = DagsterRunControl(instance)
        alerts.start()
        recovery.sweep(core, runs)
        log.info("Keeper started")
        while not stopping.wait(ROUND_S) and alerts.is_alive():
            try:
                one_round(core, runs)
            except (SQLAlchemyError, ForwarderError, dg.DagsterError) as e:
                log.warning("A round was left out: %s", type(e).__name__)
    _end(alerts, stopping)


def _end(alerts: threading.Thread, stopping: threading.Event) -> None:
    """Let the message under way arrive. Alerts that ended by themselves end the keeper: it is started afresh."""
    if not stopping.is_set():
        raise SystemExit("The thread that sends alerts has ended.")
    alerts.join(_LAST_SEND_S)
    log.info("Keeper stopped")


if __name__ == "__main__":
    main()
