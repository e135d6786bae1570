"""Pages of the list of jobs, by whatever is asked, and how many there are; the same cost at a thousand and a million.

The fact to know: every filter ends in a range of an index that has the ids in order (`job_ranges`); words are looked
for in `job_search`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from forwarder_core.db import job_search
from forwarder_core.db.engine import Tx
from forwarder_core.db.job_ranges import among, asked_of, ids
from forwarder_core.db.overviews import JobView, view_of, views
from forwarder_core.db.tables.flow import jobs


def page(
    tx: Tx, *, before_id: int, limit: int, oldest_first: bool = False, q: str | None = None, **wanted: Any
) -> list[JobView]:
    """Newest first by id, or oldest first from `before_id` on. `wanted`: status (sequence), connection_id, account_id,
    error, since, until; ended_since, ended_until and ended_hour (an hour and the zone it is of), when it ended. `q`:
    beginnings of words of the caption, or an id exactly."""
    asked = asked_of(tx, wanted)
    if not asked.ranges:
        return []
    if q and q.strip():
        shown = job_search.page(tx, asked, q, before_id=before_id, limit=limit, oldest_first=oldest_first)
    else:
        shown = list(tx.execute(ids(asked, before_id, limit, oldest_first)).scalars())
    order = jobs.c.id.asc() if oldest_first else jobs.c.id.desc()
    return [view_of(row) for row in tx.execute(views().where(jobs.c.id.in_(shown)).order_by(order))] if shown else []


def count(tx: Tx, *, q: str | None = None, **wanted: Any) -> int:
    asked = asked_of(tx, wanted)
    query = select(func.count()).select_from(jobs).where(*among(asked))
    if q and q.strip():
        query = query.where(job_search.found(tx, q))
    return tx.execute(query).scalar_one()
