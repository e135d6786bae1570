"""A hundred posts at once, as in `burst`, with the runs on a Celery worker, whose processes carry run after run.

Ours: every process of the stack, the worker (fifteen processes) and Redis included. Needs `redis-server`. The fact to
know: the worker is on this machine, so what is measured is its work and not the way to another machine.
"""

from __future__ import annotations

from typing import Any

from bench import burst
from forwarder_core.settings import Launcher


def measure(rounds: int = 1) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`; one burst, whatever `rounds`."""
    return burst.measure(rounds, Launcher.CELERY)
