"""Proxies in SQL."""

from __future__ import annotations

from sqlalchemy import select

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.accounts import proxies

_SCHEMES = {"http": "http", "https": "http", "socks5": "socks5h"}  # names are resolved by the proxy itself


def address_of(tx: Tx, proxy_id: int) -> tuple[str, str, int, bytes | None]:
    """Scheme for clients, host, port, sealed login. Raises NoResultFound when it was deleted."""
    query = select(proxies).where(proxies.c.workspace_id == WORKSPACE, proxies.c.id == proxy_id)
    row = tx.execute(query).one()
    return _SCHEMES[row.type], row.host, row.port, row.credentials
