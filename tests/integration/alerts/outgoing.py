"""What tests of sending share: alerts to send, and what arrived."""

from __future__ import annotations

from typing import Any

from forwarder_core.services import alerting, notifying
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core
from forwarder_core.simulator.testing import Simulator

TOKEN = "1234567890:ABCdefGHIjklMNOpqrsTUVwxyz"
CHANNEL = "-1001234567890"


def tell(core: Core, n: int = 1, kind: AlertKind = AlertKind.CENSUS, **facts: Any) -> None:
    """So many alerts about the installation."""
    with core.begin() as tx:
        for number in range(n):
            alerting.about_system(
                tx,
                kind,
                now=core.clock.now(),
                once=f"{core.clock.now().isoformat()}-{number}",
                stuck_jobs=number,
                **facts,
            )


def texts(sim: Simulator) -> list[str]:
    return [message["text"] for message in sim.telegram()]


def waiting(core: Core) -> int:
    return notifying.undelivered(core).waiting
