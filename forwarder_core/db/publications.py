"""Publications and media files in SQL. Every move of a publication carries the fence of the job that makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Row, Text, Update, and_, bindparam, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, Insert
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.flow import connections, jobs, media_files, origins, publications, source_posts
from forwarder_core.domain.echoes import Sent
from forwarder_core.domain.jobs import Lease
from forwarder_core.domain.publications import CLOSED, NAMELESS, UNSENT, JobFile, Publication, PublicationState, before

_OWN = publications.c.workspace_id == WORKSPACE
_NAMED_WITHIN = timedelta(minutes=15)  # longer than a look at a published post takes; then its address never comes


def add(tx: Tx, values: Mapping[str, Any]) -> int:
    """Plan a publication. Raises IntegrityError when its destination has, or may have, this root post already."""
    made: int = tx.execute(insert(publications).values(**values).returning(publications.c.id)).scalar_one()
    return made


_LATEST = (
    select(publications)
    .where(_OWN, publications.c.job_id == bindparam("job_id"))
    .where(publications.c.state.not_in([s.value for s in CLOSED]))
    .order_by(publications.c.id.desc())
    .limit(1)
)


def latest_of(tx: Tx, job_id: int) -> tuple[Publication, bytes | None] | None:
    """The job's publication that still counts (neither abandoned nor failed), and its sealed session."""
    row = tx.execute(_LATEST, {"job_id": job_id}).one_or_none()
    return None if row is None else (publication_of(row), row.session_ref)


_HOLDER = select(publications).where(
    _OWN,
    publications.c.destination_account_id == bindparam("account_id"),
    publications.c.root_post_id == bindparam("post_id"),
    publications.c.state.not_in([s.value for s in CLOSED]),
)


def holder_of(tx: Tx, destination_account_id: int, root_post_id: int) -> Publication | None:
    """Whatever holds the place of this root post at this destination."""
    row = tx.execute(_HOLDER, {"account_id": destination_account_id, "post_id": root_post_id}).one_or_none()
    return None if row is None else publication_of(row)


def unclear_among(tx: Tx, job_ids: Sequence[int]) -> set[int]:
    """Those of these jobs whose post may be live without our knowing it."""
    query = select(publications.c.job_id).where(
        publications.c.job_id.in_(job_ids),
        publications.c.state.in_([PublicationState.COMMITTING, PublicationState.UNCONFIRMED]),
    )
    return set(tx.execute(query).scalars())


def free_place(tx: Tx, publication_id: int) -> bool:
    """Give up a publication nothing of which can be live, of a job that has ended; False where it is more than that.

    A job retried later begins anew; until then it holds no place that another job could fill.
    """
    ended = select(jobs.c.id).where(jobs.c.id == publications.c.job_id, jobs.c.status.in_(("dead", "cancelled")))
    freed = update(publications).where(
        publications.c.id == publication_id,
        publications.c.state.in_([s.value for s in UNSENT]),
        ended.correlate(publications).with_for_update().exists(),
    )
    return tx.execute(freed.values(state=PublicationState.ABANDONED, session_ref=None)).rowcount == 1


