"""New credentials of an account: whose they are is asked before anything of them is kept.

What lives here: the question, the comparison, and what follows when they are taken over. What does not: where they come
from (`web_sign_in`, `tokens.upload`).
The fact to know: they are tried from memory. Somebody else's sign-in is refused with the old credentials untouched.
"""

from __future__ import annotations

from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Identity, Secrets
from forwarder_core.db import accounts, people, tokens
from forwarder_core.domain.accounts import Account, AccountEvent
from forwarder_core.domain.tokens import TokenFacts
from forwarder_core.errors import Conflict
from forwarder_core.services import credentials, exits, standing
from forwarder_core.services.context import Core
from forwarder_core.services.credentials import MemoryCredentials, StoredCredentials
from forwarder_core.services.journal import about


class AnotherIdentity(Conflict):
    code = "another_identity"
    action = "Sign in as the account this one was made for, or add the other one as an account of its own."


def prove(core: Core, account: Account, secrets: Secrets) -> tuple[Identity, dict[str, str]]:
    """Who they belong to, and the secrets as they are after the question: a platform may have settled facts of them.

    Raises AnotherIdentity, and the StepFailed of a platform that refuses them or does not answer.
    """
    credentials.remember(secrets)
    with core.begin() as tx:
        exit_ = exits.exit_of(core, tx, account)
    box = MemoryCredentials(dict(secrets))
    identity = registry.authenticator(account, box, exit_).identify()
    check_same(account, identity)
    return identity, box.secrets


def check_same(account: Account, identity: Identity) -> None:
    """By the platform's own id where it is known; else by what was typed in as the account's handle."""
    if account.remote_id:
        is_same = account.remote_id == identity.remote_id
    else:
        names = (identity.remote_id, identity.handle, identity.title)
        is_same = _bare(account.handle) in {_bare(name) for name in names}
    if not is_same:
        who = identity.title or identity.handle
        raise AnotherIdentity(
            f"This is another account: {who} ({identity.remote_id}), not {account.handle}. The present sign-in is kept."
        )


def take_over(
    core: Core,
    account: Account,
    made: Secrets,
    *,
    before: Secrets,
    identity: Identity | None,
    who: str,
    how: str,
    token_id: int | None = None,
) -> TokenFacts:
    """Store what is new in `made` against `before`, over whatever is there now; with an `identity` the account works
    again. `how`: upload or oauth."""
    gone = before.keys() - made.keys()
    gained = {name: value for name, value in made.items() if before.get(name) != value}
    box = StoredCredentials(core, account.id, token_id)
    stored = box.change(lambda now: {**{k: v for k, v in now.items() if k not in gone}, **gained})
    facts, now = credentials.facts_of(account, stored), core.clock.now()
    with core.begin() as tx:
        people.audit(tx, who=who, what=f"credentials_{how}", target=f"account:{account.id}", now=now)
        tokens.note_renewed(tx, token_id or account.id, now)
        if identity is not None:
            accounts.change(tx, account.id, {"remote_id": identity.remote_id})
        ends = facts.expires_at or facts.access_expires_at
        further = None if box.is_own else tokens.get(tx, token_id or 0)
        if further is not None:
            standing.rise_token(tx, account, further, now=now, how=how, is_told=True, expires_at=ends)
        elif identity is not None:
            event = AccountEvent.SIGNED_IN
            standing.rise(tx, account, event, now=now, who=who, how=how, is_told=True, expires_at=ends)
        elif not facts.is_signed_in:
            standing.fall(
                tx, account, AccountEvent.SIGN_IN_LOST, title="Not signed in", detail="press Authorise on the account."
            )
    about(account_id=account.id).info("Credentials of '%s' updated (%s)", account.alias, how)
    return facts


def _bare(name: str) -> str:
    return name.strip().removeprefix("@").casefold()
