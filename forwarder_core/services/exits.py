"""Which way out a call takes: the connection's proxy, else the account's, else a global one, else the installation's.

What lives here: finding the way, choosing a healthy proxy of it, and the connector that goes it. What does not: the
rules (`domain.proxies`) and the health (`proxy_health`). The fact to know: where every proxy of a way is down, nothing
is called at all; going out directly is only ever the admin's written wish (`fallback_to_direct`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from forwarder_core.addresses import check_address
from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Authenticator, Destination, Source
from forwarder_core.db import accounts, proxies
from forwarder_core.db.engine import Tx
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.proxies import Assignment, End, Mode, Proxy, Use, Way, choose, way_of
from forwarder_core.egress import Exit, ProxyAddress
from forwarder_core.errors import Invalid, NetworkFailed, ProxyFailed
from forwarder_core.services import tunables
from forwarder_core.services.context import Core
from forwarder_core.services.credentials import StoredCredentials, remember
from forwarder_core.services.tunables import Tuned

_TROUBLE = timedelta(minutes=30)  # a proxy's failures older than that are its checks' business
_RECENT = timedelta(hours=24)


def exit_of(
    core: Core, tx: Tx, account: Account, connection_proxy_id: int | None = None, *, job_id: int | None = None
) -> Exit:
    """The way out of a call for `account`; with `job_id` by that job's connection, the same for all its steps.

    Raises ProxyFailed, before anything is called, when no proxy of the way is up.
    """
    known = proxies.known(tx)
    way = _way(tx, account, connection_proxy_id, job_id, globals_of(known))
    if way is None:
        return core.settings.default_exit
    usable = [member for member in way.pool if member in known and known[member].is_usable]
    if len(usable) > 1:
        has_failed = accounts.is_failing_by(tx, account.id, (ProxyFailed.code, NetworkFailed.code))
        usable = _spared(core, tx, way, usable, known, has_failed=has_failed)
    uses = _uses(core, tx, usable, job_id) if way.policy.mode is Mode.LEAST_USED else None
    turn = proxies.turn_of(tx, job_id) if len(usable) > 1 and job_id is not None and way.policy.mode.is_by_turn else 0
    picked = choose(way.policy.mode, usable, key=way.key, turn=turn, preferred=way.preferred, uses=uses)
    chosen = None if picked is None else known[picked]
    if chosen is not None:
        return through(core, tx, chosen)
    if way.policy.fallback_to_direct:
        return core.settings.default_exit
    names = ", ".join(known[member].alias for member in way.pool if member in known) or "none left"
    raise ProxyFailed(
        f"No proxy for account {account.alias} is up ({names}).",
        action="Mend or replace the proxy under Proxies; it goes on by itself when a check succeeds.",
    )


def through(core: Core, tx: Tx, proxy: Proxy) -> Exit:
    """By this proxy, well or not. Raises ProxyFailed where its address may not be connected to."""
    try:
        address = address_of(core, tx, proxy)
    except Invalid as e:
        raise ProxyFailed(f"Proxy {proxy.alias} is not used: {e.message}", action=e.action) from e
    return replace(core.settings.default_exit, proxy=address)


def address_of(core: Core, tx: Tx, proxy: Proxy) -> ProxyAddress:
    """With its login, its name resolved once and checked. Raises Invalid for an address in a private network."""
    login = core.vault.unseal(proxies.sealed_login(tx, proxy.id))
    remember(login)
    host = check_address(proxy.host, proxy.port, core.settings.allow_private_networks)
    return ProxyAddress(
        proxy.type.scheme,
        host,
        proxy.port,
        login.get("username"),
        login.get("password"),
        name=proxy.host,
        id=proxy.id,
        alias=proxy.alias,
    )


def end_of(account: Account) -> End:
    return End(account_id=account.id, alias=account.alias, platform=account.platform, proxy_id=account.proxy_id)


def globals_of(known: dict[int, Proxy]) -> tuple[int, ...]:
    """The proxies that serve whoever names none."""
    return tuple(proxy.id for proxy in known.values() if proxy.assignment is Assignment.GLOBAL)


def _way(
    tx: Tx, account: Account, connection_proxy_id: int | None, job_id: int | None, globals_: Sequence[int]
) -> Way | None:
    using = proxies.uses(tx, account_id=account.id)
    if job_id is not None:
        is_told = any(use.own for use in using)  # else it makes no difference whose job it is
        connection_id = proxies.connection_of(tx, job_id) if is_told else None
        use = next((use for use in using if use.connection_id == connection_id), None)
    else:
        use = _use_with(using, connection_proxy_id)
    end = end_of(account)
    if use is None and connection_proxy_id is not None and not end.has_one_exit:
        return Way(pool=(connection_proxy_id,), key=account.id)
    return way_of(end, use, using, globals_)


def _use_with(using: Sequence[Use], proxy_id: int | None) -> Use | None:
    """The connection a call without a job is for, as far as it can be told: the first that names this proxy.

    A call that names none takes the first connection's that has any: an address too many is better than our own.
    """
    own = [use for use in using if use.own]
    return next((use for use in own if proxy_id in (None, use.proxy_id)), None)


def _uses(core: Core, tx: Tx, usable: Sequence[int], job_id: int | None) -> dict[int, int]:
    """Recent attempts through each; the one this job goes through already counts nothing, so that it stays there."""
    counted = proxies.attempts_through(tx, core.clock.now() - _RECENT)
    own = None if job_id is None else proxies.last_used(tx, job_id)
    return {member: -1 if member == own else counted.get(member, 0) for member in usable}


def _spared(core: Core, tx: Tx, way: Way, usable: list[int], known: dict[int, Proxy], *, has_failed: bool) -> list[int]:
    """Without those that failed jobs too often since they were last seen well; all of them where that leaves none.

    Once is too often where our own check says the same, and then a lost answer counts too, and a look at the source
    that failed on its way (`has_failed`).
    """
    since_when = core.clock.now() - _TROUBLE
    failed, down = proxies.failures_through(tx, since_when), proxies.found_down(tx, since_when)

    def is_in_trouble(proxy: Proxy) -> bool:
        since = proxy.last_ok_at
        counted = [
            is_sure
            for used, label, at, is_sure in failed
            if (used, label) == (proxy.id, proxy.address) and (since is None or at > since)
        ]
        return (proxy.id in down and bool(counted or has_failed)) or sum(counted) >= way.policy.max_retry_per_proxy

    return [member for member in usable if not is_in_trouble(known[member])] or usable


def source(core: Core, account: Account, exit_: Exit, tuned: Tuned | None = None) -> Source:
    """`tuned`: the settings in force, where the caller has read them."""
    return registry.source(account, StoredCredentials(core, account.id), _at_pace(core, exit_, tuned))


def destination(
    core: Core, account: Account, exit_: Exit, *, token_id: int | None = None, tuned: Tuned | None = None
) -> Destination:
    """`token_id`: which of the account's credentials, its own where none is named."""
    return registry.destination(account, StoredCredentials(core, account.id, token_id), _at_pace(core, exit_, tuned))


def authenticator(core: Core, account: Account, exit_: Exit, *, token_id: int | None = None) -> Authenticator:
    return registry.authenticator(account, StoredCredentials(core, account.id, token_id), _at_pace(core, exit_))


def _at_pace(core: Core, exit_: Exit, tuned: Tuned | None = None) -> Exit:
    if tuned is None:
        with core.begin() as tx:
            tuned = tunables.read(tx)
    return replace(exit_, pace=tuned.number("clients.pace"))
