"""Bring a database's schema to this version, or back to an earlier one.

The fact to know: one at a time. Whoever comes second waits, then finds it done.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from forwarder_core.db.engine import Tx, check
from forwarder_core.errors import StartError

_LOCK = 7_302_118_447_001  # any number, the same in every version
_FOLDER = Path(__file__).parent / "migrations"


class SchemaNewer(StartError):
    code = "schema_newer"
    action = "Start the newer version of the product, or restore a backup from before the update."


class SchemaOlder(StartError):
    code = "schema_older"
    action = "Bring the database to this version by ./run migrate, or go on with the version it belongs to."


class UnknownRevision(StartError):
    code = "revision_unknown"
    action = "Name one of those listed, or leave --to out."


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(_FOLDER))
    return made


@cache
def known() -> tuple[str, ...]:
    """The revisions of this version, the oldest first. Each file of a migration is called by its own."""
    return tuple(sorted(path.name.partition("_")[0] for path in (_FOLDER / "versions").glob("[0-9]*_*.py")))


def is_ours(tx: Tx) -> bool:
    """Whether the tables are those of this version: an update may move them under a process that goes on."""
    return _revision(tx) == known()[-1]


def check_revision(tx: Tx) -> None:
    """Raise SchemaNewer or SchemaOlder where they are not."""
    at = _revision(tx)
    if at is None or at in known()[:-1]:
        raise SchemaOlder(f"The tables are at revision {at}; this version needs {known()[-1]}.")
    if at != known()[-1]:
        raise SchemaNewer(f"The tables are at revision {at}, which this version does not know.")


def _revision(tx: Tx) -> str | None:
    return tx.execute(text("SELECT version_num FROM alembic_version")).scalar()


def move_to(engine: Engine, revision: str | None = None) -> str:
    """Bring the schema to `revision`, forward or back, and return its name; None = this version's newest.

    Going back drops what later versions keep, and no row that says what was published. Raises SchemaNewer for a
    database of a later version, UnknownRevision.
    """
    check(engine)
    script = ScriptDirectory.from_config(config())
    order = [r.revision for r in script.walk_revisions()]  # the newest first
    wanted = order[0] if revision is None else revision
    if wanted not in order:
        raise UnknownRevision(f"There is no revision {wanted}; this version knows {', '.join(reversed(order))}.")
    with engine.connect() as tx:
        tx.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        tx.commit()
        try:
            at = MigrationContext.configure(tx).get_current_revision()
            tx.commit()
            if at is not None and at not in order:
                raise SchemaNewer(f"The database is at revision {at}, which this version does not know.")
            if at != wanted:
                is_back = at is not None and order.index(at) < order.index(wanted)
                made = config()
                made.attributes["connection"] = tx
                (command.downgrade if is_back else command.upgrade)(made, wanted)
                tx.commit()
        finally:
            tx.rollback()
            tx.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
            tx.commit()
    return wanted
