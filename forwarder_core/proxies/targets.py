"""Targets of a probe: addresses the admin chose, read strictly and kept out of private networks.

The fact to know: a proxy resolves the target's name itself. Here only what this machine can tell is refused: spellings
of private addresses, and names that lead to one.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from forwarder_core.addresses import check_address
from forwarder_core.errors import FieldError, Invalid

_MOST_CHARS = 500
_COUNTRY = re.compile(r'"country(?:_code|Code)?"\s*:\s*"([A-Za-z]{2})"')
_ADDRESS = re.compile(r"[0-9A-Fa-f.:]{7,39}|[0-9A-Fa-f:]{2,39}")


@dataclass(frozen=True, slots=True)
class Target:
    url: str
    is_tls: bool
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str, *, field: str = "targets") -> Target:
        """Raises Invalid on what is no http(s) address without a login."""
        problem = FieldError(field, "must be http://host/… or https://host/…, without a login")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as e:
            raise Invalid(f"“{url[:80]}” is not an address.", problem) from e
        is_plain_text = url.isascii() and url.isprintable() and " " not in url
        is_whole = parts.scheme in ("http", "https") and parts.hostname and port != 0 and "@" not in parts.netloc
        if not is_whole or not is_plain_text or len(url) > _MOST_CHARS:
            raise Invalid(f"“{url[:80]}” is not an address that can be tested.", problem)
        is_tls = parts.scheme == "https"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(url, is_tls, parts.hostname or "", port or (443 if is_tls else 80), path)


def checked(url: str, allowed_networks: Sequence[str], *, field: str = "targets") -> Target:
    """The target, which does not lie in a private network as far as can be told. Raises Invalid."""
    target = Target.parse(url, field=field)
    check_address(target.host, target.port, allowed_networks, field=field, is_left_to_proxy=True)
    return target


def address_in(body: str) -> str | None:
    """The exit address an IP echo answered with, whatever it wraps it in."""
    for word in _ADDRESS.findall(body):
        try:
            return str(ipaddress.ip_address(word))
        except ValueError:
            continue
    return None


def country_in(body: str) -> str | None:
    """Two letters, where the echo says them."""
    found = _COUNTRY.search(body)
    return found[1].upper() if found else None
