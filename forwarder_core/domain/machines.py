"""Programs that call the API: what a token of theirs may do, and where it may come from. Pure.

The fact to know: a scope holds those before it, so one word is enough; who signed in as a person may do everything.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from enum import StrEnum


class Scope(StrEnum):
    """read: look at everything. write: change what is forwarded. admin: settings, tokens, the password as well."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    @property
    def held(self) -> tuple[Scope, ...]:
        """This one and those before it."""
        return tuple(Scope)[: self.rank + 1]

    @property
    def rank(self) -> int:
        return list(Scope).index(self)


_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_ADMIN_ALWAYS = ("/api/api-tokens", "/api/admin", "/api/audit-log")
_ADMIN_CHANGES = ("/api/settings", "/api/limits", "/api/webhooks")


def widest(scopes: Iterable[Scope]) -> Scope:
    return max(scopes, key=lambda scope: scope.rank)


def needed(method: str, path: str) -> Scope:
    """What a call needs: reading reads, changing writes, and what opens further doors takes an administrator."""
    is_change = method not in _SAFE
    if _is_under(path, _ADMIN_ALWAYS) or (is_change and _is_under(path, _ADMIN_CHANGES)):
        return Scope.ADMIN
    return Scope.WRITE if is_change else Scope.READ


def may_come_from(address: str, networks: Sequence[str]) -> bool:
    """Is the address in one of these networks? Everywhere is allowed where none is named."""
    if not networks:
        return True
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None) or ip
    return any(mapped in ipaddress.ip_network(network, strict=False) for network in networks)


def bad_networks(networks: object) -> list[str]:
    """Those that are no network in CIDR form."""
    if not isinstance(networks, (list, tuple)):
        return [str(networks)]
    return [str(network) for network in networks if not _is_network(network)]


def _is_network(text: object) -> bool:
    try:
        ipaddress.ip_network(str(text), strict=False)
    except ValueError:
        return False
    return isinstance(text, str)


def _is_under(path: str, roots: Sequence[str]) -> bool:
    return any(path == root or path.startswith(f"{root}/") for root in roots)
