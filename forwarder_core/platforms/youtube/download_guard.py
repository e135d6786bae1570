"""What the downloading process may connect to: every hop of yt-dlp's, wherever YouTube or a redirect leads it.

What lives here: the guard of `addresses`, put where all of yt-dlp's ways to the network pass. What does not: the
download. The fact to know: this is for a process that does nothing else, and is never taken off again. Without a proxy
names are resolved by a resolver that refuses, and what it resolved is what is connected to; a proxy resolves names
itself, so there a request for a private address is stopped before it is sent.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Sequence
from typing import Any

from forwarder_core.addresses import hop, may_be_reached

_INTERNET = (socket.AF_INET, socket.AF_INET6)
# What an HTTP proxy is asked for: CONNECT host:port, or a whole address. A mere path names no host.
_ASKED = re.compile(rb"[A-Z]+ (?:http://)?(?:[^/@\s]*@)?(\[[^\]\s]+\]|[^/:\s]+)")


def install(allowed_networks: Sequence[str], proxy_url: str) -> None:
    """From here on; PermissionError is what whoever connects elsewhere gets."""
    if proxy_url:
        sys.addaudithook(_stopper(allowed_networks, is_socks=proxy_url.startswith("socks")))
    else:
        _resolve_checked(allowed_networks)


def _resolve_checked(allowed_networks: Sequence[str]) -> None:
    resolve = socket.getaddrinfo

    def checked(*args: Any, **more: Any) -> list[Any]:
        found = resolve(*args, **more)
        for family, _, _, _, (address, *_) in found:
            if family in _INTERNET and not may_be_reached(str(address), allowed_networks):
                raise PermissionError(f"{address} lies in a private network")
        return list(found)

    socket.getaddrinfo = checked


def _stopper(allowed_networks: Sequence[str], *, is_socks: bool) -> Any:
    """A SOCKS proxy is handed the connection's own host; an HTTP proxy reads it from what it is sent."""

    def hear(event: str, args: tuple[Any, ...]) -> None:
        if event != "http.client.send":
            return
        connection, sent = args
        asked = _ASKED.match(sent) if isinstance(sent, bytes) else None
        host = connection.host if is_socks else asked[1].decode("ascii", "replace") if asked else None
        if host:
            hop(host, 443, allowed_networks, by_proxy=True)

    return hear
