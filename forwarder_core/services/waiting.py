"""What waits, asked in one question for many: Dagster's sensors, and the loops of the keeper.

The fact to know: an answer only spares a look. Whoever acts asks again, under locks of his own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from weakref import WeakKeyDictionary

from sqlalchemy import Engine

from forwarder_core.db import waiting
from forwarder_core.domain.waiting import ForKeeper, ForSensors
from forwarder_core.services.context import Core

GOOD_FOR_S = 1.0  # the keeper's loops come round every two seconds
_asking = threading.Lock()
_known: WeakKeyDictionary[Engine, tuple[float, ForKeeper]] = WeakKeyDictionary()


def for_sensors(core: Core, *, shards: int) -> ForSensors:
    now = core.clock.now()
    with core.begin() as tx:
        return waiting.for_sensors(tx, now, shards=shards)


def for_keeper(core: Core, *, signing_in: Collection[str]) -> ForKeeper:
    """At most `GOOD_FOR_S` old, so that loops that come round at about the same time ask once. `signing_in`: the states
    of a sign-in that is not at its end."""
    with _asking:
        known = _known.get(core.engine)
        if known is None or time.monotonic() - known[0] > GOOD_FOR_S:
            now = core.clock.now()
            with core.begin() as tx:
                known = time.monotonic(), waiting.for_keeper(tx, now, signing_in=signing_in)
            _known[core.engine] = known
    return known[1]
