"""Credentials of accounts: opened for the connector that uses them, renewed once however many ask.

The fact to know: whatever changes the secrets writes down, in the same transaction, what the platform reads out of them
(`db.tokens`, and `token_expiry` of the account), so a date that is shown is the date of the secrets in force.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Secrets
from forwarder_core.db import accounts, tokens
from forwarder_core.db.engine import Tx
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.tokens import TokenFacts
from forwarder_core.errors import NotFound
from forwarder_core.logs import remember_secret
from forwarder_core.services.context import Core

# Named beside the secrets and no secrets themselves: dates, addresses, ids and words.
_NOT_SECRET = frozenset(
    {
        "access_token_expiry",
        "refresh_token_expiry",
        "issued_at",
        "token_checked_at",
        "token_uri",
        "auth_uri",
        "scopes",
        "redirect_uris",
        "client_kind",
        "app_status",
        "variant",
        "folder",
    }
)


@dataclass(frozen=True, slots=True)
class StoredCredentials:
    """The `CredentialBox` of one account: sealed in a row, changed under that row's lock. `token_id`: which of the
    account's credentials, its own where nothing is said."""

    core: Core
    account_id: int
    token_id: int | None = None

    def read(self) -> Secrets:
        with self.core.read() as tx:
            sealed = self._sealed(tx)
        return self._open(sealed)

    def change(self, renew: Callable[[Secrets], Secrets]) -> Secrets:
        with self.core.begin() as tx:
            present = self._open(self._sealed(tx, lock=True))
            renewed = dict(renew(present))
            if renewed != present:
                self._keep(tx, renewed)
                remember(renewed)
        return renewed

    @property
    def is_own(self) -> bool:
        return self.token_id in (None, self.account_id)

    def _sealed(self, tx: Tx, *, lock: bool = False) -> bytes | None:
        if self.is_own:
            return accounts.sealed_credentials(tx, self.account_id, lock=lock)
        return tokens.sealed_credentials(tx, self.token_id or 0, lock=lock)

    def _keep(self, tx: Tx, secrets: Secrets) -> None:
        sealed, now = self.core.vault.seal(secrets), self.core.clock.now()
        if self.is_own:
            accounts.change(tx, self.account_id, {"credentials": sealed})
        else:
            tokens.keep_credentials(tx, self.token_id or 0, sealed, now)
        keep_facts(self.core, tx, self.account_id, secrets, token_id=self.token_id)

    def _open(self, sealed: bytes | None) -> Secrets:
        secrets = self.core.vault.unseal(sealed)
        remember(secrets)
        return secrets


@dataclass(slots=True)
class MemoryCredentials:
    """A box that forgets: for secrets that are not proven yet, before anything of them is stored."""

    secrets: dict[str, str] = field(repr=False)

    def read(self) -> Secrets:
        return dict(self.secrets)

    def change(self, renew: Callable[[Secrets], Secrets]) -> Secrets:
        self.secrets = dict(renew(dict(self.secrets)))
        return dict(self.secrets)


def keep_facts(
    core: Core, tx: Tx, account_id: int, secrets: Mapping[str, str], *, token_id: int | None = None
) -> TokenFacts:
    """Write down what the platform reads out of these secrets, which are, or are about to be, the stored ones."""
    account = accounts.get(tx, account_id)
    if account is None:
        raise NotFound(f"There is no account {account_id}.")
    facts = facts_of(account, secrets)
    tokens.keep_facts(tx, token_id or account_id, account_id, facts, core.clock.now())
    if token_id in (None, account_id) and account.token_expiry != facts.access_expires_at:
        accounts.change(tx, account_id, {"token_expiry": facts.access_expires_at})
    return facts


def facts_of(account: Account, secrets: Secrets) -> TokenFacts:
    return registry.token_facts(account.platform, account.auth_method, secrets)


def remember(secrets: Secrets) -> None:
    """Have the logs mask every value that is a secret by itself (the JSON of a device's settings is not one)."""
    plain = _NOT_SECRET | registry.plain_fields()
    remember_secret(*(value for name, value in secrets.items() if name not in plain and len(value) < 4_096))
