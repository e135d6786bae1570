"""The dead-man ping: an address asked while the sender lives, so that somebody elsewhere notices when it does not.

The address is the admin's, so it is checked like every foreign one: no private network is reached unless a setting
allows it, and what was checked is what is connected to.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx

from forwarder_core.alerts.delivery import NotDelivered
from forwarder_core.egress import Exit

_TIMEOUT_S = 10.0


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
    if problem := address_problem(url, allowed):
        raise PingFailed(f"The ping address {problem}.")
    try:
        target, headers, extensions = _pinned(url, allowed) if exit_.proxy is None else (url, {}, {})
        with exit_.http(headers=headers, read_timeout_s=_TIMEOUT_S) as client:
            answer = client.get(target, follow_redirects=False, extensions=extensions)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as e:
        raise PingFailed(f"The ping failed ({type(e).__name__}).") from e
    if answer.status_code >= 400:
        raise PingFailed(f"The ping was answered with HTTP {answer.status_code}.")


def _pinned(url: str, allowed: Sequence[str]) -> tuple[httpx.URL, dict[str, str], dict[str, str]]:
    """The address with its name resolved once and checked; a proxy resolves names itself."""
    parsed = httpx.URL(url)
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    found = {str(info[4][0]) for info in socket.getaddrinfo(parsed.host, port, type=socket.SOCK_STREAM)}
    if not found or not all(_may_reach(address, allowed) for address in found):
        raise PingFailed("The ping address lies in a private network.")
    return parsed.copy_with(host=sorted(found)[0]), {"host": parsed.netloc.decode()}, {"sni_hostname": parsed.host}
