"""Postgres: tables, queries by noun, migrations. SQL is written in this folder and nowhere else."""

from forwarder_core.db.engine import connect
from forwarder_core.db.schema import upgrade


def migrate(url: str) -> str:
    """Bring the database at `url` to this version's schema; returns the revision."""
    engine = connect(url, pool_size=1)
    try:
        return upgrade(engine)
    finally:
        engine.dispose()