def abandon_unsent(tx: Tx, connection_id: int) -> None:
    """Give up every publication of a connection nothing of which can be live; none of its jobs may be running."""
    own = select(jobs.c.id).where(jobs.c.connection_id == connection_id)
    tx.execute(
        update(publications)
        .where(_OWN, publications.c.job_id.in_(own), publications.c.state.in_([s.value for s in UNSENT]))
        .values(state=PublicationState.ABANDONED, session_ref=None)
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """A publication a person was asked about, and what its connection says of such."""

    job_id: int
    publication_id: int
    since: datetime
    on_ambiguous: str | dict[str, Any]


def unconfirmed(tx: Tx) -> list[Asked]:
    """Those of active connections that have a policy for them."""
    query = (
        select(jobs.c.id, publications.c.id, publications.c.unconfirmed_at, connections.c.on_ambiguous)
        .join(publications, publications.c.job_id == jobs.c.id)
        .join(connections, connections.c.id == jobs.c.connection_id)
        .where(
            _OWN,
            jobs.c.status == "unconfirmed",
            publications.c.state == PublicationState.UNCONFIRMED,
            publications.c.unconfirmed_at.is_not(None),
            connections.c.status == "active",
            connections.c.deleted_at.is_(None),
            func.jsonb_typeof(connections.c.on_ambiguous) == "object",
        )
    )
    return [Asked(*row) for row in tx.execute(query)]


def has_open_at(tx: Tx, destination_account_id: int, now: datetime) -> bool:
    """Is anything on its way to this account whose id we do not know yet, or just there and its address not known?"""
    is_named = select(origins.c.id).where(
        origins.c.publication_id == publications.c.id, origins.c.remote_id == publications.c.remote_url
    )
    is_unnamed = and_(
        publications.c.state == PublicationState.PUBLISHED,
        publications.c.published_at > now - _NAMED_WITHIN,
        ~is_named.exists(),
    )
    query = select(publications.c.id).where(
        _OWN,
        publications.c.destination_account_id == destination_account_id,
        publications.c.state.in_([s.value for s in NAMELESS]) | is_unnamed,
    )
    return tx.execute(query.limit(1)).one_or_none() is not None


def sent_without_id(tx: Tx, account_id: int, since: datetime) -> list[Sent]:
    """What went out to the account since then, closed without our learning its id there: confirmed by a person
    without it, or given up as absent, which a late listing may yet prove wrong."""
    known = select(origins.c.id).where(origins.c.publication_id == publications.c.id).exists()
    query = select(publications).where(
        _OWN,
        publications.c.destination_account_id == account_id,
        publications.c.committing_at >= since,
        publications.c.state.in_([PublicationState.PUBLISHED, PublicationState.VERIFIED, PublicationState.ABANDONED]),
        ~known,
    )
    return [
        Sent(
            publication_id=row.id,
            root_post_id=row.root_post_id,
            marker=row.marker,
            caption=row.caption,
            duration_ms=row.duration_ms,
            committing_at=row.committing_at,
        )
        for row in tx.execute(query.order_by(publications.c.id))
    ]


def learn_id(tx: Tx, publication_id: int, remote_id: str, url: str) -> None:
    """Write down where a publication is that counts as live; one that was given up stays what it is."""
    live = publications.c.state.in_([PublicationState.PUBLISHED, PublicationState.VERIFIED])
    found = update(publications).where(publications.c.id == publication_id, live, publications.c.remote_id.is_(None))
    tx.execute(found.values(remote_id=remote_id, remote_url=url))


@dataclass(frozen=True, slots=True)
class Pictures:
    """The fingerprint of a root post we published somewhere, with its words at both ends."""

    root_post_id: int
    fingerprint: bytes
    duration_ms: int
    captions: tuple[str, str]


_FINGERPRINTS = (
    select(publications.c.root_post_id, media_files.c.fingerprint, media_files.c.duration_ms)
    .add_columns(source_posts.c.caption, publications.c.caption.label("published_caption"))
    .join(media_files, (media_files.c.job_id == publications.c.job_id) & (media_files.c.kind == "fetched"))
    .join(source_posts, source_posts.c.id == publications.c.root_post_id)
    .where(
        _OWN,
        publications.c.destination_account_id == bindparam("account_id"),
        publications.c.state.in_([PublicationState.PUBLISHED, PublicationState.VERIFIED]),
        media_files.c.fingerprint.is_not(None),
        media_files.c.duration_ms.between(bindparam("least_ms"), bindparam("most_ms")),
    )
    .order_by(publications.c.id.desc())
    .limit(1_000)
)


def fingerprints_at(tx: Tx, account_id: int, duration_ms: int, *, within_ms: int) -> list[Pictures]:
    """Of what we published at the account and still counts as live, about so long; the newest thousand."""
    asked = {"account_id": account_id, "least_ms": duration_ms - within_ms, "most_ms": duration_ms + within_ms}
    return [
        Pictures(row.root_post_id, row.fingerprint, row.duration_ms, (row.caption, row.published_caption))
        for row in tx.execute(_FINGERPRINTS, asked)
    ]


def move(tx: Tx, publication_id: int, to: PublicationState, *, lease: Lease | None, **also: Any) -> bool:
    """Guarded by the state it comes from and by the mover's fence; False = it may not.

    `lease` None: an admin's decision about a publication no worker holds.
    """
    said: dict[str, Any] = {f"to_{name}": value for name, value in also.items()}
    whose = {"its_id": publication_id} | ({"job": lease.job_id, "job_fence": lease.fence} if lease else {})
    return tx.execute(_move(to, tuple(said), is_carried=lease is not None), said | whose).rowcount == 1


@cache
def _move(to: PublicationState, said: tuple[str, ...], *, is_carried: bool) -> Update:
    """Built once for each shape; `said`: columns, as `to_` and their name."""
    guard = [publications.c.id == bindparam("its_id"), publications.c.state.in_(before(to))]
    if is_carried:
        of_mover = (jobs.c.id == bindparam("job"), jobs.c.fence == bindparam("job_fence"), jobs.c.status == "running")
        guard.append(select(jobs.c.id).where(*of_mover).with_for_update().exists())
    columns = {name: publications.c[name.removeprefix("to_")] for name in said}
    values: dict[Any, Any] = {column: bindparam(name, type_=column.type) for name, column in columns.items()}
    return update(publications).where(*guard).values({publications.c.state: to.value, **values})


def count_bytes(tx: Tx, publication_id: int, sent: int) -> None:
    tx.execute(update(publications).where(publications.c.id == publication_id).values(bytes_sent=sent))


def keep_file(tx: Tx, job_id: int, kind: str, values: Mapping[str, Any]) -> None:
    """The job's `fetched` or `rendition` file; a newer one takes the place of the old."""
    tx.execute(_keep_file(tuple(values)), {"job_id": job_id, "kind": kind, **values})


@cache
def _keep_file(said: tuple[str, ...]) -> Insert:
    made = upsert(media_files)
    return made.on_conflict_do_update(
        index_elements=["job_id", "kind"], set_={name: made.excluded[name] for name in said}
    )


def note_quality(tx: Tx, job_id: int, quality: Mapping[str, Any]) -> None:
    """Put how good the rendition is into its receipt."""
    path, value = literal(["receipt", "quality"], ARRAY(Text)), literal(dict(quality), media_files.c.plan.type)
    measured = update(media_files).where(media_files.c.job_id == job_id, media_files.c.kind == "rendition")
    tx.execute(measured.values(plan=func.jsonb_set(media_files.c.plan, path, value)))


_FILE_FIELDS = tuple(one.name for one in fields(JobFile))
_FILES = select(media_files.c.kind, *(media_files.c[name] for name in _FILE_FIELDS)).where(
    media_files.c.job_id == bindparam("job_id")
)


def files_of(tx: Tx, job_id: int) -> dict[str, JobFile]:
    """The job's files by kind, `fetched` and `rendition`."""
    rows = tx.execute(_FILES, {"job_id": job_id})
    return {row[0]: JobFile(**dict(zip(_FILE_FIELDS, row[1:], strict=True))) for row in rows}


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
        words=row.words,
        remote_id=row.remote_id,
        remote_url=row.remote_url,
        clean_reads=row.clean_reads,
        created_at=row.created_at,
        committing_at=row.committing_at,
        unclear_since=row.unclear_since,
        unconfirmed_at=row.unconfirmed_at,
        published_at=row.published_at,
    )
