"""Which names this door answers to, which pages may ask it for something, and where a sign-in may lead.

Pure. The facts to know: a foreign Host header is how DNS rebinding looks from here, so a name is refused unless it is
ours; a bare IP address cannot be rebound and is taken where the door listens on every address.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from forwarder_core.settings import Settings

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_EVERYWHERE = frozenset({"0.0.0.0", "::"})


@dataclass(frozen=True, slots=True)
class Origins:
    """`public` is how people reach us, scheme and host, where that was set."""

    names: frozenset[str]
    any_address: bool
    public: str | None

    @classmethod
    def of(cls, settings: Settings) -> Origins:
        host = settings.bind.rpartition(":")[0].strip("[]").lower()
        public = urlsplit(settings.public_url) if settings.public_url else None
        names = {*_LOOPBACK, host, (public.hostname or "") if public else ""} - {""} - _EVERYWHERE
        return cls(
            names=frozenset(names),
            any_address=host in _EVERYWHERE,
            public=f"{public.scheme}://{public.netloc}".lower() if public else None,
        )

    def answers_to(self, host_header: str) -> bool:
        """Ports are not looked at: a tunnel may have another one at its end."""
        try:
            parts = urlsplit(f"//{host_header}")
            name, _ = (parts.hostname or "").lower().rstrip("."), parts.port
        except ValueError:
            return False
        if not name or parts.path or parts.query or parts.fragment or parts.username is not None:
            return False
        return name in self.names or (self.any_address and _is_address(name))

    def is_own(self, origin: str, host_header: str) -> bool:
        """Does a page of `origin` belong to the door that was asked as `host_header`?"""
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        if parts.scheme not in ("http", "https") or not parts.netloc:
            return False
        return parts.netloc.lower() == host_header.lower() or f"{parts.scheme}://{parts.netloc}".lower() == self.public


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def safe_next(wanted: str | None) -> str:
    """`wanted` where it is a path of ours, else the first page. Never leaves this site, never splits a header."""
    if not wanted or not wanted.startswith("/") or len(wanted) > 2_000:
        return "/"
    for reading in (wanted, unquote(wanted)):
        if reading.startswith("//") or "\\" in reading or any(ord(c) < 32 or ord(c) == 127 for c in reading):
            return "/"
    parts = urlsplit(wanted)
    if parts.scheme or parts.netloc or parts.path in ("/login", "/logout") or not wanted.isascii():
        return "/"
    return wanted
