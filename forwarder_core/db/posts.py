"""Seen posts, the decision of each connection about each, and the ledger of posts we made ourselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, exists, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE, in_batches, storable
from forwarder_core.db.connections import looks_by_itself
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.flow import connections, decision_marks, decisions, origins, source_posts
from forwarder_core.domain.posts import Decision, SeenPost, SourcePost, Verdict

_COLUMNS = ("platform_post_id", "url", "caption", "posted_at", "duration_s")
_OWN = source_posts.c.workspace_id == WORKSPACE
_IS_HELD = decisions.c.verdict == Verdict.HELD
_BEHIND_MARK = 10_000  # ids, of posts of all sources


def record(tx: Tx, account_id: int, posts: Sequence[SeenPost], now: datetime) -> int:
    """Keep the posts not kept yet; return how many those were. What was seen before stays as it was, but for posts that
    wait for a decision: the counts a source tells now will decide those."""
    known = _known(tx, account_id, [post.platform_post_id for post in posts])
    new = 0
    for batch in in_batches([_row(account_id, post, now) for post in posts if post.platform_post_id not in known]):
        made = upsert(source_posts).values(batch)
        made = made.on_conflict_do_nothing(index_elements=["account_id", "platform_post_id"])
        new += len(tx.execute(made.returning(source_posts.c.id)).all())
    for post in posts:
        if known.get(post.platform_post_id):
            mine = (source_posts.c.account_id == account_id) & (
                source_posts.c.platform_post_id == post.platform_post_id
            )
            facts = _row(account_id, post, post.posted_at)["facts"]
            tx.execute(update(source_posts).where(mine).values(facts=source_posts.c.facts.op("||")(facts)))
    return new


def _known(tx: Tx, account_id: int, platform_post_ids: Sequence[str]) -> dict[str, bool]:
    """Those of these posts that are kept already; True for one that a connection holds."""
    is_held = exists().where(decisions.c.source_post_id == source_posts.c.id, _IS_HELD)
    found: dict[str, bool] = {}
    for batch in in_batches(platform_post_ids):
        query = select(source_posts.c.platform_post_id, is_held.label("is_held"))
        mine = (source_posts.c.account_id == account_id) & source_posts.c.platform_post_id.in_(batch)
        found |= {row.platform_post_id: row.is_held for row in tx.execute(query.where(mine))}
    return found


def oldest_ripe(tx: Tx, account_id: int, now: datetime) -> datetime | None:
    """When the oldest post was posted whose held decision is due: a look must reach it, to read its counts."""
    query = (
        select(func.min(source_posts.c.posted_at))
        .join(decisions, decisions.c.source_post_id == source_posts.c.id)
        .join(connections, connections.c.id == decisions.c.connection_id)
        .where(connections.c.source_account_id == account_id, _IS_HELD, decisions.c.until <= now)
    )
    oldest: datetime | None = tx.execute(query).scalar_one()
    return oldest


def known_among(tx: Tx, account_id: int, platform_post_ids: Sequence[str]) -> set[str]:
    query = select(source_posts.c.platform_post_id).where(
        source_posts.c.account_id == account_id, source_posts.c.platform_post_id.in_(platform_post_ids)
    )
    return set(tx.execute(query).scalars())


def undecided(tx: Tx, connection_id: int, account_id: int) -> list[SourcePost]:
    """Every seen post of the account without a decision of this connection, or held by it, oldest first.

    Read from the connection's mark on, however many posts lie before it.
    """
    mark = _mark(connection_id)
    mine = select(decisions.c.source_post_id).where(decisions.c.connection_id == connection_id)
    decided = mine.where(decisions.c.source_post_id > mark, decisions.c.source_post_id == source_posts.c.id)
    new = select(source_posts.c.id).where(
        _OWN, source_posts.c.account_id == account_id, source_posts.c.id > mark, ~decided.exists()
    )
    query = select(source_posts).where(source_posts.c.id.in_(new.union_all(mine.where(_IS_HELD))))
    return [_post_of(row) for row in tx.execute(query.order_by(source_posts.c.posted_at, source_posts.c.id))]


def set_mark(tx: Tx, connection_id: int, account_id: int, settled: datetime) -> None:
    """To be called once `undecided` is empty but for held ones: the posts seen before `settled` are not asked about
    again. Later ones are: one with a lower id may still be on its way here in another transaction."""
    mark = _mark(connection_id)
    last = select(literal(connection_id), func.max(source_posts.c.id)).where(
        source_posts.c.account_id == account_id, source_posts.c.id > mark, source_posts.c.seen_at < settled
    )
    made = upsert(decision_marks).from_select(
        ["connection_id", "post_id"], last.having(func.max(source_posts.c.id).is_not(None))
    )
    tx.execute(made.on_conflict_do_update(index_elements=["connection_id"], set_={"post_id": made.excluded["post_id"]}))


def _mark(connection_id: int) -> ColumnElement[int]:
    found = select(decision_marks.c.post_id).where(decision_marks.c.connection_id == connection_id)
    return func.coalesce(found.scalar_subquery(), 0)


def decide(
    tx: Tx,
    connection_id: int,
    verdicts: Mapping[int, Decision],
    now: datetime,
    *,
    over: Sequence[Verdict] = (Verdict.HELD,),
) -> None:
    """Write the decision about each post id. A post decided in the meantime keeps its decision, unless that is one of
    `over`."""
    rows = [
        {
            "connection_id": connection_id,
            "source_post_id": post_id,
            "verdict": decision.verdict,
            "rule": decision.rule,
            "value": decision.value,
            "until": decision.until,
            "decided_at": now,
        }
        for post_id, decision in verdicts.items()
    ]
    for batch in in_batches(rows):
        made = upsert(decisions).values(batch)
        tx.execute(
            made.on_conflict_do_update(
                index_elements=["connection_id", "source_post_id"],
                set_={name: made.excluded[name] for name in ("verdict", "rule", "value", "until", "decided_at")},
                where=decisions.c.verdict.in_([verdict.value for verdict in over]),
            )
        )


def before(tx: Tx, connection_id: int, account_id: int, at: datetime) -> list[tuple[SourcePost, Decision | None]]:
    """The posts of the account from before `at`, oldest first, each with the decision of this connection, if any."""
    query = (
        select(source_posts, decisions.c.verdict, decisions.c.rule, decisions.c.value, decisions.c.until)
        .outerjoin(
            decisions,
            and_(decisions.c.source_post_id == source_posts.c.id, decisions.c.connection_id == connection_id),
        )
        .where(_OWN, source_posts.c.account_id == account_id, source_posts.c.posted_at < at)
        .order_by(source_posts.c.posted_at, source_posts.c.id)
    )
    return [
        (_post_of(row), Decision(Verdict(row.verdict), row.rule, row.value, row.until) if row.verdict else None)
        for row in tx.execute(query)
    ]


def with_decisions(tx: Tx, connection_id: int, *, before: int, limit: int) -> list[tuple[SourcePost, Decision]]:
    """Newest first by our id, from the one before `before`."""
    query = (
        select(source_posts, decisions)
        .join(decisions, decisions.c.source_post_id == source_posts.c.id)
        .where(_OWN, decisions.c.connection_id == connection_id, decisions.c.source_post_id < before)
        .order_by(decisions.c.source_post_id.desc())  # as the index of one decision a post has them
        .limit(limit)
    )
    return [
        (_post_of(row), Decision(Verdict(row.verdict), row.rule, row.value, row.until)) for row in tx.execute(query)
    ]


_GET = select(source_posts).where(_OWN, source_posts.c.id == bindparam("post_id"))


def get(tx: Tx, post_id: int) -> SourcePost | None:
    row = tx.execute(_GET, {"post_id": post_id}).one_or_none()
    return None if row is None else _post_of(row)


def find(tx: Tx, account_id: int, platform_post_id: str) -> SourcePost | None:
    query = select(source_posts).where(
        _OWN, source_posts.c.account_id == account_id, source_posts.c.platform_post_id == platform_post_id
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else _post_of(row)


def decision_of(tx: Tx, connection_id: int, post_id: int) -> Decision | None:
    query = select(decisions).where(decisions.c.connection_id == connection_id, decisions.c.source_post_id == post_id)
    row = tx.execute(query).one_or_none()
    return None if row is None else Decision(Verdict(row.verdict), row.rule, row.value, row.until)


def find_anywhere(tx: Tx, words: str) -> list[SourcePost]:
    """Posts of any account by their platform's id or their address, as a person copies it."""
    bare = words.partition("?")[0].rstrip("/")
    same = or_(source_posts.c.platform_post_id == words, source_posts.c.url.in_([words, bare, f"{bare}/"]))
    query = select(source_posts).where(source_posts.c.workspace_id == WORKSPACE, same)
    return [_post_of(row) for row in tx.execute(query.order_by(source_posts.c.id.desc()).limit(20))]


