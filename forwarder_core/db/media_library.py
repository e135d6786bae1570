"""The media library: every post that was brought somewhere, with the file that was made of it. Reading only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select

from forwarder_core.db.columns import WORKSPACE, found_by
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.flow import connections, job_words, jobs, media_files, source_posts
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.domain.media_library import Brought


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """`account_id` at either end; `since`, `until`: when it arrived; `q`: beginnings of words of the caption."""

    q: str | None = None
    account_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


def page(tx: Tx, wish: Wish, *, before_id: int, limit: int) -> list[Brought]:
    """The latest job first."""
    query = (
        select(
            jobs.c.id.label("job_id"),
            connections.c.id.label("connection_id"),
            connections.c.name.label("connection"),
            connections.c.source_account_id,
            connections.c.destination_account_id,
            source_posts.c.caption,
            source_posts.c.url.label("source_url"),
            jobs.c.destination_post_id,
            jobs.c.destination_url,
            jobs.c.completed_at,
            media_files.c.size_bytes,
            media_files.c.duration_ms,
            media_files.c.width,
            media_files.c.height,
            media_files.c.sha256,
        )
        .join(connections, connections.c.id == jobs.c.connection_id)
        .join(source_posts, source_posts.c.id == jobs.c.source_post_id)
        .join(media_files, (media_files.c.job_id == jobs.c.id) & (media_files.c.kind == "rendition"))
        .where(jobs.c.workspace_id == WORKSPACE, jobs.c.status == JobStatus.SUCCESS, jobs.c.id < before_id)
        .where(*_wanted(wish))
        .order_by(jobs.c.id.desc())
        .limit(limit)
    )
    return [_brought(row) for row in tx.execute(query).mappings()]


def _wanted(wish: Wish) -> list[ColumnElement[bool]]:
    asked: list[ColumnElement[bool]] = []
    if wish.q and wish.q.strip():
        asked.append(jobs.c.id.in_(select(job_words.c.job_id).where(found_by(job_words.c.search, wish.q))))
    if wish.account_id is not None:
        ends = (connections.c.source_account_id, connections.c.destination_account_id)
        asked.append(or_(*(end == wish.account_id for end in ends)))
    if wish.since is not None:
        asked.append(jobs.c.completed_at >= wish.since)
    if wish.until is not None:
        asked.append(jobs.c.completed_at < wish.until)
    return asked


def _brought(row: Mapping[Any, Any]) -> Brought:
    return Brought(**{str(name): value for name, value in row.items()})
