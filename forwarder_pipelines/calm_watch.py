"""How often the daemon and the web server ask the code server whether it is still the same one.

Dagster asks every second, in both: a call that costs as much as a third of all ticks. The fact to know: a code server
that was started anew is noticed within five seconds then, which is when the next tick comes anyway; and one that is
away is given up after ten such rounds, because its supervisor starts it again long before.
"""

from __future__ import annotations

import importlib
import sys

EVERY_S = 5
_WATCHERS = ("dagster._daemon.cli", "dagster_webserver")  # what a process has loaded that watches


def ask_less_often() -> None:
    """Before the instance is used. Every other process has nothing to watch, and does without gRPC."""
    if any(name in sys.modules for name in _WATCHERS):
        importlib.import_module("dagster._grpc.server_watcher").WATCH_INTERVAL = EVERY_S  # type: ignore[attr-defined]
