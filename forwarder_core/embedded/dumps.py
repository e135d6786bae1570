"""Dumping a database into a file and reading it back: PostgreSQL's own programs, at whichever server.

The fact to know: a restored database is built beside the present one and takes its name only when it is whole. The one
it replaces stays, under another name, until the next restore.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from psycopg import sql
from sqlalchemy.engine import URL, make_url

from forwarder_core.embedded import binaries
from forwarder_core.embedded.databases import ServerAddress
from forwarder_core.embedded.spawn import wait_until
from forwarder_core.errors import AlreadyRunning, ForwarderError

RESTORING, REPLACED = "_restoring", "_replaced"
_LINGERS_S = 2.0  # a session that was closed is seen a moment longer
_OTHERS = (
    "SELECT DISTINCT application_name FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


class DumpFailed(ForwarderError):
    code = "dump_failed"
    action = "Read the reason; a server newer than this release's PostgreSQL needs that server's own pg_dump."


def dump(url: str, into: Path) -> None:
    """One consistent snapshot of the database, compressed, in PostgreSQL's custom format. Raises DumpFailed."""
    _run("pg_dump", url, "--format=custom", "--compress=6", "--no-owner", "--no-privileges", f"--file={into}")


def restore(url: str, dumped: Path) -> None:
    """Put the dumped database where `url` says, in the place of the one there. Raises DumpFailed, AlreadyRunning."""
    target = make_url(url)
    name = str(target.database)
    address, unfinished = ServerAddress(target), f"{name}{RESTORING}"
    refuse_in_use(url)
    address.drop(unfinished)
    address.ensure_databases(unfinished)
    _run("pg_restore", address.url(unfinished, None), "--no-owner", "--no-privileges", "--exit-on-error", str(dumped))
    address.drop(f"{name}{REPLACED}")
    with address.connect("postgres") as connection:
        for old, new in ((name, f"{name}{REPLACED}"), (unfinished, name)):
            rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
            connection.execute(rename.format(sql.Identifier(old), sql.Identifier(new)))


def rows_in(url: str) -> int:
    """How many accounts, posts and users the database has; 0 also where it has no tables of ours."""
    target = make_url(url)
    with ServerAddress(target).connect(str(target.database)) as connection:
        return sum(_count(connection, table) for table in ("accounts", "source_posts"))


def _count(connection: Any, table: str) -> int:
    if connection.execute("SELECT to_regclass(%s)", (table,)).fetchone()[0] is None:
        return 0
    found = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
    return int(found[0])


def refuse_in_use(url: str) -> None:
    """Raises AlreadyRunning while anybody else is connected to the database: the product, or a person's client."""
    target, found = make_url(url), set[str]()

    def is_free() -> bool:
        found.clear()
        with ServerAddress(target).connect(str(target.database)) as connection:
            found.update(str(row[0] or "a client without a name") for row in connection.execute(_OTHERS).fetchall())
        return not found

    if not wait_until(is_free, _LINGERS_S):
        raise AlreadyRunning(
            f"The database {target.database} is in use by {', '.join(sorted(found))}.",
            action="Stop the product everywhere, then try again.",
        )


def _run(program: str, url: str, *arguments: str) -> None:
    target = make_url(url)
    path = binaries.wheel_tree() / "bin" / program
    argv = [str(path), f"--dbname={_without_password(target)}", *arguments]
    env = {"PATH": os.defpath, "LC_ALL": "C", "PGPASSWORD": str(target.password or "")}
    done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise DumpFailed(f"{program}: {said[-1] if said else f'ended with code {done.returncode}'}")


def _without_password(url: URL) -> str:
    """A command line is seen by every user of the machine."""
    return url.set(drivername="postgresql")._replace(password=None).render_as_string()
