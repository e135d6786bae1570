"""How often the daemon and the web server ask the code server whether it is still the same one, and how often a thread
that waits for gRPC, as the code server's main one does for its end, wakes to look for a signal.

Dagster asks every second, in both: a call that costs as much as a third of all ticks. The fact to know: a code server
that was started anew is noticed within five seconds then, which is when the next tick comes anyway; and one that is
away is given up after ten such rounds, because its supervisor starts it again long before. And since 3.2 Python
interrupts a wait for a signal by itself, where gRPC has each thread wake ten times a second for one.
"""

from __future__ import annotations

import importlib
import sys

EVERY_S = 5
LONGEST_WAIT_S = 1.0
_WATCHERS = ("dagster._daemon.cli", "dagster_webserver", "dagster._grpc.server")  # what a process has loaded that waits


def ask_less_often() -> None:
    """Before the instance is used. Every other process has nothing to watch, and does without gRPC."""
    if any(name in sys.modules for name in _WATCHERS):
        importlib.import_module("dagster._grpc.server_watcher").WATCH_INTERVAL = EVERY_S  # type: ignore[attr-defined]
        importlib.import_module("grpc._common").MAXIMUM_WAIT_TIMEOUT = LONGEST_WAIT_S  # type: ignore[attr-defined]
