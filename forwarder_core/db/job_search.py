"""Jobs by the words of their posts, newest or oldest first: a page costs much the same whatever the words.

The fact to know: nobody knows beforehand how rare words are, and each of two ways is dear for the wrong ones. So two
thousand jobs are gone through word by word, and some thousands more where these show that they hold the page. Rarer
words are looked up in the index of words, unless fewer jobs are asked for at all than it would list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal_column, or_, select, true

from forwarder_core.db.columns import WORKSPACE, found_by, has_part, listed_by
from forwarder_core.db.engine import Tx, planned_rows
from forwarder_core.db.job_ranges import LISTED, OWN, Asked, among, ids
from forwarder_core.db.tables.accounts import accounts
from forwarder_core.db.tables.flow import job_words, jobs, source_posts
from forwarder_core.domain.searching import exact_id, parts_of, worth_listing

# Of a million jobs, on two cores at rest: one gone through takes 0.4 µs, 1 µs where they lie far apart; one that the
# index of words lists 0.1 µs, to read it 0.4 µs, and to ask whether it is of those asked for 2 µs.
_FIRST = 2_000
_APART = 4  # so many times what neighbours cost, jobs cost that lie far apart
_MOST = 10_000  # jobs gone through without asking how many there are
_AT_ONCE = 100_000
_SPAN = 65_000  # of ids; the list of those is the index's and that of their words, and hardly a row is read besides
_DEARER = 2  # so many times what one gone through costs, one of the index does where not all are asked for
_SPARE = 1.3  # chance has some spans thinner than others
_PLACE = (job_words.c.job_id + literal_column("0")).label("place")  # the same, in an order that no index has


@dataclass(frozen=True, slots=True)
class _Way:
    """Which jobs, of which words, and from where on in which direction."""

    asked: Asked
    parts: tuple[str, ...]
    before: int
    oldest_first: bool

    def first(self, found: Sequence[int], limit: int) -> list[int]:
        return sorted(found, reverse=not self.oldest_first)[:limit]

    def order(self, column: ColumnElement[int]) -> ColumnElement[int]:
        return column.asc() if self.oldest_first else column.desc()

    def listed(self, parts: Sequence[ColumnElement[bool]], span: int | None = None) -> Select[Any]:
        """By the index of words, and that of connections, whose lists together are short."""
        id_ = job_words.c.job_id
        query = select(_PLACE).where(id_ > self.before if self.oldest_first else id_ < self.before, *parts)
        if span is not None:
            query = query.where(id_ <= self.before + span if self.oldest_first else id_ >= self.before - span)
        if self.asked.connections is None:
            return query
        return query.where(job_words.c.connection_id.in_(self.asked.connections))

    def window(self, size: int | None) -> Select[Any]:
        """Also of jobs that are not shown any more: an index alone tells these ids."""
        return ids(self.asked, self.before, size, self.oldest_first, besides=())


@dataclass(slots=True)
class _Seen:
    """What the jobs gone through so far showed: `found` in any order, `hits` of each part."""

    found: list[int]
    looked: int
    hits: list[int]

    def needed(self, limit: int) -> int:
        """So many more jobs hold the rest of the page, as far as can be told."""
        return round(_SPARE * (limit - len(self.found)) * self.looked / max(len(self.found), 0.5))


def found(tx: Tx, typed: str) -> ColumnElement[bool]:
    """The job or the post of this id, where there is one: who types it means it. Else all that have the words."""
    exact = _exactly(tx, typed)
    if exact is not None:
        return exact
    return jobs.c.id.in_(select(job_words.c.job_id).where(found_by(job_words.c.search, typed)))


def page(tx: Tx, asked: Asked, typed: str, *, before_id: int, limit: int, oldest_first: bool) -> list[int]:
    """The ids of the page, in its order."""
    exact = _exactly(tx, typed)
    if exact is not None:
        only = replace(asked, clauses=[*asked.clauses, exact])
        return list(tx.execute(ids(only, before_id, limit, oldest_first)).scalars())
    way = _Way(asked, parts_of(typed), before_id, oldest_first)
    if not way.parts:
        return []
    seen = _Seen([], 0, [0] * len(way.parts))
    size = max(limit, _FIRST // (asked.ranges if asked.is_anything else asked.ranges * _APART))
    while size <= max(limit, _MOST // asked.ranges) or _are_few(tx, way):
        size = min(size, _AT_ONCE)
        read, last = _gone_through(tx, way, size, seen, limit - len(seen.found))
        if len(seen.found) >= limit or read < size:
            return way.first(seen.found, limit)
        way = replace(way, before=last)
        size = max(limit, seen.needed(limit))
    return way.first(seen.found, limit) + _listed(tx, way, seen, limit - len(seen.found))


def _gone_through(tx: Tx, way: _Way, size: int, seen: _Seen, limit: int) -> tuple[int, int]:
    """Word by word through the next jobs, for the first `limit` of those that are shown; how many jobs those were, and
    the last of them."""
    has = [has_part(job_words.c.search, part) for part in way.parts]
    hits = [func.count().filter(one).label(f"hits{n}") for n, one in enumerate(has)]
    last = (func.max if way.oldest_first else func.min)(job_words.c.job_id).label("last")
    here = func.array_agg(job_words.c.job_id).filter(and_(*has)).label("here")
    window = func.array(way.window(size).scalar_subquery())
    query = select(func.count().label("read"), last, here, *hits).where(job_words.c.job_id == func.any(window))
    gone = query.subquery("gone")
    shown = select(jobs.c.id).where(jobs.c.id == func.any(gone.c.here), *LISTED).order_by(way.order(jobs.c.id))
    new = func.array(shown.limit(limit).scalar_subquery())
    read, end, found, *counted = tx.execute(select(gone.c.read, gone.c.last, new, *list(gone.c)[3:])).one()
    seen.found += found
    seen.looked += read
    seen.hits = [before + more for before, more in zip(seen.hits, counted, strict=True)]
    return read, end


def _are_few(tx: Tx, way: _Way) -> bool:
    """Whether going through all that are asked for is cheaper than the index of words, as far as the planner knows."""
    if way.asked.is_anything:
        return False
    listed = way.listed([has_part(job_words.c.search, part) for part in way.parts])
    return planned_rows(tx, way.window(None)) < _DEARER * planned_rows(tx, listed)


def _listed(tx: Tx, way: _Way, seen: _Seen, limit: int) -> list[int]:
    """The next of the jobs that the index lists; where some were found among all, of the nearest alone first."""
    if seen.found and way.asked.is_anything:
        span = min(_SPAN, 2 * seen.needed(len(seen.found) + limit))
        near = _of_listed(tx, way, seen, limit, span)
        if len(near) == limit:
            return near
    return _of_listed(tx, way, seen, limit)


def _of_listed(tx: Tx, way: _Way, seen: _Seen, limit: int, span: int | None = None) -> list[int]:
    """The list is made and put in order first, and the jobs looked at one by one: left to itself the planner goes
    through all jobs, or looks at all that are listed, where it thinks that words are common. `span`: of ids."""
    words = listed_by(job_words.c.search, way.parts, worth_listing(seen.hits, seen.looked))
    listed = way.listed(words, span).order_by(way.order(_PLACE)).subquery("listed")
    job = select(jobs.c.id).where(jobs.c.id == listed.c.place, *among(way.asked)).offset(0).lateral("job")
    query = select(job.c.id).select_from(listed.join(job, true())).order_by(way.order(listed.c.place))
    return list(tx.execute(query.limit(limit)).scalars())


def _exactly(tx: Tx, typed: str) -> ColumnElement[bool] | None:
    """The post or the job of this id; None where there is neither."""
    known = select(accounts.c.id).where(accounts.c.workspace_id == WORKSPACE)  # what the index of post ids begins with
    posts = select(source_posts.c.id).where(
        source_posts.c.account_id.in_(known), source_posts.c.platform_post_id == typed.strip()
    )
    own = select(jobs.c.id).where(OWN, jobs.c.id == (exact_id(typed) or 0))
    both = select(*(func.array(one.limit(100).scalar_subquery()) for one in (posts, own)))
    post_ids, job_ids = tx.execute(both).one()
    if not post_ids and not job_ids:
        return None
    return or_(jobs.c.source_post_id.in_(post_ids), jobs.c.id.in_(job_ids))