def decisions_about(tx: Tx, post_ids: Sequence[int]) -> list[tuple[str, int, int, Decision]]:
    """What every connection decided about these posts: its name, its id, the post's, and the decision."""
    query = (
        select(connections.c.name, decisions)
        .join(connections, connections.c.id == decisions.c.connection_id)
        .where(connections.c.workspace_id == WORKSPACE, decisions.c.source_post_id.in_(post_ids))
        .order_by(decisions.c.id)
    )
    return [
        (r.name, r.connection_id, r.source_post_id, Decision(Verdict(r.verdict), r.rule, r.value, r.until))
        for r in tx.execute(query)
    ]


def count_undecided(tx: Tx, *, is_whole: bool = True) -> int:
    """The census: posts of a source that a connection looks at by itself, and has not decided about.

    Not `is_whole`: from a few thousand posts before the connection's mark on, among which one would be that came too
    late for the mark.
    """
    decided = exists().where(
        and_(decisions.c.connection_id == connections.c.id, decisions.c.source_post_id == source_posts.c.id)
    )
    query = (
        select(func.count())
        .select_from(source_posts)
        .join(connections, connections.c.source_account_id == source_posts.c.account_id)
        .outerjoin(decision_marks, decision_marks.c.connection_id == connections.c.id)
        .where(looks_by_itself(), ~decided)
    )
    if not is_whole:
        query = query.where(source_posts.c.id > func.coalesce(decision_marks.c.post_id, 0) - _BEHIND_MARK)
    return tx.execute(query).scalar_one()


