"""Was it the network or our own proxy? The answer for everything instagrapi's two transports can throw.

What lives here: reading a chain of exceptions of requests, PySocks, urllib3 and curl, and the one probe of a proxy.
What does not: anything Instagram said; an answer that arrived is judged in `errors`.
The fact to know: curl reports a refused proxy, a refused login at it and a refused target with the same code 7, and
only a CONNECT of our own tells them apart; so whatever failed through a proxy without naming it is followed by one.
"""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator

import requests
import socks
import urllib3

from forwarder_core.egress import Exit, ProxyAddress
from forwarder_core.errors import NetworkFailed, ProxyFailed, StepFailed

_PROBE_TIMEOUT_S = 5.0
_PROBE_TARGET = "i.instagram.com:443"
_CURL_PROXY_CODES = {5, 97}  # the proxy's name is unknown; the SOCKS handshake failed
_PROXY_ERRORS = (
    requests.exceptions.ProxyError,
    requests.exceptions.InvalidProxyURL,
    urllib3.exceptions.ProxyError,
    socks.ProxyError,
)


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all it was raised from or while handling, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [other for other in (one.__cause__, one.__context__) if other is not None]


def curl_codes(error: BaseException) -> set[int]:
    """The codes of libcurl in the chain; its Python binding carries them as `code`."""
    return {
        int(code)
        for one in causes(error)
        if type(one).__module__.startswith("curl_cffi") and (code := getattr(one, "code", None))
    }


def connection_failure(error: BaseException, exit_: Exit) -> StepFailed:
    """`ProxyFailed` when the chain or the probe says so, else `NetworkFailed`."""
    kind = type(error).__name__
    raw = _without_login(str(error), exit_.proxy)
    if exit_.proxy and _is_proxy_at_fault(error, exit_.proxy):
        return ProxyFailed(f"Proxy {exit_.called} could not be used ({kind}).", raw=raw)
    return NetworkFailed(f"The connection to Instagram failed ({kind}).", raw=raw)


def _is_proxy_at_fault(error: BaseException, proxy: ProxyAddress) -> bool:
    codes = curl_codes(error)
    if codes & _CURL_PROXY_CODES or any(isinstance(one, _PROXY_ERRORS) for one in causes(error)):
        return True
    return not proxy_lets_through(proxy)


def proxy_lets_through(proxy: ProxyAddress) -> bool:
    """One CONNECT of our own, nothing sent through it. For SOCKS the handshake has a code of its own in curl, so
    there it is enough that the proxy takes the connection."""
    try:
        with socket.create_connection((proxy.host, proxy.port), timeout=_PROBE_TIMEOUT_S) as line:
            if proxy.scheme != "http":
                return True
            line.sendall(_connect_request(proxy))
            return line.recv(64).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False


def _connect_request(proxy: ProxyAddress) -> bytes:
    lines = [f"CONNECT {_PROBE_TARGET} HTTP/1.1", f"Host: {_PROBE_TARGET}"]
    if proxy.username:
        login = base64.b64encode(f"{proxy.username}:{proxy.password or ''}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {login}")
    return "\r\n".join([*lines, "", ""]).encode()


def _without_login(text: str, proxy: ProxyAddress | None) -> str:
    for secret in (proxy.password, proxy.username) if proxy else ():
        if secret:
            text = text.replace(secret, "…")
    return text[:300]
