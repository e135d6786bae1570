"""Pages of the list of jobs, by whatever is asked, and how many there are; the same cost at a thousand and a million.

The fact to know: every filter ends in a range of an index that has the ids in order, and nothing is sorted that is not
shown. Several connections or statuses are read as so many short ranges; words are looked for among the newest jobs
first, and through the index of words only where those do not fill the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    column,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
    values,
)

from forwarder_core.db.columns import WORKSPACE, found_by
from forwarder_core.db.engine import Tx
from forwarder_core.db.overviews import SHOWN, JobView, view_of, views
from forwarder_core.db.spans import within
from forwarder_core.db.tables.accounts import accounts
from forwarder_core.db.tables.flow import connections, jobs, source_posts
from forwarder_core.domain.searching import exact_id

_OWN = jobs.c.workspace_id == WORKSPACE
_LOOKED_THROUGH = 2_000  # of the newest jobs, word by word: about 6 ms
_RARE = 250  # one job in so many has the words: then those that have them are fewer than those to be gone through


@dataclass(frozen=True, slots=True)
class _Asked:
    """`connections` None = any; `statuses` [None] = any. `clauses`: what every row must be besides."""

    connections: list[int] | None
    statuses: list[str] | list[None]
    clauses: list[ColumnElement[bool]]

    @property
    def ranges(self) -> int:
        return len(self.statuses) * (1 if self.connections is None else len(self.connections))


def page(
    tx: Tx, *, before_id: int, limit: int, oldest_first: bool = False, q: str | None = None, **wanted: Any
) -> list[JobView]:
    """Newest first by id, or oldest first from `before_id` on. `wanted`: status (sequence), connection_id, account_id,
    error, since, until. `q`: beginnings of words of the caption, or an id exactly."""
    asked = _asked(tx, wanted)
    if not asked.ranges:
        return []
    if q and q.strip():
        ids = _searched(tx, asked, q, before_id, limit, oldest_first)
    else:
        ids = list(tx.execute(_ids(asked, before_id, limit, oldest_first)).scalars())
    order = jobs.c.id.asc() if oldest_first else jobs.c.id.desc()
    return [view_of(row) for row in tx.execute(views().where(jobs.c.id.in_(ids)).order_by(order))] if ids else []


def count(tx: Tx, *, q: str | None = None, **wanted: Any) -> int:
    asked = _asked(tx, wanted)
    query = select(func.count()).select_from(jobs).where(*asked.clauses, *_among(asked))
    if q and q.strip():
        exact = _exactly(tx, q)
        query = query.where(_worded(q) if exact is None else exact)
    return tx.execute(query).scalar_one()


def _asked(tx: Tx, wanted: Mapping[str, Any]) -> _Asked:
    clauses = [_OWN, SHOWN, *within(tx, jobs.c.id, jobs.c.created_at, wanted.get("since"), wanted.get("until"))]
    if wanted.get("error"):
        clauses.append(jobs.c.error_code == wanted["error"])
    at_ends = _connections(tx, wanted.get("connection_id"), wanted.get("account_id"))
    return _Asked(at_ends, list(wanted.get("status") or [None]), clauses)


def _connections(tx: Tx, connection_id: int | None, account_id: int | None) -> list[int] | None:
    if account_id is None:
        return None if connection_id is None else [connection_id]
    at_an_end = or_(connections.c.source_account_id == account_id, connections.c.destination_account_id == account_id)
    found = list(tx.execute(select(connections.c.id).where(at_an_end)).scalars())
    return found if connection_id is None else [one for one in found if one == connection_id]


def _ids(asked: _Asked, before_id: int, limit: int, oldest_first: bool) -> Select[Any]:
    """The ids of the page, in its order. Statuses are written out, because the planner knows how rare each is."""
    ranges = [_of_status(asked, status, before_id, limit, oldest_first) for status in asked.statuses]
    if len(ranges) == 1:
        return ranges[0]
    joined = union_all(*[one.subquery().select() for one in ranges]).subquery("joined")
    order = joined.c.id.asc() if oldest_first else joined.c.id.desc()
    return select(joined.c.id, joined.c.source_post_id).order_by(order).limit(limit)


def _of_status(asked: _Asked, status: str | None, before_id: int, limit: int, oldest_first: bool) -> Select[Any]:
    beyond = jobs.c.id > before_id if oldest_first else jobs.c.id < before_id
    query = select(jobs.c.id, jobs.c.source_post_id).where(*asked.clauses, beyond).limit(limit)
    query = query.order_by(jobs.c.id.asc() if oldest_first else jobs.c.id.desc())
    if status is not None:
        query = query.where(jobs.c.status == status)
    if asked.connections is None:
        return query
    if len(asked.connections) == 1:
        return query.where(jobs.c.connection_id == asked.connections[0])
    named = values(column("id", BigInteger), name="named").data([(one,) for one in asked.connections])
    each = query.where(jobs.c.connection_id == named.c.id).lateral("each")
    joined = select(each.c.id, each.c.source_post_id).select_from(named.join(each, true()))
    return joined.order_by(each.c.id.asc() if oldest_first else each.c.id.desc()).limit(limit)


def _among(asked: _Asked) -> list[ColumnElement[bool]]:
    """Of any of these; used where nothing is put in order."""
    said: list[ColumnElement[bool]] = []
    if asked.connections is not None:
        said.append(jobs.c.connection_id.in_(asked.connections))
    if asked.statuses != [None]:
        said.append(jobs.c.status.in_(asked.statuses))
    return said


def _searched(tx: Tx, asked: _Asked, typed: str, before_id: int, limit: int, oldest_first: bool) -> list[int]:
    """An id that is there goes before words: who types one means it."""
    exact = _exactly(tx, typed)
    if exact is not None:
        only = replace(asked, clauses=[*asked.clauses, exact])
        return list(tx.execute(_ids(only, before_id, limit, oldest_first)).scalars())
    near = max(limit, _LOOKED_THROUGH // asked.ranges)
    window = _ids(asked, before_id, near, oldest_first).subquery("window")
    order = window.c.id.asc() if oldest_first else window.c.id.desc()
    matches = (
        select(literal(1).label("found"))
        .where(source_posts.c.id == window.c.source_post_id, found_by(source_posts.c.search, typed))
        .offset(0)  # one post at a time by its key, whatever the planner thinks of the words
        .lateral("matches")
    )
    query = select(window.c.id).select_from(window.join(matches, true())).order_by(order).limit(limit)
    ids = list(tx.execute(query).scalars())
    last = None if len(ids) == limit else _last(tx, window, near, oldest_first)
    if last is None:
        return ids
    beyond = jobs.c.id > last if oldest_first else jobs.c.id < last
    order = jobs.c.id.asc() if oldest_first else jobs.c.id.desc()
    rest = select(jobs.c.id).where(*asked.clauses, *_among(asked), beyond)
    rest = _of_the_worded(rest, typed) if len(ids) * _RARE <= near else rest.where(_worded(typed))
    return ids + list(tx.execute(rest.order_by(order).limit(limit - len(ids))).scalars())


def _last(tx: Tx, window: Any, size: int, oldest_first: bool) -> int | None:
    """The last id of a full window; None where the window was not filled, so that nothing lies beyond it."""
    end = func.max(window.c.id) if oldest_first else func.min(window.c.id)
    n, last = tx.execute(select(func.count(), end).select_from(window)).one()
    return last if n == size else None


def _of_the_worded(query: Select[Any], typed: str) -> Select[Any]:
    """All posts with these words, then their jobs: left to itself the planner goes through the jobs one by one."""
    found = select(source_posts.c.id).where(found_by(source_posts.c.search, typed)).cte("found")
    found = found.prefix_with("MATERIALIZED", dialect="postgresql")
    return query.join(found, found.c.id == jobs.c.source_post_id)


def _worded(typed: str) -> ColumnElement[bool]:
    return jobs.c.source_post_id.in_(select(source_posts.c.id).where(found_by(source_posts.c.search, typed)))


def _exactly(tx: Tx, typed: str) -> ColumnElement[bool] | None:
    """The post or the job of this id; None where there is neither."""
    number = exact_id(typed)
    known = select(accounts.c.id).where(accounts.c.workspace_id == WORKSPACE)  # what the index of post ids begins with
    same = select(source_posts.c.id).where(
        source_posts.c.account_id.in_(known), source_posts.c.platform_post_id == typed.strip()
    )
    post_ids = list(tx.execute(same.limit(100)).scalars())
    job_ids = list(tx.execute(select(jobs.c.id).where(_OWN, jobs.c.id == number)).scalars()) if number else []
    if not post_ids and not job_ids:
        return None
    return or_(jobs.c.source_post_id.in_(post_ids), jobs.c.id.in_(job_ids))
