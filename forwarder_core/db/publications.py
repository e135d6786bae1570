"""Publications and media files in SQL. Every move of a publication carries the fence of the job that makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.flow import jobs, media_files, publications
from forwarder_core.domain.jobs import Lease
from forwarder_core.domain.publications import CLOSED, NAMELESS, Publication, PublicationState, before

_OWN = publications.c.workspace_id == WORKSPACE


def add(tx: Tx, values: Mapping[str, Any]) -> int:
    """Plan a publication. Raises IntegrityError when its destination has, or may have, this root post already."""
    made: int = tx.execute(insert(publications).values(**values).returning(publications.c.id)).scalar_one()
    return made


def latest_of(tx: Tx, job_id: int) -> tuple[Publication, bytes | None] | None:
    """The job's publication that still counts (neither abandoned nor failed), and its sealed session."""
    query = select(publications).where(
        _OWN, publications.c.job_id == job_id, publications.c.state.not_in([s.value for s in CLOSED])
    )
    row = tx.execute(query.order_by(publications.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else (publication_of(row), row.session_ref)


def holder_of(tx: Tx, destination_account_id: int, root_post_id: int) -> Publication | None:
    """Whatever holds the place of this root post at this destination."""
    query = select(publications).where(
        _OWN,
        publications.c.destination_account_id == destination_account_id,
        publications.c.root_post_id == root_post_id,
        publications.c.state.not_in([s.value for s in CLOSED]),
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else publication_of(row)


def unclear_among(tx: Tx, job_ids: Sequence[int]) -> set[int]:
    """Those of these jobs whose post may be live without our knowing it."""
    query = select(publications.c.job_id).where(
        publications.c.job_id.in_(job_ids),
        publications.c.state.in_([PublicationState.COMMITTING, PublicationState.UNCONFIRMED]),
    )
    return set(tx.execute(query).scalars())


def has_open_at(tx: Tx, destination_account_id: int) -> bool:
    """Is anything on its way to this account whose id we do not know yet?"""
    query = select(publications.c.id).where(
        _OWN,
        publications.c.destination_account_id == destination_account_id,
        publications.c.state.in_([s.value for s in NAMELESS]),
    )
    return tx.execute(query.limit(1)).one_or_none() is not None


def move(tx: Tx, publication_id: int, to: PublicationState, *, lease: Lease | None, **also: Any) -> bool:
    """Guarded by the state it comes from and by the mover's fence; False = it may not.

    `lease` None: an admin's decision about a publication no worker holds.
    """
    guard = [publications.c.id == publication_id, publications.c.state.in_(before(to))]
    if lease is not None:
        held = select(jobs.c.id).where(
            jobs.c.id == lease.job_id, jobs.c.fence == lease.fence, jobs.c.status == "running"
        )
        guard.append(held.with_for_update().exists())
    return tx.execute(update(publications).where(*guard).values(state=to, **also)).rowcount == 1


def count_bytes(tx: Tx, publication_id: int, sent: int) -> None:
    tx.execute(update(publications).where(publications.c.id == publication_id).values(bytes_sent=sent))


def keep_file(tx: Tx, job_id: int, kind: str, values: Mapping[str, Any]) -> None:
    """The job's `fetched` or `rendition` file; a newer one takes the place of the old."""
    made = upsert(media_files).values(job_id=job_id, kind=kind, **values)
    tx.execute(made.on_conflict_do_update(index_elements=["job_id", "kind"], set_=dict(values)))


def file_of(tx: Tx, job_id: int, kind: str) -> Row[Any] | None:
    return tx.execute(
        select(media_files).where(media_files.c.job_id == job_id, media_files.c.kind == kind)
    ).one_or_none()


def publication_of(row: Row[Any]) -> Publication:
    """Without its session: that is opened by whoever uses it."""
    return Publication(
        id=row.id,
        job_id=row.job_id,
        destination_account_id=row.destination_account_id,
        root_post_id=row.root_post_id,
        state=PublicationState(row.state),
        marker=row.marker,
        bytes_sent=row.bytes_sent,
        size_bytes=row.size_bytes,
        content_sha256=row.content_sha256,
        duration_ms=row.duration_ms,
        caption=row.caption,
        remote_id=row.remote_id,
        remote_url=row.remote_url,
        clean_reads=row.clean_reads,
        created_at=row.created_at,
        committing_at=row.committing_at,
        unclear_since=row.unclear_since,
        published_at=row.published_at,
    )
