"""The list of jobs as ranges of indices: whatever is asked, ids are read in order from where they are in order.

The fact to know: several connections or statuses are read as so many short ranges that are then put together, so that
nothing is sorted that is not shown. Where words are looked for, an index alone tells the ids, and whether a job is
still shown is asked of those that have the words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, column, or_, select, true, union_all, values

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.overviews import SHOWN
from forwarder_core.db.spans import at_hour, ended, within
from forwarder_core.db.tables.flow import connections, jobs

OWN = jobs.c.workspace_id == WORKSPACE
LISTED = (OWN, SHOWN)


@dataclass(frozen=True, slots=True)
class Asked:
    """`connections` None = any; `statuses` [None] = any. `clauses`: what every row must be besides, and `LISTED`.
    `spans`: what it must be of one of them."""

    connections: list[int] | None
    statuses: list[str] | list[None]
    clauses: list[ColumnElement[bool]]
    spans: list[list[ColumnElement[bool]]] = field(default_factory=lambda: [[]])

    @property
    def ranges(self) -> int:
        return len(self.statuses) * len(self.spans) * (1 if self.connections is None else len(self.connections))

    @property
    def is_anything(self) -> bool:
        return self.connections is None and self.statuses == [None] and self.spans == [[]] and not self.clauses


def asked_of(tx: Tx, wanted: Mapping[str, Any]) -> Asked:
    clauses = within(tx, jobs.c.id, jobs.c.created_at, wanted.get("since"), wanted.get("until"))
    if wanted.get("error"):
        clauses.append(jobs.c.error_code == wanted["error"])
    if wanted.get("ended_hour"):
        clauses.append(at_hour(jobs.c.completed_at, *wanted["ended_hour"]))
    at_ends = _connections(tx, wanted.get("connection_id"), wanted.get("account_id"))
    spans = ended(tx, wanted.get("ended_since"), wanted.get("ended_until"))
    return Asked(at_ends, list(wanted.get("status") or [None]), clauses, spans)


def _connections(tx: Tx, connection_id: int | None, account_id: int | None) -> list[int] | None:
    if account_id is None:
        return None if connection_id is None else [connection_id]
    at_an_end = or_(connections.c.source_account_id == account_id, connections.c.destination_account_id == account_id)
    found = list(tx.execute(select(connections.c.id).where(at_an_end)).scalars())
    return found if connection_id is None else [one for one in found if one == connection_id]


def ids(
    asked: Asked,
    before_id: int,
    limit: int | None,
    oldest_first: bool,
    *,
    besides: Sequence[ColumnElement[bool]] = LISTED,
) -> Select[Any]:
    """The ids of the page, in its order. Statuses are written out, because the planner knows how rare each is."""
    ranges = [
        _of_status(replace(asked, clauses=[*besides, *asked.clauses, *span]), status, before_id, limit, oldest_first)
        for status in asked.statuses
        for span in asked.spans
    ]
    if len(ranges) == 1:
        return ranges[0]
    joined = union_all(*[one.subquery().select() for one in ranges]).subquery("joined")
    order = joined.c.id.asc() if oldest_first else joined.c.id.desc()
    return select(joined.c.id).order_by(order).limit(limit)


def _of_status(asked: Asked, status: str | None, before_id: int, limit: int | None, oldest_first: bool) -> Select[Any]:
    beyond = jobs.c.id > before_id if oldest_first else jobs.c.id < before_id
    query = select(jobs.c.id).where(*asked.clauses, beyond).limit(limit)
    query = query.order_by(jobs.c.id.asc() if oldest_first else jobs.c.id.desc())
    if status is not None:
        query = query.where(jobs.c.status == status)
    if asked.connections is None:
        return query
    if len(asked.connections) == 1:
        return query.where(jobs.c.connection_id == asked.connections[0])
    named = values(column("id", BigInteger), name="named").data([(one,) for one in asked.connections])
    each = query.where(jobs.c.connection_id == named.c.id).lateral("each")
    joined = select(each.c.id).select_from(named.join(each, true()))
    return joined.order_by(each.c.id.asc() if oldest_first else each.c.id.desc()).limit(limit)


def among(asked: Asked) -> list[ColumnElement[bool]]:
    """What every row is; used where nothing is put in order."""
    said = [*LISTED, *asked.clauses]
    if asked.connections is not None:
        said.append(jobs.c.connection_id.in_(asked.connections))
    if asked.statuses != [None]:
        said.append(jobs.c.status.in_(asked.statuses))
    return [*said, or_(*(and_(true(), *span) for span in asked.spans))] if asked.spans != [[]] else said
