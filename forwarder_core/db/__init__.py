"""Postgres: tables, queries by noun, migrations. SQL is written in this folder and nowhere else."""

from forwarder_core.db.engine import connect, drop_dead_sessions
from forwarder_core.db.schema import move_to

__all__ = ("drop_dead_sessions", "migrate")


def migrate(url: str, to: str | None = None) -> str:
    """Bring the database at `url` to this version's schema, or to the revision `to`; returns the revision."""
    engine = connect(url, pool_size=1)
    try:
        return move_to(engine, to)
    finally:
        engine.dispose()
