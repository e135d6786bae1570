"""What every use case is given: settings, database, vault, clock. Made once per process, passed, never fetched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from forwarder_core import crashpoints
from forwarder_core.clock import Clock
from forwarder_core.db.engine import DatabaseClock, Tx, connect
from forwarder_core.errors import SettingsError
from forwarder_core.settings import Settings
from forwarder_core.vault import Vault


@dataclass(frozen=True, slots=True)
class Core:
    settings: Settings
    engine: Engine
    vault: Vault
    clock: Clock

    def begin(self) -> AbstractContextManager[Tx]:
        """A transaction: committed at the end of the block, rolled back when it raises."""
        return self.engine.begin()

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """For a single question: nothing is begun and committed around it, which would cost as much as it does."""
        with self.engine.connect() as tx:
            yield tx.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def media_root(self) -> Path:
        return self.settings.home / "media"


def open_core(settings: Settings, *, pool_size: int = 5, name: str = "forwarder") -> Core:
    """The core of a process whose database is known and migrated (the supervisor or entrypoint sees to both)."""
    if settings.database_url is None:
        raise SettingsError(
            "FORWARDER_DATABASE_URL: not set",
            action="Start this process through ./run or the supervisor, or name the database.",
        )
    crashpoints.arm(settings.crash_at, settings.home)
    engine = connect(settings.database_url, pool_size=pool_size, name=name)
    return Core(settings, engine, Vault.open(settings.key_file), DatabaseClock(engine))
