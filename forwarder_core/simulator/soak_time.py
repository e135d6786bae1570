"""Simulated days: one clock for us and for the simulated world, and no real waiting.

What lives here: moving both clocks together, and a `time.sleep` that moves them instead of waiting. What does not:
when to move (soak).
The fact to know: client libraries rest seconds between two calls. Those rests are simulated too: whoever sleeps
moves the clock. Sleeps shorter than `SHORTEST_S` are a library's own polling of real things and stay real.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from unittest.mock import patch

from forwarder_core.clock import ManualClock
from forwarder_core.simulator.drill_control import KeptControl

SHORTEST_S = 0.2


class SharedTime:
    """The injected clock and the world's, which never differ."""

    def __init__(self, clock: ManualClock, control_url: str) -> None:
        self._clock = clock
        self._world = KeptControl(control_url)
        self._lock = threading.Lock()
        self.move(0.0)

    def now(self) -> datetime:
        return self._clock.now()

    def move(self, seconds: float) -> None:
        with self._lock:
            now = self._clock.move(seconds)
            self._world.call("POST", "/clock", json={"at": now.isoformat()})

    def close(self) -> None:
        self._world.close()


@contextmanager
def sleeping_moves(shared: SharedTime) -> Iterator[None]:
    """Within the block nobody waits: a sleep moves the clock."""
    really_sleep = time.sleep

    def sleep(seconds: float) -> None:
        if seconds < SHORTEST_S:
            really_sleep(seconds)
        else:
            shared.move(seconds)

    with patch.object(time, "sleep", sleep):
        yield
