"""Bring a database's schema to this version, or back to an earlier one.

The fact to know: one at a time. Whoever comes second waits, then finds it done.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from forwarder_core.db.engine import check
from forwarder_core.errors import StartError

_LOCK = 7_302_118_447_001  # any number, the same in every version
_FOLDER = Path(__file__).parent / "migrations"


class SchemaNewer(StartError):
    code = "schema_newer"
    action = "Start the newer version of the product, or restore a backup from before the update."


class UnknownRevision(StartError):
    code = "revision_unknown"
    action = "Name one of those listed, or leave --to out."


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(_FOLDER))
    return made


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