def roots_of(tx: Tx, platform: str, remote_ids: Sequence[str]) -> dict[str, int]:
    """Which of these ids we created ourselves, and the root post each goes back to."""
    found: dict[str, int] = {}
    for batch in in_batches(remote_ids):
        query = select(origins.c.remote_id, origins.c.root_post_id).where(
            origins.c.workspace_id == WORKSPACE, origins.c.platform == platform, origins.c.remote_id.in_(batch)
        )
        found |= {row.remote_id: row.root_post_id for row in tx.execute(query)}
    return found


def roots_of_posts(tx: Tx, platform: str, seen: Sequence[SeenPost]) -> dict[str, int]:
    """As `roots_of`, by the posts' ids; found by their address too, where an id differs by the way of looking at it."""
    known = roots_of(tx, platform, [name for post in seen for name in (post.platform_post_id, post.url) if name])
    named = ((post.platform_post_id, known.get(post.platform_post_id, known.get(post.url))) for post in seen)
    return {post_id: root for post_id, root in named if root is not None}


def add_origin(
    tx: Tx,
    *,
    platform: str,
    remote_id: str,
    root_post_id: int,
    publication_id: int,
    now: datetime,
    address: str | None = None,
) -> None:
    """Enter what we created: by its id, and by its own address where that is known. A name known already stays."""
    for name in (remote_id, address):
        if name:
            made = upsert(origins).values(
                platform=platform,
                remote_id=name,
                root_post_id=root_post_id,
                publication_id=publication_id,
                created_at=now,
            )
            tx.execute(made.on_conflict_do_nothing())


def named(tx: Tx, platform: str, name: str) -> int | None:
    """The publication the ledger has under this id or address."""
    query = select(origins.c.publication_id).where(
        origins.c.workspace_id == WORKSPACE, origins.c.platform == platform, origins.c.remote_id == name
    )
    found: int | None = tx.execute(query).scalar_one_or_none()
    return found


def _row(account_id: int, post: SeenPost, now: datetime) -> dict[str, Any]:
    said = asdict(post)
    row = {name: said.pop(name) for name in _COLUMNS}
    row["caption"] = storable(row["caption"])
    facts = {name: value for name, value in said.items() if value is not None}
    return row | {"account_id": account_id, "facts": facts, "seen_at": now}


def _post_of(row: Row[Any]) -> SourcePost:
    post = SeenPost(**{name: getattr(row, name) for name in _COLUMNS}, **row.facts)
    return SourcePost(row.id, row.account_id, post, row.seen_at)
