"""Asking: what looks, dry runs and backfills share as requests: found by number, waited for, called off.

What lives here: the row as whoever asked sees it. What does not: the work and its lease (`polling`, `dry_running`,
`backfilling`). The fact to know: waiting here holds no transaction, and a request outlives whoever waits for it.
"""

from __future__ import annotations

import time

from forwarder_core.db import people, requests
from forwarder_core.domain.requests import Kind, Request, RequestState
from forwarder_core.errors import Conflict, NotFound
from forwarder_core.services.context import Core

AGAIN_S = 0.1
_WORDS = {Kind.POLL: "look", Kind.DRY_RUN: "dry run", Kind.BACKFILL: "backfill"}


def find(core: Core, kind: Kind, request_id: int) -> Request:
    """Raises NotFound."""
    with core.begin() as tx:
        found = requests.get(tx, kind, request_id)
    if found is None:
        raise NotFound(f"There is no {_WORDS[kind]} {request_id}.")
    return found


def until_ended(core: Core, request: Request, deadline: float) -> Request:
    """As it stands when it has ended, or at `deadline` of the monotonic clock: then it is still open."""
    while request.state.is_open and time.monotonic() < deadline:
        time.sleep(AGAIN_S)
        request = find(core, request.kind, request.id)
    return request


def call_off(core: Core, kind: Kind, request_id: int, *, who: str, too_late: str) -> Request:
    """Its worker finds out with the next sign of life. Raises NotFound; Conflict with the action `too_late`."""
    known = find(core, kind, request_id)
    now = core.clock.now()
    with core.begin() as tx:
        if not requests.end(tx, request_id, RequestState.CANCELLED, now=now):
            raise Conflict(f"{_WORDS[kind].capitalize()} {request_id} has ended already.", action=too_late)
        people.audit(tx, who=who, what=f"{kind}_cancelled", target=f"connection:{known.connection_id}", now=now)
    return find(core, kind, request_id)
