"""A span of time as a span of ids: what is older or newer than asked is never read, however much there is of it.

The fact to know: ids are given in the order of time, but for transactions that took long. An hour's grace covers those,
and the times themselves are asked for as well.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Column, ColumnElement, func, select

from forwarder_core.db.engine import Tx

_OUT_OF_ORDER = timedelta(hours=1)
_STRAYS = 200


def within(
    tx: Tx, id_: Column[int], at: Column[datetime], since: datetime | None, until: datetime | None
) -> list[ColumnElement[bool]]:
    """What a row from `since` to `until`, both included, fulfils. Wants an index that begins with `at`."""
    clauses: list[ColumnElement[bool]] = []
    if since is not None:
        clauses.append(at >= since)
        strays = select(id_).where(at < since - _OUT_OF_ORDER).order_by(at.desc()).limit(_STRAYS).subquery()
        last = tx.execute(select(func.max(strays.c.id))).scalar_one()
        clauses += [id_ > last] if last is not None else []
    if until is not None:
        clauses.append(at <= until)
        strays = select(id_).where(at > until + _OUT_OF_ORDER).order_by(at).limit(_STRAYS).subquery()
        first = tx.execute(select(func.min(strays.c.id))).scalar_one()
        clauses += [id_ < first] if first is not None else []
    return clauses
