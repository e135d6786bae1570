"""Credentials of accounts: opened for the connector that uses them, renewed once however many ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from forwarder_core.connectors.base import Secrets
from forwarder_core.db import accounts
from forwarder_core.logs import remember_secret
from forwarder_core.services.context import Core

_EXPIRY = "access_token_expiry"
_NOT_SECRET = frozenset({_EXPIRY, "token_uri", "auth_uri", "scopes"})


@dataclass(frozen=True, slots=True)
class StoredCredentials:
    """The `CredentialBox` of one account: sealed in its row, changed under that row's lock."""

    core: Core
    account_id: int

    def read(self) -> Secrets:
        with self.core.begin() as tx:
            sealed = accounts.sealed_credentials(tx, self.account_id)
        return self._open(sealed)

    def change(self, renew: Callable[[Secrets], Secrets]) -> Secrets:
        with self.core.begin() as tx:
            present = self._open(accounts.sealed_credentials(tx, self.account_id, lock=True))
            renewed = dict(renew(present))
            if renewed != present:
                accounts.change(tx, self.account_id, {"credentials": self.core.vault.seal(renewed)})
                remember(renewed)
        return renewed

    def _open(self, sealed: bytes | None) -> Secrets:
        secrets = self.core.vault.unseal(sealed)
        remember(secrets)
        return secrets


def remember(secrets: Secrets) -> None:
    """Have the logs mask every value that is a secret by itself (the JSON of a device's settings is not one)."""
    remember_secret(*(value for name, value in secrets.items() if name not in _NOT_SECRET and len(value) < 4_096))


def expiry_of(secrets: Secrets) -> datetime | None:
    said = secrets.get(_EXPIRY)
    return datetime.fromisoformat(said) if said else None
