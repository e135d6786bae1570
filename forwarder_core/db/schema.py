"""Bring a database's schema to this version. One at a time: whoever comes second waits, then finds it done."""

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


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(_FOLDER))
    return made


def upgrade(engine: Engine) -> str:
    """Upgrade to the newest revision and return its name. Raises SchemaNewer for a database of a later version."""
    check(engine)
    script = ScriptDirectory.from_config(config())
    head = script.get_current_head() or ""
    with engine.connect() as tx:
        tx.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        tx.commit()
        try:
            at = MigrationContext.configure(tx).get_current_revision()
            tx.commit()
            if at is not None and at not in {r.revision for r in script.walk_revisions()}:
                raise SchemaNewer(f"The database is at revision {at}, which this version does not know.")
            if at != head:
                made = config()
                made.attributes["connection"] = tx
                command.upgrade(made, "head")
                tx.commit()
        finally:
            tx.rollback()
            tx.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
            tx.commit()
    return head
