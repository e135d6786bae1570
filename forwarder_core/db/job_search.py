"""Jobs by the words of their posts, newest or oldest first: a page costs much the same whatever the words.

The fact to know: nobody knows beforehand how rare words are, and each way is dear for the wrong ones. So a few hundred
jobs are gone through word by word. Where that shows that some thousands hold the page, these are gone through as well.
Rarer words are looked up in the index of words, but only those that proved rare: the lists of a beginning that a
quarter of all captions has are long, and what they leave is checked post by post instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ARRAY, CTE, BigInteger, ColumnElement, Select, and_, func, literal, or_, select, true

from forwarder_core.db.columns import WORKSPACE, found_by, has_part, listed_by
from forwarder_core.db.engine import Tx
from forwarder_core.db.job_ranges import OWN, Asked, among, ids
from forwarder_core.db.tables.accounts import accounts
from forwarder_core.db.tables.flow import connections, jobs, source_posts
from forwarder_core.domain.searching import exact_id, parts_of, worth_listing

# Of a million jobs, on two cores at rest: a job gone through takes 1.3 µs, one of a span 0.2 µs, a post that was listed
# 5 µs with its job, and 100,000 entries of the index of words 9 ms.
_FIRST = 500
_MOST = 5_000  # jobs gone through word by word
_FEW = 2_500  # posts listed that are taken to their jobs without asking how new they are
_SPAN = 30_000  # jobs of whose posts the words are looked up
_THIN = 4  # where fewer than one job in so many is of those asked for, a span of them is dear
_SPARE = 1.3  # chance has some spans thinner than others


@dataclass(frozen=True, slots=True)
class _Way:
    """Which jobs, of which words, and from where on in which direction."""

    asked: Asked
    parts: tuple[str, ...]
    before: int
    oldest_first: bool

    def first(self, found: Sequence[int], limit: int) -> list[int]:
        return sorted(found, reverse=not self.oldest_first)[:limit]

    def window(self, size: int) -> Any:
        return ids(self.asked, self.before, size, self.oldest_first).subquery("window")

    def last_of(self, window: Any) -> ColumnElement[int]:
        return func.max(window.c.id) if self.oldest_first else func.min(window.c.id)

    @property
    def beyond(self) -> ColumnElement[bool]:
        return jobs.c.id > self.before if self.oldest_first else jobs.c.id < self.before


@dataclass(slots=True)
class _Seen:
    """What the jobs gone through so far showed: `found` in any order, `hits` of each part; `stretch`: how many ids they
    are spread over."""

    found: list[int]
    looked: int
    hits: list[int]
    stretch: int = 0

    def needed(self, limit: int) -> int:
        """So many more jobs hold the rest of the page, as far as can be told."""
        return round(_SPARE * (limit - len(self.found)) * self.looked / max(len(self.found), 0.5))


def found(tx: Tx, typed: str) -> ColumnElement[bool]:
    """The job or the post of this id, where there is one: who types it means it. Else all that have the words."""
    exact = _exactly(tx, typed)
    if exact is not None:
        return exact
    return jobs.c.source_post_id.in_(select(source_posts.c.id).where(found_by(source_posts.c.search, typed)))


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
    size = max(limit, _FIRST // asked.ranges)
    while size <= max(limit, _MOST // asked.ranges):
        read, last = _gone_through(tx, way, size, seen)
        if len(seen.found) >= limit or read < size:
            return way.first(seen.found, limit)
        way = replace(way, before=last)
        size = max(limit, seen.needed(limit))
    return way.first(seen.found, limit) + _listed(tx, way, seen, limit - len(seen.found))


def _gone_through(tx: Tx, way: _Way, size: int, seen: _Seen) -> tuple[int, int]:
    """Word by word through the next jobs; how many those were, and the last of them."""
    window = way.window(size)
    post = (
        select(*(has_part(source_posts.c.search, part).label(f"part{n}") for n, part in enumerate(way.parts)))
        .where(source_posts.c.id == window.c.source_post_id)
        .offset(0)  # one post at a time by its key, whatever the planner thinks of the words
        .lateral("post")
    )
    columns = list(post.c)
    hits = [func.count().filter(column) for column in columns]
    here = func.array_agg(window.c.id).filter(and_(*columns))
    stretch = func.max(window.c.id) - func.min(window.c.id)
    query = select(func.count(), way.last_of(window), stretch, here, *hits).select_from(window.join(post, true()))
    read, last, wide, new, *counted = tx.execute(query).one()
    seen.found += new or []
    seen.looked += read
    seen.stretch += wide or 0
    seen.hits = [before + more for before, more in zip(seen.hits, counted, strict=True)]
    return read, last


def _listed(tx: Tx, way: _Way, seen: _Seen, limit: int) -> list[int]:
    """The next of the jobs whose posts the index of words lists."""
    posts = _posts(way, seen)
    if len(seen.found) < 2:
        few = list(tx.execute(select(_at_once(posts).c.id).limit(_FEW + 1)).scalars())
        if len(few) <= _FEW:
            known = select(func.unnest(literal(few, ARRAY(BigInteger))).label("id"))
            return list(tx.execute(_jobs_of(known, way, limit)).scalars())
    near: list[int] = []
    if seen.stretch < _THIN * seen.looked:
        near, last = _near(tx, way, posts, min(_SPAN, seen.needed(limit + len(seen.found))), limit)
        if len(near) == limit or last is None:
            return near
        way = replace(way, before=last)
    return near + list(tx.execute(_jobs_of(posts, way, limit - len(near))).scalars())


def _near(tx: Tx, way: _Way, posts: Select[Any], size: int, limit: int) -> tuple[list[int], int | None]:
    """Of the next `size` jobs, by where their posts lie; and the last of these jobs, None where there are no others."""
    window = way.window(max(limit, size // way.asked.ranges))
    post_id = window.c.source_post_id
    ends = select(func.count(), way.last_of(window), func.min(post_id), func.max(post_id)).select_from(window)
    read, last, low, high = tx.execute(ends).one()
    if not read:
        return [], None
    inside = jobs.c.id <= last if way.oldest_first else jobs.c.id >= last
    query = _jobs_of(posts.where(source_posts.c.id.between(low, high)), way, limit).where(inside)
    return list(tx.execute(query).scalars()), last


def _posts(way: _Way, seen: _Seen) -> Select[Any]:
    """Posts with the words: the rare ones by the index, or all where none is rare; the others post by post."""
    clauses = listed_by(source_posts.c.search, way.parts, worth_listing(seen.hits, seen.looked))
    query = select(source_posts.c.id).where(*clauses)
    if way.asked.connections is None:
        return query
    ends = select(connections.c.source_account_id).where(connections.c.id.in_(way.asked.connections))
    return query.where(source_posts.c.account_id.in_(ends))


def _jobs_of(posts: Select[Any], way: _Way, limit: int) -> Select[Any]:
    listed = _at_once(posts)
    query = select(jobs.c.id).join(listed, listed.c.id == jobs.c.source_post_id)
    query = query.where(*way.asked.clauses, *among(way.asked), way.beyond)
    return query.order_by(jobs.c.id.asc() if way.oldest_first else jobs.c.id.desc()).limit(limit)


def _at_once(posts: Select[Any]) -> CTE:
    """Found first, by the index of words: left to itself the planner reads all posts, or goes through the jobs one by
    one, where it thinks that words are common."""
    return posts.cte("listed").prefix_with("MATERIALIZED", dialect="postgresql")


def _exactly(tx: Tx, typed: str) -> ColumnElement[bool] | None:
    """The post or the job of this id; None where there is neither."""
    number = exact_id(typed)
    known = select(accounts.c.id).where(accounts.c.workspace_id == WORKSPACE)  # what the index of post ids begins with
    same = select(source_posts.c.id).where(
        source_posts.c.account_id.in_(known), source_posts.c.platform_post_id == typed.strip()
    )
    post_ids = list(tx.execute(same.limit(100)).scalars())
    job_ids = list(tx.execute(select(jobs.c.id).where(OWN, jobs.c.id == number)).scalars()) if number else []
    if not post_ids and not job_ids:
        return None
    return or_(jobs.c.source_post_id.in_(post_ids), jobs.c.id.in_(job_ids))
