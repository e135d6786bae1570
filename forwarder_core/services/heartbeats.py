"""Heartbeats: a row a process renews while it lives. A heartbeat proves that silence is honest."""

from __future__ import annotations

import os
import socket

from forwarder_core.db import events
from forwarder_core.services.context import Core


def beat(core: Core, name: str, **facts: str | int | float) -> None:
    """This process lives and is called `name`; the newest of a name is the one that counts."""
    with core.begin() as tx:
        host, pid = socket.gethostname(), os.getpid()
        events.beat(tx, name=name, kind=name, host=host, pid=pid, now=core.clock.now(), facts=facts)
