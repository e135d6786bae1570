"""Downloading: posts an account has already, stored in an archive, because somebody asked for them once.

What lives here: the connection such a download runs on. What does not: the reading and the jobs (`backfilling`), the
carrying (`forwarding`). The fact to know: a download is a backfill of a connection that forwards nothing by itself. It
is made on the first download between two accounts and used again by each later one, so that a post is stored once
however often it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Role
from forwarder_core.db import accounts, requests
from forwarder_core.db import connections as connection_rows
from forwarder_core.db.engine import Tx
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.connections import Connection, ConnectionStatus
from forwarder_core.domain.filters import FilterMode
from forwarder_core.domain.requests import Kind, Request
from forwarder_core.errors import FieldError, Invalid
from forwarder_core.services import accounts as accounts_service
from forwarder_core.services import backfilling, connections
from forwarder_core.services.connections import NewConnection
from forwarder_core.services.context import Core

_MANY = 1_000
_NAME_CHARS = 120


@dataclass(frozen=True, slots=True)
class Download:
    """The last one on its connection. `jobs`: of all downloads on it, how many by state."""

    connection: Connection
    request: Request
    jobs: Mapping[str, int]


def stores(core: Core) -> list[Account]:
    """The accounts posts can be downloaded into: destinations that are storage of our own and no platform."""
    with core.begin() as tx:
        return [each for each in accounts.page(tx, after=0, limit=_MANY) if _is_store(each)]


def ask(
    core: Core,
    account_id: int,
    store_id: int,
    asked: Mapping[str, Any],
    *,
    who: str,
    patience_s: float = backfilling.PATIENCE_S,
) -> Request:
    """`asked` as of a backfill. Its request, finished where that takes no longer than this waits.

    Raises Invalid, NotReady with every reason why the account cannot be read now, Conflict while another is under way.
    """
    account, store = accounts_service.get(core, account_id), accounts_service.get(core, store_id)
    if not _is_store(store):
        words = "must be an archive"
        raise Invalid(f"Nothing is downloaded into {store.alias}.", FieldError("archive_account_id", words))
    backfilling.check_asked(asked)
    known = _connection(core, account, store, who)
    if known.status is not ConnectionStatus.ACTIVE:
        known = connections.start(core, known.id, who=who)
    return backfilling.ask(core, known.id, asked, who=who, patience_s=patience_s)


def latest(core: Core, account_id: int) -> list[Download]:
    """The last download of the account into each archive, newest first."""
    with core.begin() as tx:
        own = [each for each in _of_source(tx, account_id) if each.filters.mode is FilterMode.ASKED_ONLY]
        asked = {each.id: requests.page(tx, Kind.BACKFILL, connection_id=each.id, limit=1) for each in own}
        jobs = connection_rows.outcomes(tx, [each.id for each in own])
    found = [Download(each, asked[each.id][0], jobs.get(each.id, {})) for each in own if asked[each.id]]
    return sorted(found, key=lambda download: download.request.id, reverse=True)


def cancel(core: Core, download: Download, *, who: str) -> None:
    """Stop reading, and give up what waits; a file that is being stored is stored."""
    if download.request.state.is_open:
        backfilling.cancel(core, download.request.id, who=who)
    connections.stop(core, download.connection.id, who=who)


def _connection(core: Core, account: Account, store: Account, who: str) -> Connection:
    with core.begin() as tx:
        there = _of_source(tx, account.id)
    for each in there:
        if each.destination_account_id == store.id and each.filters.mode is FilterMode.ASKED_ONLY:
            return each
    new = NewConnection(
        name=f"Download of {account.alias} into {store.alias}"[:_NAME_CHARS],
        source_account_id=account.id,
        destination_account_id=store.id,
        filters={"mode": FilterMode.ASKED_ONLY},
    )
    return connections.create(core, new, who=who)


def _of_source(tx: Tx, account_id: int) -> list[Connection]:
    found = connection_rows.page(tx, after=0, limit=_MANY, account_id=account_id)
    return [each for each in found if each.source_account_id == account_id]


def _is_store(account: Account) -> bool:
    spec = registry.spec(account.platform)
    return Role.DESTINATION in spec.roles and not spec.hosts
