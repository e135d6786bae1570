"""A line to a proxy, and the beginning of a talk with one: CONNECT over HTTP, or SOCKS5.

Not here: what is asked through the tunnel. The facts to know: all of the talk has one deadline, not one per read,
because a proxy that sends a byte now and then would otherwise hold it for ever. And of the proxy's answer exactly its
head is taken: what stands behind belongs to the target, which may speak first as mail servers do. PySocks (1.7.1) and
http.client read ahead there and throw away what they read.
"""

from __future__ import annotations

import base64
import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass

from forwarder_core.egress import ProxyAddress, host_and_port

_MOST_HEAD_BYTES = 32 * 1024
_NOT_PROXY = "is not a proxy of this type"
WANTS_TLS = "The proxy wants TLS to itself, which is not supported"


class TunnelRefused(OSError):
    """Why no line came about. `code` is stable, the text is for the admin, `is_by_target`: the proxy did its part."""

    def __init__(self, code: str, text: str, *, status: int | None = None, is_by_target: bool = False) -> None:
        super().__init__(text)
        self.code, self.text, self.status, self.is_by_target = code, text, status, is_by_target


@dataclass(slots=True)
class Line:
    """A connected socket with a deadline (of time.monotonic). Raises TimeoutError past it, EOFError at the end."""

    sock: socket.socket
    deadline: float

    @classmethod
    def to(cls, host: str, port: int, timeout_s: float) -> Line:
        deadline = time.monotonic() + timeout_s
        return cls(socket.create_connection((host, port), timeout=timeout_s), deadline)

    def send(self, data: bytes) -> None:
        self._hurry()
        self.sock.sendall(data)

    def read_some(self, most: int = 4_096) -> bytes:
        """Nothing at the end of the stream."""
        self._hurry()
        return self.sock.recv(most)

    def read_exactly(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            part = self.read_some(count - len(got))
            if not part:
                raise EOFError
            got += part
        return got

    def read_head(self, at_once: int = 4_096) -> tuple[bytes, bytes]:
        """The head of an HTTP answer, and what came behind it: nothing when one byte is read at once."""
        got = b""
        while b"\r\n\r\n" not in got:
            part = self.read_some(at_once)
            if not part or len(got) > _MOST_HEAD_BYTES:
                break
            got += part
        if not got:
            raise EOFError
        head, _, rest = got.partition(b"\r\n\r\n")
        return head, rest

    def secure(self, tls: ssl.SSLContext, host: str) -> None:
        self._hurry()
        self.sock = tls.wrap_socket(self.sock, server_hostname=host)

    def close(self) -> None:
        self.sock.close()

    def _hurry(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.sock.settimeout(left)


def connect(proxy: ProxyAddress, host: str, port: int, timeout_s: float) -> socket.socket:
    """A socket that the proxy has led to the target. Raises TunnelRefused, whatever the reason it has not."""
    try:
        line = Line.to(proxy.host, proxy.port, timeout_s)
    except OSError as e:
        raise TunnelRefused("unreachable", f"The proxy cannot be reached ({type(e).__name__})") from e
    try:
        open_tunnel(line, proxy, host, port)
    except (EOFError, OSError, ValueError) as e:
        line.close()
        if isinstance(e, TunnelRefused):
            raise
        raise TunnelRefused("cut", f"The proxy did not lead to {host} ({type(e).__name__})") from e
    line.sock.settimeout(timeout_s)
    return line.sock


def open_tunnel(line: Line, proxy: ProxyAddress, host: str, port: int) -> None:
    """Have the proxy lead this line to the target. Raises TunnelRefused with the proxy's own refusal."""
    if proxy.scheme == "socks5h":
        _socks5(line, proxy, host, port)
    else:
        _connect(line, proxy, host, port)


def _connect(line: Line, proxy: ProxyAddress, host: str, port: int) -> None:
    target = host_and_port(host, port)
    login = ""
    if proxy.username:
        blob = base64.b64encode(f"{proxy.username}:{proxy.password or ''}".encode()).decode()
        login = f"Proxy-Authorization: Basic {blob}\r\n"
    line.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{login}\r\n".encode())
    head, _ = line.read_head(at_once=1)
    status, headers = parse_head(head)
    is_page = headers.get("content-type", "").startswith("text/html")  # a length means nothing here (RFC 9110, 9.3.6)
    if status == 407:
        raise TunnelRefused("login", "The proxy refused the login (HTTP 407)", status=407)
    if 300 <= status < 400 or (status < 300 and is_page):
        raise TunnelRefused("own_page", "The proxy answered with a page of its own", status=status)
    if status in (502, 503, 504):
        words = f"The proxy could not reach it (HTTP {status})"
        raise TunnelRefused("unreachable", words, status=status, is_by_target=True)
    if not 200 <= status < 300:
        words = f"The proxy does not lead there (HTTP {status})"
        raise TunnelRefused("denied", words, status=status, is_by_target=True)


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers, names in lower case. Raises TunnelRefused for what is no HTTP."""
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    if head[:2] == b"\x15\x03":
        raise TunnelRefused("wants_tls", WANTS_TLS)
    if not first.startswith("HTTP/") or len(words) < 2 or not words[1].isdecimal():
        raise TunnelRefused("not_a_proxy", f"What answers {_NOT_PROXY}")
    pairs = (line.partition(":") for line in lines)
    return int(words[1]), {name.strip().lower(): value.strip().lower() for name, _, value in pairs}


_SOCKS_REPLIES = {2: "denied", 3: "unreachable", 4: "unreachable", 5: "unreachable", 6: "unreachable"}


def _socks5(line: Line, proxy: ProxyAddress, host: str, port: int) -> None:
    line.send(b"\x05\x02\x00\x02" if proxy.username else b"\x05\x01\x00")
    version, method = line.read_exactly(2)
    if version != 5:
        raise TunnelRefused("not_a_proxy", f"What answers {_NOT_PROXY}")
    if method == 2 and proxy.username:
        _socks5_login(line, proxy)
    elif method != 0:
        raise TunnelRefused("login", "The proxy wants another login")
    line.send(b"\x05\x01\x00" + _socks5_target(host) + port.to_bytes(2, "big"))
    _, reply, _, kind = line.read_exactly(4)
    if reply != 0:
        code = _SOCKS_REPLIES.get(reply, "refused_target")
        words = f"The proxy could not lead there (SOCKS reply {reply})"
        raise TunnelRefused(code, words, status=reply, is_by_target=True)
    length = {1: 4, 4: 16}.get(kind) or line.read_exactly(1)[0]
    line.read_exactly(length + 2)


def _socks5_login(line: Line, proxy: ProxyAddress) -> None:
    name, word = (proxy.username or "").encode(), (proxy.password or "").encode()
    line.send(bytes((1, len(name))) + name + bytes((len(word),)) + word)
    try:
        _, status = line.read_exactly(2)
    except (EOFError, ConnectionResetError):
        status = 1  # some say no by hanging up
    if status != 0:
        raise TunnelRefused("login", "The proxy refused the login")


def _socks5_target(host: str) -> bytes:
    """As a name wherever it is one: the proxy resolves it."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("ascii")
        return bytes((3, len(name))) + name
    return bytes((1 if ip.version == 4 else 4,)) + ip.packed
