"""The part of a rehearsal that asks the platforms: the way out, whose the credentials are, what they may do.

Reading calls only, both ends at once, each bounded in time; no transaction is open meanwhile. The fact to know: a
platform that only wants us to wait is no reason against a start; one that refuses us, or another account, is.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from forwarder_core.connectors.base import Authenticator, Identity, Role, ScopedAuthenticator
from forwarder_core.db import accounts
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.rehearsals import Check
from forwarder_core.egress import Exit
from forwarder_core.errors import Bug, ChallengeRequired, ForwarderError, ProxyFailed, Retry, StepFailed
from forwarder_core.logs import redact
from forwarder_core.services import exits, quotas, resting
from forwarder_core.services.context import Core

PATIENCE_S = 10.0  # for one call; two are made of a source whose listing is read as well
End = tuple[Role, Account]


def look(core: Core, connection: Connection, ends: Sequence[End], *, reads_source: bool) -> list[Check]:
    """The checks of these ends, the source's first. `reads_source`: its listing is asked for as well."""
    if not ends:
        return []
    pool = ThreadPoolExecutor(max_workers=len(ends), thread_name_prefix="rehearse")
    asked = [pool.submit(_end, core, connection, *end, reads_source and end[0] is Role.SOURCE) for end in ends]
    wait(asked, timeout=PATIENCE_S * (2 if reads_source else 1))
    pool.shutdown(wait=False, cancel_futures=True)
    return [check for end, future in zip(ends, asked, strict=True) for check in _found(end, future)]


def _found(end: End, asked: Future[list[Check]]) -> list[Check]:
    if not asked.done():
        return [_late(end)]
    if error := asked.exception():  # one of ours: told, not lost in the pool
        return [Check.failed(f"{end[0]}_identity", f"Unexpected {type(error).__name__}.", Bug.action)]
    return asked.result()


def _late(end: End) -> Check:
    role, account = end
    return Check.warning(
        f"{role}_identity",
        f"{account.platform} did not answer for {account.alias} in time.",
        "Rehearse again; look at its proxy and at the server's network if it stays so.",
    )


def _end(core: Core, connection: Connection, role: Role, account: Account, reads: bool) -> list[Check]:
    try:
        with core.begin() as tx:
            exit_ = exits.exit_of(core, tx, account, connection.proxy_id)
    except ProxyFailed as e:
        return [Check.failed(f"{role}_egress", e.message, e.action)]
    found = [Check.ok(f"{role}_egress", f"Calls for {account.alias} go out by {exit_.called}.")]
    named = connection.token_ref if role is Role.DESTINATION else None
    authenticator = exits.authenticator(core, account, exit_, token_id=named)
    found += _scopes(authenticator, role, account)
    found.append(_identity(core, authenticator, role, account))
    if reads:
        found.append(_listing(core, account, exit_))
    return found


def _scopes(authenticator: Authenticator, role: Role, account: Account) -> list[Check]:
    if not isinstance(authenticator, ScopedAuthenticator):
        return []
    if missing := authenticator.missing_scopes(role):
        return [
            Check.failed(
                f"{role}_scopes",
                f"The token of {account.alias} lacks {' and '.join(missing)}.",
                f"Sign in again under Accounts → {account.alias} and grant what is asked for.",
            )
        ]
    return [Check.ok(f"{role}_scopes", f"The token of {account.alias} is known to lack no permission.")]


def _identity(core: Core, authenticator: Authenticator, role: Role, account: Account) -> Check:
    """Whose the credentials are. A source may be readable without any: there a refusal is only worth a warning."""
    name = f"{role}_identity"
    try:
        with quotas.counted(core, account, authenticator):
            identity = authenticator.identify()
    except StepFailed as e:
        _note_challenge(core, account, e)
        waits = e.retry is Retry.AS_TOLD
        is_enough = waits or (role is Role.SOURCE and not isinstance(e, ChallengeRequired))
        kind = Check.warning if is_enough else Check.failed
        return kind(name, f"{account.alias}: {redact(e.message)}", e.action)
    except ForwarderError as e:
        return Check.failed(name, f"{account.alias}: {redact(e.message)}", e.action)
    return _judged(name, account, identity)


def _judged(name: str, account: Account, identity: Identity) -> Check:
    who = f"{identity.title or identity.handle} ({identity.remote_id})"
    again = f"Sign in again under Accounts → {account.alias} as the right one, or make an account of its own for this."
    if account.remote_id and account.remote_id != identity.remote_id:
        return Check.failed(name, f"The credentials of {account.alias} belong to another account now: {who}.", again)
    said = account.handle.casefold().removeprefix("@")
    if said not in {identity.remote_id.casefold(), identity.handle.casefold().removeprefix("@")}:
        return Check.warning(name, f"{account.alias} says {account.handle}; its credentials belong to {who}.", again)
    return Check.ok(name, f"{account.alias} is signed in as {who}.")


def _listing(core: Core, account: Account, exit_: Exit) -> Check:
    source = exits.source(core, account, exit_)
    try:
        with quotas.counted(core, account, source):
            page = source.list_posts()
    except StepFailed as e:
        _note_challenge(core, account, e)
        waits = e.retry is Retry.AS_TOLD
        kind = Check.warning if waits else Check.failed
        return kind("source_listing", f"The posts of {account.alias} cannot be read: {redact(e.message)}", e.action)
    return Check.ok("source_listing", f"{account.alias} shows {len(page.posts)} posts on its first page.")


def _note_challenge(core: Core, account: Account, error: StepFailed) -> None:
    """A challenge met here is the account's trouble as much as one met by a poll: nobody runs into it again."""
    if isinstance(error, ChallengeRequired):
        with core.begin() as tx:
            known = accounts.get(tx, account.id)
            if known is not None:
                resting.lay_to_rest(tx, known, error, core.clock.now())
