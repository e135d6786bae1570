"""Scenarios of the demo: trouble made on purpose at the simulated platforms, to watch how it is dealt with.

What lives here: which troubles there are, and asking the simulator's control address for them. What does not: the
simulator; an installation with real platforms has none, and everything here refuses. The fact to know: the control
address is asked directly, never through the gateway whose troubles it makes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpx

from forwarder_core.connectors import registry
from forwarder_core.db import people
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.proxies import Assignment, Proxy, ProxyType
from forwarder_core.egress import Exit
from forwarder_core.errors import Conflict, NotFound, Unavailable
from forwarder_core.logs import redact
from forwarder_core.services import accounts, proxies
from forwarder_core.services.context import Core
from forwarder_core.services.proxies import NewProxy

_PATIENCE_S = 60.0  # a clip for a new post is made first
_STORM_RETRY_AFTER_S = 20


class Trouble(StrEnum):
    """What can be made to happen."""

    CHALLENGE = "challenge"
    EXPIRED_TOKEN = "expired_token"
    STORM = "storm"
    DEAD_PROXY = "dead_proxy"


# An expired token is renewed by itself where that is still granted: both end together here.
_AT_ACCOUNTS: dict[Trouble, tuple[dict[str, Any], ...]] = {
    Trouble.CHALLENGE: ({"fault": "challenge", "count": 1},),
    Trouble.EXPIRED_TOKEN: ({"fault": "token_expired", "count": None}, {"fault": "invalid_grant", "count": None}),
    Trouble.STORM: ({"fault": "http_429", "count": 10, "retry_after": _STORM_RETRY_AFTER_S},),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One that is armed now. `count` None: until it is ended."""

    id: int
    fault: str
    where: str
    count: int | None


class NoSimulator(Conflict):
    code, action = "no_simulator", "Scenarios belong to ./run demo."


def is_demo(core: Core) -> bool:
    return core.settings.simulator_url is not None


def strike_account(core: Core, account_id: int, trouble: Trouble, *, who: str) -> None:
    """A challenge, an expired token, or a storm of 429 at the account's platform. Raises NoSimulator outside the demo,
    NotFound for a trouble accounts do not have."""
    _control(core)
    account = accounts.get(core, account_id)
    match = {"platform": account.platform, "account": account.handle}
    if trouble not in _AT_ACCOUNTS:
        raise NotFound(f"{trouble} is nothing an account can have.")
    for fault in _AT_ACCOUNTS[trouble]:
        _ask(core, "POST", "/faults", {**fault, "match": match})
    _note(core, who, trouble, f"account:{account.id}")


def strike_proxy(core: Core, proxy_id: int, *, who: str) -> None:
    """It refuses every new connection until the faults are ended."""
    _control(core)
    proxy = proxies.get(core, proxy_id)
    _ask(core, "POST", "/faults", {"fault": "proxy_refuse", "count": None, "match": {"proxy": str(proxy.port)}})
    _note(core, who, Trouble.DEAD_PROXY, f"proxy:{proxy.id}")


def make_proxy(core: Core, alias: str, *, who: str) -> Proxy:
    """A simulated proxy, opened and added. Raises Conflict for a name that is taken."""
    made = _ask(core, "POST", "/proxies", {})
    new = NewProxy(
        alias=alias,
        type=ProxyType.HTTP,
        host=made["host"],
        port=int(made["port"]),
        assignment=Assignment.PER_CONNECTION,
    )
    return proxies.create(core, new, who=who)


def post(core: Core, account_id: int, caption: str, *, who: str) -> str:
    """A new post at the simulated account; its address."""
    _control(core)
    account = accounts.get(core, account_id)
    body = {"platform": account.platform, "account": account.handle, "caption": caption, "seconds": 5}
    made = _ask(core, "POST", "/posts", body)
    _note(core, who, "post", f"account:{account.id}")
    return str(made["url"])


def can_post(core: Core, account: Account) -> bool:
    """Is it one of the simulated platforms' accounts, not a folder of this machine?"""
    return is_demo(core) and bool(registry.spec(account.platform).hosts)


def armed(core: Core) -> list[Fault]:
    return [
        Fault(id=int(one["id"]), fault=str(one["name"]), where=_where(one["place"]), count=one["remaining"])
        for one in _ask(core, "GET", "/faults")
        if one["remaining"] != 0
    ]


def end_all(core: Core, *, who: str) -> int:
    """No more trouble; how many were ended."""
    deleted = int(_ask(core, "DELETE", "/faults")["deleted"])
    _note(core, who, "end", "")
    return deleted


def _where(place: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in place.items() if value)


def _ask(core: Core, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    url = _control(core)
    try:
        with Exit(answer_s=_PATIENCE_S).http(read_timeout_s=_PATIENCE_S) as client:
            answer = client.request(method, url + path, json=body)
            told = answer.json() if answer.content else {}
    except (httpx.HTTPError, ValueError) as e:
        raise Unavailable("The simulator does not answer.") from e
    if answer.is_error:
        raise Conflict(f"The simulator refused: {redact(str(told.get('detail', answer.status_code)))}")
    return told


def _control(core: Core) -> str:
    if core.settings.simulator_url is None:
        raise NoSimulator("There is no simulator here.")
    return core.settings.simulator_url


def _note(core: Core, who: str, trouble: str, target: str) -> None:
    with core.begin() as tx:
        people.audit(tx, who=who, what=f"scenario_{trouble}", target=target, now=core.clock.now())
