"""Keeping: what a backup must find in the database before it is taken, and what is remembered of it."""

from __future__ import annotations

from datetime import datetime

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from forwarder_core.db import schema, upkeep
from forwarder_core.errors import StartError
from forwarder_core.services.context import Core


def begin_backup(core: Core) -> tuple[datetime, str]:
    """The time a backup counts as taken at, and the database's revision.

    The secret of the marks is made where it was never needed yet: after a restore it must be the one used since.
    Raises StartError for a database without tables.
    """
    now = core.clock.now()
    with core.begin() as tx:
        revision = MigrationContext.configure(tx).get_current_revision()
        if revision is None:
            raise StartError("There is nothing to back up: the database has no tables yet.", action="Start it once.")
        upkeep.marker_key(tx)
    return now, revision


def knows(revision: str) -> bool:
    """Can this version bring a database of that revision to its own?"""
    return revision in {known.revision for known in ScriptDirectory.from_config(schema.config()).walk_revisions()}


def note_backup(core: Core, *, name: str, size_bytes: int, is_encrypted: bool, taken_at: datetime) -> None:
    with core.begin() as tx:
        upkeep.note_backup(tx, name=name, size_bytes=size_bytes, is_encrypted=is_encrypted, taken_at=taken_at)


def last_backup_at(core: Core) -> datetime | None:
    with core.begin() as tx:
        found = upkeep.last_backup(tx)
    return None if found is None else found.taken_at
