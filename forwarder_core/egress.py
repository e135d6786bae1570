"""The way out. Every outgoing call of the product uses an `Exit`: which proxy, which CA, which timeouts.

What lives here: the exit of a connection or account, an httpx client for it, and the download of a file through it.
What does not: which proxy an account has (services), whether a proxy is well (proxies), which addresses may be
connected to (`addresses`).
The fact to know: a vendor library that is given no explicit proxy, CA or `trust_env=False` reads the environment
or goes out directly, and leaks the server's address. Every connector builds its client from `Exit`'s fields.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote, urlsplit

import httpx

from forwarder_core.addresses import HOW_TO_ALLOW, hop
from forwarder_core.bounds import (
    ANSWER_S,
    MOST_ANSWER_BYTES,
    PACKINGS,
    BoundedTransport,
    Deadline,
    ForbiddenAddress,
    told_wait_s,
)
from forwarder_core.errors import (
    LocalFailed,
    MediaRejected,
    NetworkFailed,
    PlatformTransient,
    ProxyFailed,
    RateLimited,
    SourceGone,
    StepFailed,
)

CONNECT_TIMEOUT_S = 15.0
READ_TIMEOUT_S = 60.0
_DOWNLOAD_TRIES = 3
_MOST_REDIRECTS = 8
_SPARE_BYTES = 1_000_000  # of the client's own limit, so that a download's is noticed first
PATIENCE_S = 60.0  # credit of a download; each byte that comes adds to it as if it had come at the slowest rate
SLOWEST_BYTES_PER_S = 20_000
DIRECT = "direct"
_NO_FILES = ("text/", "application/json", "application/xml", "application/problem")


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    """A proxy as clients need it. `scheme` is http or socks5h: names are always resolved by the proxy itself.

    `name`: the proxy's host as it was written, where `host` is the address that was checked for it. `id` and `alias`:
    of the proxy it is, where it is one the admin added.
    """

    scheme: str
    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    name: str | None = None
    id: int | None = None
    alias: str | None = None

    @classmethod
    def parse(cls, url: str) -> ProxyAddress:
        """From `http://[user:password@]host:port` or `socks5[h]://…`. Raises ValueError on anything else."""
        try:
            parts = urlsplit(url)
            scheme = "socks5h" if parts.scheme in ("socks5", "socks5h") else parts.scheme
            host, port = parts.hostname, parts.port
        except ValueError:  # its words quote the address, and so perhaps the password
            scheme, host, port = "", None, None
        if scheme not in ("http", "socks5h") or not host or not port:
            raise ValueError("a proxy is http://host:port or socks5://host:port, with user:password@ where it asks")
        username, password = (unquote(p) if p is not None else None for p in (parts.username, parts.password))
        return cls(scheme, host, port, username, password)

    @property
    def url(self) -> str:
        """With credentials: for client libraries only, never for a log or a screen."""
        login = f"{quote(self.username, safe='')}:{quote(self.password or '', safe='')}@" if self.username else ""
        return f"{self.scheme}://{login}{host_and_port(self.host, self.port)}"

    @property
    def label(self) -> str:
        return host_and_port(self.name or self.host, self.port)

    @property
    def called(self) -> str:
        """As the admin knows it, and where it is."""
        return f"{self.alias} ({self.label})" if self.alias else self.label


def host_and_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _trusting(ca_bundle: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca_bundle) if ca_bundle else None)


@lru_cache(maxsize=8)
def _shared(ca_bundle: Path | None, changed: int, line: type[ssl.SSLSocket]) -> ssl.SSLContext:
    tls = _trusting(ca_bundle)
    tls.sslsocket_class = line
    return tls


@dataclass(frozen=True, slots=True)
class Exit:
    """One way to the network. `proxy` None = directly; `ca_bundle` None = the system's certificates.

    `answer_s`: how long one answer may take in all, from connecting to its last byte; uploads get more by their size.
    `pace`: by how much the rests are multiplied that a client takes out of politeness. `allowed_networks`: the private
    networks (CIDR) an address a person typed may lie in.
    """

    proxy: ProxyAddress | None = None
    ca_bundle: Path | None = None
    answer_s: float = ANSWER_S
    pace: float = 1.0
    allowed_networks: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What is kept of an attempt: the proxy's address without its login, or `direct`."""
        return self.proxy.label if self.proxy else DIRECT

    @property
    def called(self) -> str:
        """For people, in messages and logs."""
        return self.proxy.called if self.proxy else DIRECT

    def tls(self) -> ssl.SSLContext:
        """The caller's own, who may change it."""
        return _trusting(self.ca_bundle)

    def http_tls(self, line: type[ssl.SSLSocket] = ssl.SSLSocket) -> ssl.SSLContext:
        """One for all HTTP/1.1 clients of a process whose sockets are of this class: reading the certificates costs as
        much as a handshake. It is another once their file has changed."""
        bundle = self.ca_bundle or ssl.get_default_verify_paths().cafile
        changed = 0
        with suppress(OSError):
            changed = Path(bundle).stat().st_mtime_ns if bundle else 0
        return _shared(self.ca_bundle, changed, line)  # type: ignore[arg-type]  # mypy asks the class's instances

    def http(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        read_timeout_s: float = READ_TIMEOUT_S,
        deadline: Deadline | None = None,
        most_bytes: int = MOST_ANSWER_BYTES,
        follows: bool = False,
    ) -> httpx.Client:
        """A client that goes this way and no other; the environment is not read.

        `follows`: redirects too, each hop and the first only to an address that may be reached (ForbiddenAddress).
        `deadline` over each exchange in all (`answer_s` unless given; a request's extension `total_s` overrules it),
        `most_bytes` over each answer's unpacked body. Not for use by several threads at once.
        """
        return httpx.Client(
            transport=BoundedTransport(
                proxy=self.proxy.url if self.proxy else None,
                tls=self.http_tls(),
                deadline=deadline or Deadline(self.answer_s),
                most_bytes=most_bytes,
                guard=self._hop if follows else None,
            ),
            trust_env=False,
            follow_redirects=follows,
            max_redirects=_MOST_REDIRECTS,
            headers={"Accept-Encoding": PACKINGS, **(headers or {})},
            timeout=httpx.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S),
        )

    def _hop(self, host: str, port: int) -> str:
        return hop(host, port, self.allowed_networks, by_proxy=self.proxy is not None)


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

    Every hop is checked, wherever redirects lead. Raises `SourceGone` (403, 404, 410: signed URLs expire, so resolve a
    fresh one), `MediaRejected` (larger than `max_bytes`), and the network classes, also for a file that keeps coming
    more slowly than SLOWEST_BYTES_PER_S for longer than PATIENCE_S. A part file is never left behind.
    """
    part = into.with_name(into.name + ".part")
    deadline = Deadline(min(PATIENCE_S, exit_.answer_s))
    asked = {"Accept-Encoding": "identity", **(headers or {})}
    try:
        with (
            exit_.http(headers=asked, deadline=deadline, most_bytes=max_bytes + _SPARE_BYTES, follows=True) as client,
            part.open("w+b") as out,
        ):
            for tries_left in reversed(range(_DOWNLOAD_TRIES)):
                try:
                    _receive(client, url, out, max_bytes, progress, deadline)
                    break
                except httpx.RequestError as e:
                    if not tries_left or deadline.is_over or not isinstance(e, httpx.TransportError):
                        raise network_failure(e, exit_) from e
            size = out.tell()
            out.seek(0)
            digest = hashlib.file_digest(out, "sha256").hexdigest()
        if not size:
            raise PlatformTransient("The source sent an empty file.")
        part.replace(into)
    except httpx.InvalidURL as e:
        raise PlatformTransient("The source named an address that is none.") from e
    except OSError as e:
        raise LocalFailed(f"The fetched file could not be written: {e.strerror}.") from e
    finally:
        part.unlink(missing_ok=True)
    return Download(into, size, digest)


def _receive(
    client: httpx.Client,
    url: str,
    out: BinaryIO,
    max_bytes: int,
    progress: Callable[[int, int | None], None],
    deadline: Deadline,
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
        total = done + int(length) if length and length.isdecimal() else None
        if (total or 0) > max_bytes:
            raise MediaRejected(f"The source file is larger than {max_bytes // 1_000_000} MB.")
        for chunk in answer.iter_raw():
            done += len(chunk)
            if done > max_bytes:
                raise MediaRejected(f"The source file is larger than {max_bytes // 1_000_000} MB.")
            out.write(chunk)
            deadline.extend(len(chunk) / SLOWEST_BYTES_PER_S)
            progress(done, total)
    if total is not None and done < total:
        raise httpx.ReadError("the connection ended early")


def check_download_status(answer: httpx.Response) -> None:
    """Raise the class of a refused download; return on 200 and 206."""
    status = answer.status_code
    if status in (200, 206):
        kind = answer.headers.get("content-type", "").lower()
        if kind.startswith(_NO_FILES):
            raise PlatformTransient("The source answered with a web page or a message instead of the file.", raw=kind)
        return
    if status in (403, 404, 410):
        raise SourceGone(f"The source file is not there any more (HTTP {status}).")
    if status == 407:
        raise ProxyFailed("The proxy refused the login (HTTP 407).")
    if status == 429:
        raise RateLimited(
            "The source's file server asks to slow down (HTTP 429).", retry_after_s=told_wait_s(answer.headers)
        )
    raise PlatformTransient(f"The source's file server answered HTTP {status}.")


def network_failure(error: Exception, exit_: Exit) -> StepFailed:
    """Which of the two failed: the network, or our own proxy; or the platform, where its answer cannot be read.

    httpx says ProxyError for a refused login, but a proxy that is not there is a plain ConnectError; behind a proxy
    every failed connect is the proxy's, because a target the proxy cannot reach comes back as its 5xx answer.
    """
    kind = type(error).__name__
    if isinstance(error, ForbiddenAddress):
        return PlatformTransient(f"The far end led to an address that is not called: {error}.", action=HOW_TO_ALLOW)
    if isinstance(error, httpx.RequestError) and not isinstance(error, httpx.TransportError):
        return PlatformTransient(f"The answer could not be read ({kind}).", raw=str(error))
    if exit_.proxy and isinstance(error, (httpx.ProxyError, httpx.ConnectError, httpx.ConnectTimeout)):
        return ProxyFailed(f"Proxy {exit_.called} could not be used ({kind}).", raw=str(error))
    return NetworkFailed(f"The connection failed ({kind}).", raw=str(error))
