"""The database of this home for a command: of the product that runs, of the admin's server, or started for a moment.

The fact to know: `quiet` holds the home, so nothing of the product can start meanwhile; `present` joins what runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from forwarder_core.embedded.bring_up import check_home
from forwarder_core.embedded.databases import Databases, external
from forwarder_core.embedded.lock import HomeLock, running
from forwarder_core.embedded.postgres import Cluster
from forwarder_core.errors import StartError
from forwarder_core.services.context import Core, open_core
from forwarder_core.settings import Settings

_START_WAIT_S = 60.0


@contextmanager
def present(settings: Settings) -> Iterator[Databases]:
    """The databases, whether the product runs or not."""
    check_home(settings.home)
    if settings.database_url:
        yield external(settings.database_url)
        return
    state = running(settings.home, wait_s=_START_WAIT_S)
    if state is not None:
        yield Databases(state.forwarder_database, state.dagster_database)
        return
    with quiet(settings) as databases:
        yield databases


@contextmanager
def quiet(settings: Settings) -> Iterator[Databases]:
    """The databases while nothing of the product runs in this home. Raises AlreadyRunning."""
    check_home(settings.home)
    with HomeLock(settings.home):
        if settings.database_url:
            yield external(settings.database_url)
            return
        with Cluster(settings.home).start() as server:
            server.ensure_databases()
            yield server.databases()


@contextmanager
def core_of(settings: Settings, databases: Databases, name: str) -> Iterator[Core]:
    core = open_core(settings.model_copy(update={"database_url": databases.forwarder}), pool_size=2, name=name)
    try:
        yield core
    finally:
        core.engine.dispose()


def passphrase_in(path: Path | None) -> str | None:
    """The first line of the file; None where no file was named."""
    if path is None:
        return None
    try:
        return path.read_text("utf-8").splitlines()[0]
    except (OSError, IndexError) as e:
        raise StartError(f"No passphrase can be read from {path}.", action="Put it into the file's first line.") from e
