"""The guard of addresses that come from outside: typed by a person, or told by a far end that leads on to another.

What lives here: what a name or any spelling of an address stands for, and whether that may be connected to. What does
not: the calls (`egress`). The fact to know: a name is resolved once and what passed is connected to; whoever resolved
it again could be told another address.
"""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from collections.abc import Sequence

from forwarder_core.errors import FieldError, Invalid

HOW_TO_ALLOW = "Give a public address, or allow the network by FORWARDER_ALLOW_PRIVATE_NETWORKS."
_HOST = re.compile(r"[\w.:-]{1,253}", re.ASCII)
_LOCAL_NAMES = ("localhost", "localdomain", "local", "internal")  # resolved by the machine itself, where at all
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_OLD_EMBEDDED = ipaddress.ip_network("::/96")


def check_address(
    host: str, port: int, allowed_networks: Sequence[str], *, field: str = "host", is_left_to_proxy: bool = False
) -> str:
    """The address `host` stands for: public, or inside `allowed_networks` (CIDR). Connect to it, not to the name.

    The name is resolved once and every address it has must pass; whoever resolved it again could be told another
    one. `is_left_to_proxy`: a name this machine cannot resolve is returned as it is. Raises Invalid naming `field`.
    """
    bare = _bare(host)
    if not _HOST.fullmatch(bare):
        raise Invalid(f"“{host[:80]}” is not a host name or IP address.", FieldError(field, "is not a host"))
    try:
        return reached(bare, port, allowed_networks)[0]
    except PermissionError as e:
        words = "lies in a private network"
        raise Invalid(f"“{bare}” {words}.", FieldError(field, words), action=HOW_TO_ALLOW) from e
    except OSError as e:
        if is_left_to_proxy:
            return bare
        raise Invalid(
            f"The name “{bare}” cannot be resolved.",
            FieldError(field, "cannot be resolved"),
            action="Check the spelling, and the name service of this server.",
        ) from e


def hop(host: str, port: int, allowed_networks: Sequence[str], *, by_proxy: bool) -> str:
    """What to connect to for one hop of a call, wherever the far end led: the checked address of `host`, or the name
    itself where a proxy resolves it. Raises as `reached`."""
    bare = _bare(host)
    if by_proxy and not _is_local(bare) and not _is_numeric(bare):
        return bare
    return reached(bare, port, allowed_networks)[0]


def reached(host: str, port: int, allowed_networks: Sequence[str]) -> list[str]:
    """Every address of a name, or of any spelling of an address; all of them may be connected to.

    Raises PermissionError where one lies in a private network, OSError for a name that cannot be resolved.
    """
    found = _addresses_of(host, port)
    if not found and not _is_local(host):
        raise OSError(errno.ENOENT, f"the name {host[:80]} cannot be resolved")
    if not found or not all(may_be_reached(address, allowed_networks) for address in found):
        raise PermissionError(errno.EACCES, f"{host[:80]} lies in a private network")
    return found


def _bare(host: str) -> str:
    return host.removeprefix("[").removesuffix("]") if host.startswith("[") else host


def _is_local(host: str) -> bool:
    return host.lower().rstrip(".").rpartition(".")[2] in _LOCAL_NAMES


def _is_numeric(host: str) -> bool:
    """An address in any spelling the machine takes for one, as 127.1 and 0x7f000001; nothing is looked up."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            socket.inet_aton(host)
        except (OSError, UnicodeError):
            return False
    return True


def _addresses_of(host: str, port: int) -> list[str]:
    """Every address of a name or of any spelling of an address; none where it cannot be resolved."""
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(info[4][0]) for info in infos]


def may_be_reached(address: str, allowed_networks: Sequence[str]) -> bool:
    """Public, or inside `allowed_networks`. Raises ValueError for what is no address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = _inner(ip) or ip
    if any(ip in ipaddress.ip_network(network) for network in allowed_networks):
        return True
    return ip.is_global and not ip.is_multicast


def _inner(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address a packet to `ip` may end at, where one is written into it."""
    if ip in _NAT64 or (ip in _OLD_EMBEDDED and int(ip) > 1):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour
