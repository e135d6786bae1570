"""Heartbeats: a row a process renews while it lives. A heartbeat proves that silence is honest."""

from __future__ import annotations

import os
import socket
from datetime import timedelta

from forwarder_core.db import events
from forwarder_core.services.context import Core

SENSOR = "sensor"  # the kind of a heartbeat that a sensor's tick leaves


def beat(core: Core, name: str, *, kind: str | None = None, **facts: str | int | float) -> None:
    """This process lives and is called `name`; the newest of a name is the one that counts."""
    with core.begin() as tx:
        host, pid = socket.gethostname(), os.getpid()
        events.beat(tx, name=name, kind=kind or name, host=host, pid=pid, now=core.clock.now(), facts=facts)


def silence_of(core: Core, name: str) -> timedelta | None:
    """How long ago the process of that name last beat; None where none ever did."""
    with core.begin() as tx:
        seen = {beat["name"]: beat["seen_at"] for beat in events.beats(tx)}
    return core.clock.now() - seen[name] if name in seen else None
