"""A probe: one request of our own through a proxy, which tells proxy, network and target apart.

Client libraries cannot: to curl a proxy that is not there and one that refuses the login are the same number. Not here:
what follows from a verdict. The fact to know: certificates are verified like everywhere; a proxy that shows its own in
the place of the target's is at fault, not something to get along with.
"""

from __future__ import annotations

import errno
import ssl
import time
from contextlib import suppress

from forwarder_core.domain.proxies import Blame, Test
from forwarder_core.egress import ProxyAddress, host_and_port
from forwarder_core.errors import NetworkFailed, PlatformTransient, ProxyBlocked, ProxyFailed, StepFailed
from forwarder_core.proxies.targets import Target
from forwarder_core.tunnels import WANTS_TLS, Line, TunnelRefused, open_tunnel, parse_head

TIMEOUT_S = 10.0
_TLS_TRY_S = 2.0
_BODY_BYTES = 2_048
_OURS = frozenset({errno.ENETUNREACH, errno.ENETDOWN, errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL})
_REFUSES_ADDRESS = (403, 429, 451)
_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "RECORD_LAYER_FAILURE"})


class Trouble(Exception):
    """Why a probe ends here. `code` is stable, the text is for the admin."""

    def __init__(self, blame: Blame, code: str, text: str, *, status: int | None = None) -> None:
        super().__init__(text)
        self.blame, self.code, self.text, self.status = blame, code, text, status


def probe(
    proxy: ProxyAddress,
    target: Target,
    *,
    tls: ssl.SSLContext,
    timeout_s: float = TIMEOUT_S,
    wants_body: bool = False,
) -> Test:
    """Ask the target once through the proxy. Never raises: what went wrong is in the answer, with whose trouble it is.

    `proxy.host` is connected to as it is: an address that was checked. `wants_body`: read the beginning of it too.
    """
    began = time.monotonic()
    try:
        line = _reach(proxy, timeout_s)
        try:
            _lead(line, proxy, target, tls)
            if target.is_tls:
                _secure(line, target, tls)
            status, latency_ms, body = _ask(line, target, began)
            if wants_body:
                body = _rest_of(line, body)
        finally:
            line.close()
    except TunnelRefused as e:
        blame = Blame.TARGET if e.is_by_target else Blame.PROXY
        return Test(endpoint=target.url, blame=blame, code=e.code, error=e.text, status=e.status)
    except Trouble as e:
        return Test(endpoint=target.url, blame=e.blame, code=e.code, error=e.text, status=e.status)
    return _judged(target, status, body, latency_ms)


def failure_of(test: Test, proxy: ProxyAddress) -> StepFailed | None:
    """The engine's class for what a probe found; None where it found nothing wrong."""
    words = f"{test.error} (proxy {proxy.called}, asked for {test.endpoint})."
    if test.blame is Blame.PROXY:
        return ProxyFailed(words)
    if test.blame is Blame.NETWORK:
        return NetworkFailed(words)
    if test.blame is Blame.TARGET:
        return ProxyBlocked(words) if test.code == "blocked" else PlatformTransient(words)
    return None


def _reach(proxy: ProxyAddress, timeout_s: float) -> Line:
    try:
        return Line.to(proxy.host, proxy.port, timeout_s)
    except TimeoutError as e:
        raise Trouble(Blame.PROXY, "hang", f"Connection timeout after {timeout_s:g} seconds") from e
    except ConnectionRefusedError as e:
        raise Trouble(Blame.PROXY, "refused", "Connection refused") from e
    except OSError as e:
        if e.errno in _OURS:
            raise Trouble(Blame.NETWORK, "network", "This server has no way to the network") from e
        raise Trouble(Blame.PROXY, "unreachable", f"The proxy cannot be reached ({type(e).__name__})") from e


