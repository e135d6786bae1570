"""The beginning of a proxied connection: HTTP (absolute form, CONNECT) and SOCKS5, told apart by the first byte.

What lives here: reading what the client wants and who it is, and the refusals in each protocol's words. What does
not: whether the target is allowed. The fact to know: PySocks writes the scheme as `basic`, others as `Basic`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

_HOP_HEADERS = (b"proxy-authorization:", b"proxy-connection:", b"connection:", b"keep-alive:")


class BadHandshake(Exception):
    """The client speaks no protocol this gateway knows."""


class Protocol(StrEnum):
    HTTP = "http"
    CONNECT = "connect"
    SOCKS5 = "socks5"


class Refusal(StrEnum):
    LOGIN = "login"
    NAME = "name"
    UNREACHABLE = "unreachable"


_HTTP_REFUSALS = {
    Refusal.LOGIN: b'407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="gateway"',
    Refusal.NAME: b"403 Forbidden",
    Refusal.UNREACHABLE: b"502 Bad Gateway",
}
_SOCKS_REFUSALS = {Refusal.LOGIN: 1, Refusal.NAME: 2, Refusal.UNREACHABLE: 5}


@dataclass(frozen=True, slots=True)
class Login:
    username: str
    password: str

    def matches(self, other: Login | None) -> bool:
        return other is not None and hmac.compare_digest(
            f"{self.username}\0{self.password}".encode(), f"{other.username}\0{other.password}".encode()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Where a client wants to go. `head` is what must be sent on first (a rewritten request in absolute form)."""

    protocol: Protocol
    host: str
    port: int
    login: Login | None
    head: bytes = b""

    @property
    def granted(self) -> bytes:
        """What the client must hear before its own bytes flow."""
        if self.protocol is Protocol.CONNECT:
            return b"HTTP/1.1 200 Connection established\r\n\r\n"
        return b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00" if self.protocol is Protocol.SOCKS5 else b""

    def refused(self, why: Refusal) -> bytes:
        if self.protocol is Protocol.SOCKS5:
            return bytes((5, _SOCKS_REFUSALS[why], 0, 1, 0, 0, 0, 0, 0, 0))
        return b"HTTP/1.1 " + _HTTP_REFUSALS[why] + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def read_wish(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, required: Login | None, *, reject_login: bool = False
) -> Wish | None:
    """What the client wants; None when a SOCKS login was refused and the client told so.

    A refused HTTP login is the caller's to answer: the wish then carries a login that does not match.
    Raises BadHandshake, or IncompleteReadError when the client leaves.
    """
    first = await reader.readexactly(1)
    if first == b"\x05":
        return await _read_socks5(reader, writer, required, reject_login)
    try:
        head = first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as e:
        raise BadHandshake("the request head is too long") from e
    return parse_http(head)


def parse_http(head: bytes) -> Wish:
    """Raises BadHandshake."""
    request_line, *headers = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    try:
        method, target, version = request_line.decode("ascii").split(" ")
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            return Wish(protocol=Protocol.CONNECT, host=host.strip("[]"), port=int(port), login=_login(headers))
        url = urlsplit(target)
        host, number = url.hostname or "", url.port or 80
    except ValueError as e:
        raise BadHandshake(f"not a proxy request: {request_line[:80]!r}") from e
    if url.scheme != "http" or not host:
        raise BadHandshake(f"not a proxy request: {request_line[:80]!r}")
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    kept = [line for line in headers if not line.lower().startswith(_HOP_HEADERS)]
    # One request per connection: the next may be for another host.
    lines = [f"{method} {path} {version}".encode("ascii"), *kept, b"Connection: close"]
    return Wish(
        protocol=Protocol.HTTP, host=host, port=number, login=_login(headers), head=b"\r\n".join(lines) + b"\r\n\r\n"
    )


def _login(headers: list[bytes]) -> Login | None:
    for line in headers:
        name, _, value = line.partition(b":")
        scheme, _, blob = value.strip().partition(b" ")
        if name.strip().lower() == b"proxy-authorization" and scheme.lower() == b"basic":
            try:
                username, _, password = base64.b64decode(blob.strip()).decode("utf-8").partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return None
            return Login(username, password)
    return None


async def _read_socks5(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, required: Login | None, reject_login: bool
) -> Wish | None:
    methods = await reader.readexactly((await reader.readexactly(1))[0])
    login = None
    if 2 in methods:  # asked for whenever offered: an open proxy then still learns the name
        writer.write(b"\x05\x02")
        login = await _read_socks_login(reader)
        is_good = not reject_login and (required is None or required.matches(login))
        writer.write(b"\x01\x00" if is_good else b"\x01\x01")
        if not is_good:
            return None
    elif 0 in methods and required is None and not reject_login:
        writer.write(b"\x05\x00")
    else:
        writer.write(b"\x05\xff")
        return None
    version, command, _, kind = await reader.readexactly(4)
    host = await _read_socks_host(reader, kind)
    port = int.from_bytes(await reader.readexactly(2), "big")
    wish = Wish(protocol=Protocol.SOCKS5, host=host, port=port, login=login)
    if version != 5 or command != 1:
        writer.write(b"\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00")
        raise BadHandshake(f"SOCKS command {command} is not offered")
    return wish


async def _read_socks_login(reader: asyncio.StreamReader) -> Login:
    await reader.readexactly(1)
    username = await reader.readexactly((await reader.readexactly(1))[0])
    password = await reader.readexactly((await reader.readexactly(1))[0])
    return Login(username.decode("utf-8", "replace"), password.decode("utf-8", "replace"))


async def _read_socks_host(reader: asyncio.StreamReader, kind: int) -> str:
    if kind == 3:
        return (await reader.readexactly((await reader.readexactly(1))[0])).decode("ascii", "replace")
    if kind in (1, 4):
        return str(ipaddress.ip_address(await reader.readexactly(4 if kind == 1 else 16)))
    raise BadHandshake(f"SOCKS address type {kind} is not known")
