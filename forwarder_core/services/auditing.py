"""The audit log, read: who did what to which thing. It is written by whoever does something, in that transaction."""

from __future__ import annotations

from dataclasses import dataclass

from forwarder_core.db import people
from forwarder_core.db.people import Deed
from forwarder_core.services.context import Core

__all__ = ["NEWEST", "Deed", "Wanted", "page"]
NEWEST = 2**62


@dataclass(frozen=True, slots=True)
class Wanted:
    """`who`: exactly; `q`: in what was done or to which thing. None = any."""

    who: str | None = None
    q: str | None = None


def page(core: Core, wanted: Wanted, *, before: int = NEWEST, limit: int = 100) -> list[Deed]:
    """Newest first, those before the id `before`."""
    with core.begin() as tx:
        return people.deeds(tx, before_id=before, limit=limit, who=wanted.who, q=wanted.q)
