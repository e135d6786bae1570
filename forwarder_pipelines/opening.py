"""The core of this process, opened on first use: the code server lists definitions without a database.

Nothing of Dagster is imported here: the keeper does without it.
"""

from __future__ import annotations

from functools import cache

from forwarder_core import logs, settings
from forwarder_core.services import journal
from forwarder_core.services.context import Core, open_core


@cache
def this_core() -> Core:
    """Once per process."""
    loaded = settings.load()
    logs.configure(loaded.log_level)
    core = open_core(loaded, name="forwarder-run")
    journal.install(core)
    return core