def _lead(line: Line, proxy: ProxyAddress, target: Target, tls: ssl.SSLContext) -> None:
    try:
        open_tunnel(line, proxy, target.host, target.port)
    except TunnelRefused:
        raise
    except TimeoutError as e:
        raise Trouble(Blame.PROXY, "hang", "The proxy took the connection and did not answer") from e
    except (EOFError, OSError) as e:
        if speaks_tls(proxy, tls):
            raise Trouble(Blame.PROXY, "wants_tls", WANTS_TLS) from e
        raise Trouble(Blame.PROXY, "cut", "The proxy broke the connection off") from e


def speaks_tls(proxy: ProxyAddress, tls: ssl.SSLContext) -> bool:
    """Does what hung up on a plain greeting answer one in TLS? Most servers say nothing at all to the wrong one."""
    try:
        line = Line.to(proxy.host, proxy.port, _TLS_TRY_S)
        try:
            line.secure(tls, proxy.name or proxy.host)
        finally:
            line.close()
    except ssl.SSLCertVerificationError:
        return True
    except (EOFError, OSError):
        return False
    return True


def _secure(line: Line, target: Target, tls: ssl.SSLContext) -> None:
    try:
        line.secure(tls, target.host)
    except ssl.SSLCertVerificationError as e:
        words = f"The certificate shown for {target.host} is not to be trusted ({e.verify_message})"
        raise Trouble(Blame.PROXY, "mitm", words) from e
    except TimeoutError as e:
        raise Trouble(Blame.TARGET, "hang", f"{target.host} did not answer through the proxy") from e
    except ssl.SSLError as e:
        if e.reason in _NOT_TLS:
            raise Trouble(Blame.PROXY, "own_page", "The proxy answered with a page of its own") from e
        raise Trouble(Blame.PROXY, "cut", f"No TLS through the proxy ({e.reason})") from e
    except OSError as e:
        raise Trouble(Blame.PROXY, "cut", "The connection broke off behind the proxy") from e


def _ask(line: Line, target: Target, began: float) -> tuple[int, int, bytes]:
    """Status, the time from the first connect to the answer in ms, and what came of the body with it."""
    is_usual = target.port == (443 if target.is_tls else 80)
    host = target.host if is_usual else host_and_port(target.host, target.port)
    lines = (f"GET {target.path} HTTP/1.1", f"Host: {host}", "User-Agent: Mozilla/5.0", "Accept: */*")
    try:
        line.send("\r\n".join((*lines, "Connection: close", "", "")).encode())
        head, body = line.read_head()
        latency_ms = round((time.monotonic() - began) * 1_000)
        status, _ = parse_head(head)
    except TunnelRefused:
        raise
    except TimeoutError as e:
        raise Trouble(Blame.TARGET, "hang", f"{target.host} did not answer through the proxy") from e
    except (EOFError, OSError) as e:
        raise Trouble(Blame.PROXY, "cut", "The connection broke off behind the proxy") from e
    return status, latency_ms, body


def _rest_of(line: Line, body: bytes) -> bytes:
    """As much of the body as comes: that the target answered is known already."""
    with suppress(EOFError, OSError):
        while len(body) < _BODY_BYTES and (more := line.read_some()):
            body += more
    return body[:_BODY_BYTES]


def _judged(target: Target, status: int, body: bytes, latency_ms: int) -> Test:
    blame, code, error = Blame.NOBODY, "ok", None
    if status == 407:
        blame, code, error = Blame.PROXY, "login", "The proxy refused the login (HTTP 407)"
    elif status in _REFUSES_ADDRESS:
        blame, code, error = Blame.TARGET, "blocked", f"{target.host} refuses this address (HTTP {status})"
    elif status >= 500:
        blame, code, error = Blame.TARGET, "target_error", f"{target.host} is in trouble (HTTP {status})"
    return Test(
        endpoint=target.url,
        blame=blame,
        code=code,
        error=error,
        latency_ms=latency_ms,
        status=status,
        body=body.decode("utf-8", "replace"),
    )
