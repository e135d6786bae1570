"""`run migrate`: bring the database's tables to this version, and no more. `up` and `demo` do it by themselves.

The fact to know: it may not start a database server that an `up` beginning meanwhile would join, and then stop it
under that one: it holds the home as they do, or uses the server of the one that holds it.
"""

from __future__ import annotations

from typing import Annotated

import typer

from forwarder_core import db
from forwarder_core.cli.progress import reporter
from forwarder_core.embedded.bring_up import check_home
from forwarder_core.embedded.databases import external
from forwarder_core.embedded.lock import HomeLock, running
from forwarder_core.embedded.postgres import Cluster
from forwarder_core.errors import AlreadyRunning
from forwarder_core.settings import Settings, load

_START_WAIT_S = 60.0


def command(
    to: Annotated[str | None, typer.Option(help="An earlier revision to go back to, before an older release.")] = None,
) -> None:
    """Bring the database to this version's tables."""
    settings, report = load(), reporter()
    check_home(settings.home)
    revision = _migrate(settings, to)
    report("tables ready")
    print(f"Revision: {revision}")


def _migrate(settings: Settings, to: str | None) -> str:
    if settings.database_url:
        return db.migrate(external(settings.database_url).forwarder, to)
    state = running(settings.home, wait_s=_START_WAIT_S)
    if state is not None and to is not None:
        raise AlreadyRunning("The product runs, and would lose its tables under its hands.", action="Stop it first.")
    if state is not None:
        return db.migrate(state.forwarder_database)
    with HomeLock(settings.home), Cluster(settings.home).start() as server:
        server.ensure_databases()
        return db.migrate(server.url(), to)
