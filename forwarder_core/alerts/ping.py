"""The dead-man ping: an address asked while the sender lives, so that somebody elsewhere notices when it does not.

The address is the admin's, so it is called like every foreign one: what the text tells is refused when it is written,
the rest each time it is asked.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx

from forwarder_core.alerts import foreign
from forwarder_core.alerts.delivery import NotDelivered
from forwarder_core.egress import Exit
from forwarder_core.errors import Invalid


class PingFailed(NotDelivered):
    code = "ping_failed"
    action = "Check the ping address under Settings → Notifications."


def address_problem(url: str, allowed: Sequence[str]) -> str | None:
    """Why this address may not be asked, as far as the text tells."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is not an address"
    if parts.scheme not in ("http", "https") or not host or parts.username:
        return "must be http://host/… or https://host/…, without a login"
    try:
        return None if _may_reach(host, allowed) else "lies in a private network"
    except ValueError:
        is_odd = (
            host == "localhost" or host.endswith(".localhost") or host.replace(".", "").isdigit() or host[:2] == "0x"
        )
        return "lies in a private network" if is_odd and not allowed else None


def _may_reach(address: str, allowed: Sequence[str]) -> bool:
    """Raises ValueError for a name."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_global or any(ip in ipaddress.ip_network(network) for network in allowed)


def ping(exit_: Exit, url: str, allowed: Sequence[str]) -> None:
    """Ask the address once; redirects are not followed. Raises PingFailed."""
    try:
        status = foreign.call(exit_, "GET", url, allowed)
    except Invalid as e:
        raise PingFailed(f"The ping address cannot be used. {e.message}") from e
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as e:
        raise PingFailed(f"The ping failed ({type(e).__name__}).") from e
    if status >= 400:
        raise PingFailed(f"The ping was answered with HTTP {status}.")
