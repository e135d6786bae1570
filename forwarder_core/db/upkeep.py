"""Backups, restores and the installation's own secret in SQL.

The fact to know: `reopen` writes states outside the table of moves. After a restore the rows are those of the past,
and what was only planned then may be live now; nothing else may do so.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.accounts import accounts, watches
from forwarder_core.db.tables.flow import connections, jobs, publications, source_posts
from forwarder_core.db.tables.upkeep import backups, installations, restores
from forwarder_core.domain.publications import UNSENT, PublicationState
from forwarder_core.domain.restores import Restore

_ENDED = ("success", "dead", "cancelled")


def marker_key(tx: Tx) -> str:
    """The secret of this installation's marks; made at first use."""
    query = select(installations.c.marker_key).where(installations.c.workspace_id == WORKSPACE)
    found: str | None = tx.execute(query).scalar_one_or_none()
    if found is None:
        tx.execute(upsert(installations).values(marker_key=secrets.token_hex(16)).on_conflict_do_nothing())
        found = tx.execute(query).scalar_one()
    return found


def note_backup(tx: Tx, *, name: str, size_bytes: int, is_encrypted: bool, taken_at: datetime) -> None:
    tx.execute(insert(backups).values(name=name, size_bytes=size_bytes, is_encrypted=is_encrypted, taken_at=taken_at))


def last_backup(tx: Tx) -> Row[Any] | None:
    query = select(backups).where(backups.c.workspace_id == WORKSPACE).order_by(backups.c.id.desc()).limit(1)
    return tx.execute(query).one_or_none()


def begin_restore(tx: Tx, taken_at: datetime, restored_at: datetime, facts: Mapping[str, Any]) -> Restore:
    made = insert(restores).values(taken_at=taken_at, restored_at=restored_at, facts=dict(facts))
    id_ = tx.execute(made.returning(restores.c.id)).scalar_one()
    return Restore(id_, taken_at, restored_at)


def last_restore(tx: Tx, since: datetime) -> Restore | None:
    """The newest restore of that time or later."""
    query = select(restores.c.id, restores.c.taken_at, restores.c.restored_at).where(
        restores.c.workspace_id == WORKSPACE, restores.c.restored_at >= since
    )
    row = tx.execute(query.order_by(restores.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else Restore(*row)


def reopen(tx: Tx, restore: Restore) -> int:
    """Whatever was on its way when the backup was taken may have arrived since: it is looked for, not sent."""
    own = publications.c.workspace_id == WORKSPACE
    moved = update(publications).where(own, publications.c.state.in_([s.value for s in UNSENT]))
    moved = moved.values(
        state=PublicationState.COMMITTING,
        committing_at=func.coalesce(publications.c.committing_at, publications.c.created_at),
        unclear_since=restore.restored_at,
        clean_reads=0,
        restore_id=restore.id,
    )
    return tx.execute(moved).rowcount


def was_sought(tx: Tx, job_id: int, restore: Restore) -> bool:
    """Has this job's post been looked for since?"""
    query = select(publications.c.id).where(publications.c.job_id == job_id, publications.c.restore_id == restore.id)
    return tx.execute(query.limit(1)).one_or_none() is not None


def is_settled(tx: Tx, account_id: int, restore: Restore) -> bool:
    """Is everything known again that went to this account before the restore?

    Every source that feeds it was looked at since, and no job for it waits whose post is that old.
    """
    feeding = (
        connections.c.workspace_id == WORKSPACE,
        connections.c.destination_account_id == account_id,
        connections.c.deleted_at.is_(None),
    )
    unseen = (
        select(connections.c.id)
        .outerjoin(watches, watches.c.account_id == connections.c.source_account_id)
        .where(
            *feeding,
            connections.c.status != "stopped",
            or_(watches.c.succeeded_at.is_(None), watches.c.succeeded_at < restore.restored_at),
        )
    )
    waiting = (
        select(jobs.c.id)
        .join(connections, connections.c.id == jobs.c.connection_id)
        .join(source_posts, source_posts.c.id == jobs.c.root_post_id)
        .where(*feeding, jobs.c.status.not_in(_ENDED), source_posts.c.posted_at < restore.restored_at)
    )
    return not any(tx.execute(query.limit(1)).one_or_none() for query in (unseen, waiting))


def is_destination(tx: Tx, account_id: int) -> bool:
    query = select(connections.c.id).where(connections.c.destination_account_id == account_id)
    return tx.execute(query.limit(1)).one_or_none() is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """One post that was looked for at its destination after a restore. `account`: the destination's alias."""

    job_id: int
    account: str
    post_url: str
    state: PublicationState
    remote_url: str | None


def sought(tx: Tx, restore_id: int) -> list[Sought]:
    query = (
        select(publications, accounts.c.alias, source_posts.c.url)
        .join(accounts, accounts.c.id == publications.c.destination_account_id)
        .join(source_posts, source_posts.c.id == publications.c.root_post_id)
        .where(publications.c.restore_id == restore_id)
        .order_by(publications.c.id)
    )
    return [
        Sought(
            job_id=row.job_id,
            account=row.alias,
            post_url=row.url,
            state=PublicationState(row.state),
            remote_url=row.remote_url,
        )
        for row in tx.execute(query)
    ]
