"""Accounts as they are shown: with what is known of the sign-in, the health score, and what is no secret of the form.

Reading only. The fact to know: the score is the analytics' own, over the period their pages show first, so a card, the
API and the analytics never disagree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forwarder_core.connectors import registry
from forwarder_core.db import accounts
from forwarder_core.db.engine import Tx
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.analytics import Health
from forwarder_core.domain.tokens import StoredToken
from forwarder_core.services import analytics, tokens
from forwarder_core.services.context import Core


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """`token`: None where nothing was written down of it. `meta`: the fields of its form that are no secret, such as
    the page of an Instagram account or the folder of an archive."""

    account: Account
    token: StoredToken | None
    health: Health
    meta: Mapping[str, str]


def of(core: Core, chosen: Sequence[Account]) -> list[AccountView]:
    """In their order."""
    known = tokens.stored_of(core, [account.id for account in chosen])
    scores = analytics.health_of(core, chosen)
    with core.begin() as tx:
        told = {account.id: _told(core, tx, account) for account in chosen}
    return [
        AccountView(account=account, token=known.get(account.id), health=scores[account.id], meta=told[account.id])
        for account in chosen
    ]


def _told(core: Core, tx: Tx, account: Account) -> dict[str, str]:
    methods = registry.spec(account.platform).auth_methods
    fields = [field for method in methods if method.name == account.auth_method for field in method.fields]
    secrets = core.vault.unseal(accounts.sealed_credentials(tx, account.id))
    return {field.name: secrets[field.name] for field in fields if not field.is_secret and secrets.get(field.name)}
