"""Proxies: what one is, which of a pool a call takes, and whether a proxy is well. Pure.

What does not live here: probing, storing, and the addresses clients connect to. The fact to know: an account of a
platform in ONE_EXIT has one way out whatever its connections say, because a session that shows two addresses at once
looks stolen; so its way is found from the account, never from the call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

ONE_EXIT = frozenset({"instagram"})
UNHEALTHY_AFTER = 3  # failed checks in a row
_MOST_POOL = 100


class ProxyType(StrEnum):
    HTTP = "http"
    HTTPS = "https"  # carries HTTPS by CONNECT, as HTTP proxies do; TLS to the proxy itself is not spoken
    SOCKS5 = "socks5"

    @property
    def scheme(self) -> str:
        """For client libraries. With socks5h the proxy resolves names."""
        return "socks5h" if self is ProxyType.SOCKS5 else "http"


class Assignment(StrEnum):
    """Who uses a proxy that nobody names: a global one serves whoever has no other, the others only by name."""

    GLOBAL = "global"
    PER_ACCOUNT = "per_account"
    PER_CONNECTION = "per_connection"


class Health(StrEnum):
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNCHECKED = "unchecked"


class Mode(StrEnum):
    STICKY = "sticky"
    ROUND_ROBIN = "round_robin"
    RANDOM = "random"
    LEAST_USED = "least_used"

    @property
    def is_by_turn(self) -> bool:
        """Does it depend on which job of a connection it is?"""
        return self in (Mode.ROUND_ROBIN, Mode.RANDOM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy without its login, which never leaves the vault except into the client that uses it."""

    id: int
    alias: str
    type: ProxyType
    host: str
    port: int
    has_login: bool
    assignment: Assignment
    created_at: datetime
    health: Health = Health.UNCHECKED
    consecutive_failures: int = 0
    latency_ms: int | None = None
    checked_at: datetime | None = None
    last_ok_at: datetime | None = None
    last_error: str | None = None
    exit_ip: str | None = None
    exit_country: str | None = None

    @property
    def is_usable(self) -> bool:
        return self.health is not Health.UNHEALTHY

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyPolicy:
    """How a connection uses its pool. `max_retry_per_proxy`: failures there before the next is tried."""

    mode: Mode = Mode.STICKY
    pool: tuple[int, ...] = ()
    fallback_to_direct: bool = False
    max_retry_per_proxy: int = 2

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> ProxyPolicy:
        """From the API's object. Raises ValueError on what cannot be one."""
        unknown = stored.keys() - cls.__dataclass_fields__.keys()
        if unknown:
            raise ValueError(f"there is no {sorted(unknown)[0]} in a proxy policy")
        pool = stored.get("pool") or ()
        if isinstance(pool, str) or not all(type(member) is int and member > 0 for member in pool):
            raise ValueError("pool must be a list of proxy ids")
        most = stored.get("max_retry_per_proxy", 2)
        if type(most) is not int or not 1 <= most <= 20:
            raise ValueError("max_retry_per_proxy must lie within 1 and 20")
        if len(pool) > _MOST_POOL:
            raise ValueError(f"pool must have at most {_MOST_POOL} proxies")
        return cls(
            mode=Mode(stored.get("mode", Mode.STICKY)),
            pool=tuple(dict.fromkeys(pool)),
            fallback_to_direct=bool(stored.get("fallback_to_direct", False)),
            max_retry_per_proxy=most,
        )

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"pool": list(self.pool)}


def choose(
    mode: Mode,
    usable: Sequence[int],
    *,
    key: int,
    turn: int = 0,
    preferred: int | None = None,
    uses: Mapping[int, int] | None = None,
) -> int | None:
    """One of `usable`, which is in the order of the pool; None when it is empty.

    `key`: whose choice it is (sticky). `turn`: which job of theirs, from 0 (round robin, random). `uses`: recent
    uses of each (least used). The same question has the same answer, so the steps of one job share one proxy.
    """
    if not usable:
        return None
    if mode is Mode.ROUND_ROBIN:
        return usable[turn % len(usable)]
    if mode is Mode.RANDOM:
        return max(usable, key=lambda proxy_id: _draw(key, turn, proxy_id))
    if mode is Mode.LEAST_USED:
        counted = uses or {}
        return min(usable, key=lambda proxy_id: counted.get(proxy_id, 0))
    if preferred in usable:
        return preferred
    # The highest draw: a member that leaves or joins moves only those who were or will be on it.
    return max(usable, key=lambda proxy_id: _draw(key, 0, proxy_id))


