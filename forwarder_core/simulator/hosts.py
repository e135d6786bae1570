"""Which simulated platform answers under which hostname. Pure.

A pattern is a name or `*.` and a name; as in certificates, the star stands for exactly one label. An exact name wins
over a star. The fact to know: two platforms cannot share a pattern, because nothing else tells their calls apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_LOOPBACK = frozenset({"localhost", "::1", "[::1]"})


class SharedHost(ValueError):
    """Two platforms claim one hostname."""


class HostTable:
    def __init__(self, hosts_of: Mapping[str, Iterable[str]]) -> None:
        self._platform_of: dict[str, str] = {}
        for platform, patterns in hosts_of.items():
            for pattern in patterns:
                owner = self._platform_of.setdefault(pattern.lower(), platform)
                if owner != platform:
                    raise SharedHost(f"{owner} and {platform} both claim the host {pattern}")

    @property
    def patterns(self) -> tuple[str, ...]:
        return tuple(sorted(self._platform_of))

    def platform(self, host: str) -> str | None:
        """The platform that answers under `host` (without a port), or None when the name is not simulated."""
        name = host.lower().rstrip(".")
        _, _, parent = name.partition(".")
        return self._platform_of.get(name) or self._platform_of.get(f"*.{parent}")


def is_loopback(host: str) -> bool:
    return host.lower() in _LOOPBACK or host.startswith("127.")


def without_port(authority: str) -> str:
    """The name in a Host header."""
    if authority.startswith("["):
        return authority.partition("]")[0] + "]"
    return authority.partition(":")[0]
