"""Which way out a call takes: the connection's proxy, else the account's, else the installation's.

One account never has two exits at once where its platform would notice; that rule is kept where proxies are assigned.
"""

from __future__ import annotations

from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Authenticator, Destination, Source
from forwarder_core.db import proxies
from forwarder_core.db.engine import Tx
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit, ProxyAddress
from forwarder_core.services.context import Core
from forwarder_core.services.credentials import StoredCredentials


def exit_of(core: Core, tx: Tx, account: Account, connection_proxy_id: int | None = None) -> Exit:
    proxy_id = connection_proxy_id or account.proxy_id
    if proxy_id is None:
        return core.settings.default_exit
    scheme, host, port, sealed = proxies.address_of(tx, proxy_id)
    login = core.vault.unseal(sealed)
    address = ProxyAddress(scheme, host, port, login.get("username"), login.get("password"))
    return Exit(proxy=address, ca_bundle=core.settings.ca_bundle)


def source(core: Core, account: Account, exit_: Exit) -> Source:
    return registry.source(account, StoredCredentials(core, account.id), exit_)


def destination(core: Core, account: Account, exit_: Exit) -> Destination:
    return registry.destination(account, StoredCredentials(core, account.id), exit_)


def authenticator(core: Core, account: Account, exit_: Exit) -> Authenticator:
    return registry.authenticator(account, StoredCredentials(core, account.id), exit_)