def _draw(*numbers: int) -> bytes:
    return hashlib.sha256(repr(numbers).encode()).digest()


# ---- whose way out is which -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """An account as a user of proxies."""

    account_id: int
    alias: str
    platform: str
    proxy_id: int | None

    @property
    def has_one_exit(self) -> bool:
        return self.platform in ONE_EXIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A connection as a user of proxies."""

    connection_id: int
    name: str
    status: str
    status_reason: str | None
    proxy_id: int | None
    policy: ProxyPolicy
    source: End
    destination: End

    @property
    def ends(self) -> tuple[End, End]:
        return self.source, self.destination

    @property
    def own(self) -> tuple[int, ...]:
        """The proxies the connection itself names."""
        named = () if self.proxy_id is None else (self.proxy_id,)
        return tuple(dict.fromkeys((*named, *self.policy.pool)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The proxies an account's calls may take, and how one of them is chosen. `key` as in `choose`."""

    pool: tuple[int, ...]
    key: int
    preferred: int | None = None
    policy: ProxyPolicy = field(default_factory=ProxyPolicy)


def way_of(end: End, use: Use | None, using: Sequence[Use], globals_: Sequence[int]) -> Way | None:
    """The connection's proxies, else the account's, else the global ones; None = the installation's own way out.

    `use`: the connection the call is for, `using`: every connection of the account, lowest id first.
    """
    if end.has_one_exit:
        use = next((other for other in using if other.own), None)
    if use is not None and use.own:
        policy, key = use.policy, use.connection_id
        if end.has_one_exit:
            policy, key = _pinned(policy), end.account_id
        return Way(pool=use.own, key=key, preferred=use.proxy_id, policy=policy)
    if end.proxy_id is not None:
        return Way(pool=(end.proxy_id,), key=end.account_id)
    return Way(pool=tuple(globals_), key=end.account_id) if globals_ else None


def _pinned(policy: ProxyPolicy) -> ProxyPolicy:
    """An account with one exit keeps its proxy until that one is down, whatever the mode says."""
    return ProxyPolicy(
        pool=policy.pool,
        fallback_to_direct=policy.fallback_to_direct,
        max_retry_per_proxy=policy.max_retry_per_proxy,
    )


def conflict(end: End, own: tuple[int, ...], others: Sequence[Use]) -> str | None:
    """Why a connection with the proxies `own` would give this account a second exit; None where it would not.

    `others`: the account's other connections.
    """
    if not end.has_one_exit or not own:
        return None
    if end.proxy_id is not None and set(own) != {end.proxy_id}:
        return f"account {end.alias} has a proxy of its own, and may show {end.platform} only one address at a time"
    for other in others:
        if other.own and set(other.own) != set(own):
            return (
                f"connection {other.name} takes account {end.alias} through another proxy, and the account may show "
                f"{end.platform} only one address at a time"
            )
    return None


# ---- whether a proxy is well ------------------------------------------------------------------------------------


class Blame(StrEnum):
    """Whose trouble a failed probe is."""

    NOBODY = "nobody"
    PROXY = "proxy"
    NETWORK = "network"  # of this server: it says nothing about the proxy
    TARGET = "target"  # the proxy answered, the far end did not, or refuses this address


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One target reached, or not, through a proxy. `code`: refused, login, hang, own_page, mitm, cut, …"""

    __test__ = False  # pytest would collect it for its name

    endpoint: str
    blame: Blame
    code: str = "ok"
    error: str | None = None
    latency_ms: int | None = None
    status: int | None = None
    body: str = field(default="", repr=False)

    @property
    def is_ok(self) -> bool:
        return self.blame is Blame.NOBODY


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"  # our own network is down


def verdict(tests: Sequence[Test]) -> Verdict:
    """Passed when the proxy itself made no trouble and led to one target at least."""
    blames = {test.blame for test in tests}
    if Blame.PROXY in blames:
        return Verdict.FAILED
    if Blame.NOBODY in blames:
        return Verdict.PASSED
    return Verdict.UNKNOWN if Blame.NETWORK in blames else Verdict.FAILED


def average_latency_ms(tests: Sequence[Test]) -> int | None:
    measured = [test.latency_ms for test in tests if test.is_ok and test.latency_ms is not None]
    return round(sum(measured) / len(measured)) if measured else None


def health_after(proxy: Proxy, passed: bool) -> tuple[Health, int]:
    """The proxy's health and failures in a row after one more check."""
    if passed:
        return Health.HEALTHY, 0
    failures = proxy.consecutive_failures + 1
    return (Health.UNHEALTHY if failures >= UNHEALTHY_AFTER else proxy.health), failures
