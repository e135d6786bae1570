"""The way out. Every outgoing call of the product uses an `Exit`: which proxy, which CA, which timeouts.

What lives here: the exit of a connection or account, an httpx client for it, and the download of a file through it.
What does not: which proxy an account has (services), whether a proxy is well (proxies).
The fact to know: a vendor library that is given no explicit proxy, CA or `trust_env=False` reads the environment
or goes out directly, and leaks the server's address. Every connector builds its client from `Exit`'s fields.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote, urlsplit

import httpx

from forwarder_core.errors import (
    LocalFailed,
    MediaRejected,
    NetworkFailed,
    PlatformTransient,
    ProxyFailed,
    RateLimited,
    SourceGone,
)

CONNECT_TIMEOUT_S = 15.0
READ_TIMEOUT_S = 60.0
_CHUNK_BYTES = 256 * 1024
_DOWNLOAD_TRIES = 3


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    """A proxy as clients need it. `scheme` is http or socks5h: names are always resolved by the proxy itself."""

    scheme: str
    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> ProxyAddress:
        """From `http://[user:password@]host:port` or `socks5[h]://…`. Raises ValueError on anything else."""
        parts = urlsplit(url)
        scheme = "socks5h" if parts.scheme in ("socks5", "socks5h") else parts.scheme
        if scheme not in ("http", "socks5h") or not parts.hostname or not parts.port:
            raise ValueError("a proxy is http://host:port or socks5://host:port, with user:password@ where it asks")
        login = [unquote(part) if part is not None else None for part in (parts.username, parts.password)]
        return cls(scheme, parts.hostname, parts.port, *login)

    @property
    def url(self) -> str:
        """With credentials: for client libraries only, never for a log or a screen."""
        login = f"{quote(self.username, safe='')}:{quote(self.password or '', safe='')}@" if self.username else ""
        return f"{self.scheme}://{login}{self.host}:{self.port}"

    @property
    def label(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Exit:
    """One way to the network. `proxy` None = directly; `ca_bundle` None = the system's certificates."""

    proxy: ProxyAddress | None = None
    ca_bundle: Path | None = None

    @property
    def label(self) -> str:
        """For logs and receipts: the proxy without its login, or `direct`."""
        return self.proxy.label if self.proxy else "direct"

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_bundle) if self.ca_bundle else None)

    def http(self, *, headers: Mapping[str, str] | None = None, read_timeout_s: float = READ_TIMEOUT_S) -> httpx.Client:
        """A client that goes this way and no other; redirects are followed, the environment is not read."""
        return httpx.Client(
            proxy=self.proxy.url if self.proxy else None,
            verify=self.tls(),
            trust_env=False,
            follow_redirects=True,
            headers=dict(headers or {}),
            timeout=httpx.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S),
        )


@dataclass(frozen=True, slots=True)
class Download:
    path: Path
    size_bytes: int
    sha256: str


def download(
    exit_: Exit,
    url: str,
    into: Path,
    *,
    max_bytes: int,
    progress: Callable[[int, int | None], None],
    headers: Mapping[str, str] | None = None,
) -> Download:
    """Fetch `url` into `into`: written to `into.part`, resumed by Range after a break, renamed when whole.

    Raises `SourceGone` (403, 404, 410: signed URLs expire, so resolve a fresh one), `MediaRejected` (larger than
    `max_bytes`), and the network classes. A part file is never left behind.
    """
    part = into.with_name(into.name + ".part")
    try:
        with exit_.http(headers=headers) as client, part.open("w+b") as out:
            for tries_left in reversed(range(_DOWNLOAD_TRIES)):
                try:
                    _receive(client, url, out, max_bytes, progress)
                    break
                except httpx.TransportError as e:
                    if not tries_left:
                        raise network_failure(e, exit_) from e
            size = out.tell()
            out.seek(0)
            digest = hashlib.file_digest(out, "sha256").hexdigest()
        if not size:
            raise PlatformTransient("The source sent an empty file.")
        part.replace(into)
    except OSError as e:
        raise LocalFailed(f"The fetched file could not be written: {e.strerror}.") from e
    finally:
        part.unlink(missing_ok=True)
    return Download(into, size, digest)


def _receive(
    client: httpx.Client, url: str, out: BinaryIO, max_bytes: int, progress: Callable[[int, int | None], None]
) -> None:
    """One request, from where `out` stands to the end. Raises TransportError when the body ends early."""
    done = out.tell()
    with client.stream("GET", url, headers={"Range": f"bytes={done}-"} if done else {}) as answer:
        check_download_status(answer)
        if answer.status_code != 206 and done:  # the server does not resume: begin again
            out.seek(0)
            out.truncate()
            done = 0
        length = answer.headers.get("content-length")
        total = done + int(length) if length and length.isdigit() else None
        for chunk in answer.iter_raw(_CHUNK_BYTES):
            done += len(chunk)
            if done > max_bytes or (total or 0) > max_bytes:
                raise MediaRejected(f"The source file is larger than {max_bytes // 1_000_000} MB.")
            out.write(chunk)
            progress(done, total)
    if total is not None and done < total:
        raise httpx.ReadError("the connection ended early")


def check_download_status(answer: httpx.Response) -> None:
    """Raise the class of a refused download; return on 200 and 206."""
    status = answer.status_code
    if status in (200, 206):
        if answer.headers.get("content-type", "").startswith("text/html"):
            raise PlatformTransient("The source answered with a web page instead of the file.")
        return
    if status in (403, 404, 410):
        raise SourceGone(f"The source file is not there any more (HTTP {status}).")
    if status == 407:
        raise ProxyFailed("The proxy refused the login (HTTP 407).")
    if status == 429:
        after = answer.headers.get("retry-after", "")
        raise RateLimited(
            "The source's file server asks to slow down (HTTP 429).",
            retry_after_s=float(after) if after.isdigit() else None,
        )
    raise PlatformTransient(f"The source's file server answered HTTP {status}.")


def network_failure(error: Exception, exit_: Exit) -> NetworkFailed | ProxyFailed:
    """Which of the two failed: the network, or our own proxy.

    httpx says ProxyError for a refused login, but a proxy that is not there is a plain ConnectError; behind a proxy
    every failed connect is the proxy's, because a target the proxy cannot reach comes back as its 5xx answer.
    """
    kind = type(error).__name__
    if exit_.proxy and isinstance(error, (httpx.ProxyError, httpx.ConnectError)):
        return ProxyFailed(f"Proxy {exit_.label} could not be used ({kind}).", raw=str(error))
    return NetworkFailed(f"The connection failed ({kind}).", raw=str(error))
