"""One installation at a time on one database, and every process of it of one version with the tables.

Two would not double a post: launches are stamped under one lock, claims are guarded, and who is cut off is fenced. But
each would check the other's runs, prove the other's dead by a process table that is not theirs, and open credentials
with a key ring of its own. So the keeper, of which each installation has one, sits on the database while it lives, and
whoever finds the seat taken goes no further.
The fact to know: the seat is a lock of a database session. It ends with the keeper, however that died, and with a
restart of the database, after which the keeper takes it again.
"""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from forwarder_core.db import schema, sealed, seats
from forwarder_core.db.engine import Tx, check, connect
from forwarder_core.db.schema import SchemaNewer, SchemaOlder
from forwarder_core.errors import AlreadyRunning, SettingsError
from forwarder_core.services.context import Core
from forwarder_core.settings import Settings
from forwarder_core.vault import UnreadableSecret, Vault

TO_END = (AlreadyRunning, SchemaNewer)  # with these the keeper ends, and says why
TO_WAIT = (SQLAlchemyError, SchemaOlder)  # the database, or this version's tables in it, are not there yet
_WAIT_S = 5.0  # of a keeper for the session of one just killed
_NAME = "forwarder-seat"
_LONGEST_HOST = 32  # the server cuts a session's name at 63 bytes


class Seat:
    """The seat as one keeper has it. Used by one thread."""

    def __init__(self, core: Core) -> None:
        self._engine = connect(_database_of(core.settings), pool_size=1, name=_session_name(core.settings))
        self._session: Tx | None = None

    def __enter__(self) -> Seat:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()
        self._engine.dispose()

    def keep(self) -> None:
        """Take the seat, or see that it is still ours and the tables this version's. Call it now and then.

        Raises what stands in TO_END and TO_WAIT.
        """
        try:
            if self._session is None:
                self._session = self._sit()
            schema.check_revision(self._session)  # it fails where the session has ended, and the seat with it
        except SQLAlchemyError:
            self._leave()
            raise

    def _sit(self) -> Tx:
        session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if not seats.sit(session, _WAIT_S):
            held_by = seats.sitter(session)
            session.close()
            raise _taken(held_by)
        return session

    def _leave(self) -> None:
        if self._session is not None:
            self._session.invalidate()  # closed, not given back: the seat must not outlive this
            self._session.close()
            self._session = None


def see_free(settings: Settings) -> None:
    """Raise AlreadyRunning where another installation than this home's is on the database, before anything is touched.

    DatabaseUnreachable where it does not answer.
    """
    engine = connect(_database_of(settings), pool_size=1)
    try:
        check(engine)
        with engine.connect() as session:
            held_by = seats.sitter(session)
    finally:
        engine.dispose()
    if held_by is not None and held_by.split()[1:2] != [_identity(settings.home)]:
        raise _taken(held_by)


def see_keys(settings: Settings) -> None:
    """Raise UnreadableSecret where the keys of this home open none of the accounts in the database, as after a move to
    a machine without them: every sign-in would fail, one account after the other."""
    engine, vault = connect(_database_of(settings), pool_size=1), Vault.open(settings.key_file)
    try:
        with engine.connect() as tx:
            kept = [one for _, one in next(sealed.batches(tx, "accounts.credentials"), [])]
    finally:
        engine.dispose()
    if kept and not any(_opens(vault, one) for one in kept):
        raise UnreadableSecret(
            f"The keys in {settings.key_file} open none of the credentials in this database.",
            action="Put the installation's own key file back: a backup does not hold it, its copy lies elsewhere.",
        )


def _opens(vault: Vault, kept: bytes) -> bool:
    try:
        vault.unseal(kept)
    except UnreadableSecret:
        return False
    return True


def _database_of(settings: Settings) -> str:
    if settings.database_url is None:
        raise SettingsError("FORWARDER_DATABASE_URL: not set")
    return settings.database_url


def _taken(held_by: str | None) -> AlreadyRunning:
    where = (held_by or "").removeprefix(_NAME).split()
    machine = f" It is on the machine {where[1]}." if len(where) > 1 else ""
    return AlreadyRunning(
        f"Another installation runs on this database.{machine}",
        action="Stop the other one, or give this one a database of its own. If its machine is gone, wait a minute.",
    )


def _session_name(settings: Settings) -> str:
    """Who sits, as others read it: which home, and on which machine."""
    return f"{_NAME} {_identity(settings.home)} {socket.gethostname()[:_LONGEST_HOST]}"


def _identity(home: Path) -> str:
    """What this home is called among installations: made once, kept in `<home>/installation`."""
    path = home / "installation"
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        home.mkdir(parents=True, exist_ok=True)
    unfinished = home / f".installation-{os.getpid()}"
    unfinished.write_text(f"{secrets.token_hex(4)}\n", "ascii")
    try:
        os.link(unfinished, path)  # whoever comes second reads what the first wrote
    except FileExistsError:
        pass
    finally:
        unfinished.unlink()
    return path.read_text("ascii").strip()
