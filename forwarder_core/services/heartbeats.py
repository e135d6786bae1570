"""Heartbeats: a row a process renews while it lives. A heartbeat proves that silence is honest.

The fact to know: a beat within eight seconds of the last is not written, because whoever reads them calls nothing
silent before half a minute. So call `beat` as often as there is a sign of life.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from sqlalchemy import Engine

from forwarder_core.db import events
from forwarder_core.services.context import Core

SENSOR = "sensor"  # the kind of a heartbeat that a sensor's tick leaves
RENEWED_EVERY = timedelta(seconds=8)  # Celery workers beat every ten
_written: WeakKeyDictionary[Engine, dict[str, datetime]] = WeakKeyDictionary()  # this process's own, by name


def beat(core: Core, name: str, *, kind: str | None = None, **facts: str | int | float) -> None:
    """This process lives and is called `name`; the newest of a name is the one that counts."""
    now, own = core.clock.now(), _written.setdefault(core.engine, {})
    if name in own and timedelta(0) <= now - own[name] < RENEWED_EVERY:
        return
    with core.begin() as tx:
        host, pid = socket.gethostname(), os.getpid()
        events.beat(tx, name=name, kind=kind or name, host=host, pid=pid, now=now, facts=facts)
    own[name] = now


def silence_of(core: Core, name: str) -> timedelta | None:
    """How long ago the process of that name last beat; None where none ever did."""
    with core.begin() as tx:
        seen = {beat["name"]: beat["seen_at"] for beat in events.beats(tx)}
    return core.clock.now() - seen[name] if name in seen else None
