"""Who may use which proxy: the pool of a connection, and the one exit of an account whose platform would notice two.

Asked by whoever stores a proxy with an account or a connection, in that transaction, before it writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from forwarder_core.db import people
from forwarder_core.db import proxies as rows
from forwarder_core.db.engine import Tx
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.proxies import End, ProxyPolicy, Use, conflict
from forwarder_core.errors import Conflict, FieldError, Invalid, NotFound
from forwarder_core.services.context import Core
from forwarder_core.services.exits import end_of

_ACTION = "Give all connections of the account the same proxy, or set the proxy on the account itself."


def policy_of(tx: Tx, said: Mapping[str, Any]) -> ProxyPolicy:
    """The API's object as a policy. Raises Invalid for what it does not know, and for proxies that are not there."""
    try:
        policy = ProxyPolicy.of(said)
    except (ValueError, TypeError) as e:
        raise Invalid("The proxy policy cannot be read.", FieldError("proxy_policy", str(e))) from e
    known = rows.known(tx)
    missing = [str(member) for member in policy.pool if member not in known]
    if missing:
        problem = FieldError("proxy_policy.pool", f"there is no proxy {', '.join(missing)}")
        raise Invalid("The pool names proxies that are not there.", problem)
    return policy


def check_new_connection(
    tx: Tx, source: Account, destination: Account, proxy_id: int | None, policy: Mapping[str, Any] | None = None
) -> None:
    """Raises Invalid, or Conflict with the reason, where the connection may not go out this way."""
    wanted = _named(tx, proxy_id, policy_of(tx, policy or {}))
    for account in (source, destination):
        _refuse(end_of(account), wanted, rows.uses(tx, account_id=account.id))


def check_connection(tx: Tx, connection_id: int, values: Mapping[str, Any]) -> None:
    """The same for a change: `values` with `proxy_id` or `proxy_policy`; what is left out stays as it is."""
    if not values.keys() & {"proxy_id", "proxy_policy"}:
        return
    uses = rows.uses(tx)
    use = next((use for use in uses if use.connection_id == connection_id), None)
    if use is None:
        raise NotFound(f"There is no connection {connection_id}.")
    policy = policy_of(tx, values["proxy_policy"] or {}) if "proxy_policy" in values else use.policy
    wanted = _named(tx, values.get("proxy_id", use.proxy_id), policy)
    for end in use.ends:
        _refuse(end, wanted, [other for other in uses if other is not use and end in other.ends])


def check_account(tx: Tx, account_id: int, proxy_id: int | None) -> None:
    """The same for the proxy of an account."""
    for use in rows.uses(tx, account_id=account_id):
        end = next(end for end in use.ends if end.account_id == account_id)
        _refuse(replace(end, proxy_id=proxy_id), use.own, [])


def set_policy(core: Core, connection_id: int, said: Mapping[str, Any], *, who: str) -> ProxyPolicy:
    """Give a connection its pool. Raises as `check_connection`."""
    with core.begin() as tx:
        check_connection(tx, connection_id, {"proxy_policy": said})
        policy = policy_of(tx, said)
        rows.set_policy(tx, connection_id, policy)
        target, details = f"connection:{connection_id}", {"fields": ["proxy_policy"]}
        people.audit(tx, who=who, what="connection_changed", target=target, now=core.clock.now(), details=details)
    return policy


def _named(tx: Tx, proxy_id: int | None, policy: ProxyPolicy) -> tuple[int, ...]:
    if proxy_id is not None and rows.get(tx, proxy_id) is None:
        raise Invalid(f"There is no proxy {proxy_id}.", FieldError("proxy_id", "there is no such proxy"))
    named = () if proxy_id is None else (proxy_id,)
    return tuple(dict.fromkeys((*named, *policy.pool)))


def _refuse(end: End, wanted: tuple[int, ...], others: list[Use]) -> None:
    reason = conflict(end, wanted, others)
    if reason is not None:
        raise Conflict(f"The proxy cannot be used: {reason}.", action=_ACTION)
