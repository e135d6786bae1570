"""Seen posts, the decision of each connection about each, and the ledger of posts we made ourselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, exists, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE, in_batches
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.flow import connections, decisions, origins, source_posts
from forwarder_core.domain.posts import Decision, SeenPost, SourcePost, Verdict

_COLUMNS = ("platform_post_id", "url", "caption", "posted_at", "duration_s")
_OWN = source_posts.c.workspace_id == WORKSPACE


def record(tx: Tx, account_id: int, posts: Iterable[SeenPost], now: datetime) -> int:
    """Keep the posts not kept yet; return how many those were. What was seen before stays as it was."""
    new = 0
    for batch in in_batches([_row(account_id, post, now) for post in posts]):
        made = upsert(source_posts).values(batch)
        made = made.on_conflict_do_nothing(index_elements=["account_id", "platform_post_id"])
        new += len(tx.execute(made.returning(source_posts.c.id)).all())
    return new


def known_among(tx: Tx, account_id: int, platform_post_ids: Sequence[str]) -> set[str]:
    query = select(source_posts.c.platform_post_id).where(
        source_posts.c.account_id == account_id, source_posts.c.platform_post_id.in_(platform_post_ids)
    )
    return set(tx.execute(query).scalars())


def undecided(tx: Tx, connection_id: int, account_id: int) -> list[SourcePost]:
    """Every seen post of the account without a decision of this connection, or held by it, oldest first."""
    decided = exists().where(
        and_(
            decisions.c.connection_id == connection_id,
            decisions.c.source_post_id == source_posts.c.id,
            decisions.c.verdict != Verdict.HELD,
        )
    )
    query = select(source_posts).where(_OWN, source_posts.c.account_id == account_id, ~decided)
    return [_post_of(row) for row in tx.execute(query.order_by(source_posts.c.posted_at, source_posts.c.id))]


def decide(tx: Tx, connection_id: int, verdicts: Mapping[int, Decision], now: datetime) -> None:
    """Write the decision about each post id. A post decided in the meantime keeps its decision, unless that was
    to hold it."""
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
                where=decisions.c.verdict == Verdict.HELD,
            )
        )


def with_decisions(tx: Tx, connection_id: int, *, before: int, limit: int) -> list[tuple[SourcePost, Decision]]:
    """Newest first by our id, from the one before `before`."""
    query = (
        select(source_posts, decisions)
        .join(decisions, decisions.c.source_post_id == source_posts.c.id)
        .where(_OWN, decisions.c.connection_id == connection_id, source_posts.c.id < before)
        .order_by(source_posts.c.id.desc())
        .limit(limit)
    )
    return [
        (_post_of(row), Decision(Verdict(row.verdict), row.rule, row.value, row.until)) for row in tx.execute(query)
    ]


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


def count_undecided(tx: Tx) -> int:
    """The census: posts seen by an active connection's source that this connection has not decided."""
    decided = exists().where(
        and_(decisions.c.connection_id == connections.c.id, decisions.c.source_post_id == source_posts.c.id)
    )
    query = (
        select(func.count())
        .select_from(source_posts)
        .join(connections, connections.c.source_account_id == source_posts.c.account_id)
        .where(connections.c.status == "active", connections.c.deleted_at.is_(None), ~decided)
    )
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


def add_origin(tx: Tx, *, platform: str, remote_id: str, root_post_id: int, publication_id: int, now: datetime) -> None:
    tx.execute(
        insert(origins).values(
            platform=platform,
            remote_id=remote_id,
            root_post_id=root_post_id,
            publication_id=publication_id,
            created_at=now,
        )
    )


def _row(account_id: int, post: SeenPost, now: datetime) -> dict[str, Any]:
    said = asdict(post)
    row = {name: said.pop(name) for name in _COLUMNS}
    row["caption"] = row["caption"].replace("\x00", "").encode("utf-8", "replace").decode()
    facts = {name: value for name, value in said.items() if value is not None}
    return row | {"account_id": account_id, "facts": facts, "seen_at": now}


def _post_of(row: Row[Any]) -> SourcePost:
    post = SeenPost(**{name: getattr(row, name) for name in _COLUMNS}, **row.facts)
    return SourcePost(row.id, row.account_id, post, row.seen_at)
