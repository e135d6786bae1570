"""The client of a bucket: built of an account's credentials and its exit, and the few calls the archive makes.

What lives here: addresses, the client's options, reading and writing objects. What does not: when to do what
(bucket_destination.py), what a failure means (bucket_errors.py). The fact to know: left to itself the client reads
proxy, endpoint and key from the environment, and tries again; here everything is said to it, and it tries once.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import S3Store

from forwarder_core.addresses import check_address
from forwarder_core.connectors.base import CredentialBox, MediaFile, Secrets, SendHooks
from forwarder_core.egress import CONNECT_TIMEOUT_S, READ_TIMEOUT_S, Exit, host_and_port
from forwarder_core.errors import AuthInvalid, ForwarderError, Invalid, LocalFailed, PlatformTransient, StepFailed
from forwarder_core.platforms.archive.bucket_errors import translated
from forwarder_core.platforms.archive.bucket_form import DEFAULT_REGION

PART_BYTES = 8 * 1024 * 1024  # a file no larger goes in one conditional request; larger ones in parts of at least this
_MOST_PARTS = 9_000  # of 10,000 a store takes
_AT_ONCE = 2  # parts under way together: two of them are what a lost line has to send again
_NEVER_WRITTEN = ".never-written-by-the-forwarder"
_NOWHERE = "http://127.0.0.1:9"  # a proxy nobody is excluded from but the one host there is: so none is used


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An object that is there, with what we noted on it when it was written; empty where we did not."""

    size_bytes: int
    sha256: str
    marker: str
    duration_ms: int | None


class Bucket:
    def __init__(self, box: CredentialBox, exit_: Exit) -> None:
        self._secrets, self._exit = box.read(), exit_
        self._store = _store(self._secrets, exit_)

    def check(self) -> None:
        """Read-only: is the bucket there, and may this key look into it? The client takes any page for a listing of
        nothing, and for any object too; but only a page is there under a name that was never written."""
        with translated(self._exit):
            next(iter(obstore.list(self._store, chunk_size=1)), None)
        if self._look_at(_NEVER_WRITTEN) is not None:
            raise PlatformTransient("What answers under the storage's address is no storage.")

    def url(self, name: str) -> str:
        return "/".join(
            part for part in ("s3:/", self._secrets["bucket"], self._secrets.get("prefix", ""), name) if part
        )

    def find(self, name: str) -> Stored | None:
        found = self._look_at(name)
        if found is not None and not found.sha256:
            self.check()
        return found

    def _look_at(self, name: str) -> Stored | None:
        with translated(self._exit):
            try:
                got = obstore.get(self._store, name, options={"head": True})
            except FileNotFoundError:
                return None
            noted, size = got.attributes, got.meta["size"]
        duration = str(noted.get("duration-ms", ""))
        return Stored(
            size_bytes=size,
            sha256=str(noted.get("sha256", "")),
            marker=str(noted.get("marker", "")),
            duration_ms=int(duration) if duration.isdecimal() else None,
        )

    def names(self, folder: str) -> Iterator[str]:
        with translated(self._exit):
            for chunk in obstore.list(self._store, folder):
                yield from (meta["path"] for meta in chunk)

    def write_card(self, name: str, facts: Mapping[str, Any]) -> None:
        text = json.dumps(facts, ensure_ascii=False, indent=2).encode("utf-8", "replace")
        with translated(self._exit):
            obstore.put(self._store, name, text + b"\n", attributes={"Content-Type": "application/json"})

    def write(self, name: str, media: MediaFile, marker: str, hooks: SendHooks) -> bool:
        """Send the whole file; `hooks.committing` is asked before the request that makes it one. False: something has
        this name already. Nothing is seen of a file before it is whole. Raises LocalFailed when the file is not what
        it should be."""
        noted: Any = {"sha256": media.sha256, "marker": marker, "duration-ms": str(media.duration_ms)}
        noted["Content-Type"] = "video/mp4"
        ended: list[ForwarderError] = []
        try:
            with translated(self._exit):
                if media.size_bytes <= PART_BYTES:
                    whole = b"".join(_read(media, PART_BYTES, hooks))
                    obstore.put(self._store, name, whole, mode="create", attributes=noted)
                else:
                    size = max(PART_BYTES, media.size_bytes // _MOST_PARTS + 1)
                    self._write_in_parts(name, _noting(_read(media, size, hooks), ended), size, noted)
                return True
        except AlreadyExistsError:
            return False
        except StepFailed:
            if ended:  # else the store's trouble with dropping the parts would hide why they are dropped
                raise ended[0] from None
            raise

    def _write_in_parts(self, name: str, parts: Iterator[bytes], size: int, noted: Any) -> None:
        obstore.put(
            self._store,
            name,
            parts,
            use_multipart=True,
            chunk_size=size,
            max_concurrency=_AT_ONCE,
            attributes=noted,
        )


def _noting(parts: Iterator[bytes], ended: list[ForwarderError]) -> Iterator[bytes]:
    """The same parts; what they end with is kept in `ended` as well."""
    try:
        yield from parts
    except ForwarderError as e:
        ended.append(e)
        raise


def _read(media: MediaFile, size: int, hooks: SendHooks) -> Iterator[bytes]:
    """The file piece by piece; whoever asks for more than the last piece has asked `committing`."""
    digest, done = hashlib.sha256(), 0
    with media.path.open("rb") as file:
        while chunk := file.read(size):
            digest.update(chunk)
            done += len(chunk)
            yield chunk
            hooks.sent(done)
    if (done, digest.hexdigest()) != (media.size_bytes, media.sha256):
        raise LocalFailed("The file to be archived is not the one that was made for it.")
    hooks.committing()


def _store(secrets: Secrets, exit_: Exit) -> S3Store:
    """Raises AuthInvalid where this bucket may not be reached this way: only a person can mend it."""
    if not all(secrets.get(name) for name in ("endpoint", "bucket", "access_key_id", "secret_access_key")):
        raise AuthInvalid("The account has no bucket.", action="Enter it under Accounts → the account → Update token.")
    endpoint, host = _checked(secrets["endpoint"], exit_)
    key: Any = {"access_key_id": secrets["access_key_id"], "secret_access_key": secrets["secret_access_key"]}
    key |= {"token": None, "expires_at": None}
    return S3Store(
        secrets["bucket"],
        prefix=secrets.get("prefix") or None,
        config={
            "endpoint": endpoint,
            "aws_endpoint_url_s3": endpoint,
            "region": secrets.get("region") or DEFAULT_REGION,
            "skip_signature": False,
            "virtual_hosted_style_request": False,
        },
        client_options=_client_options(exit_, host),
        retry_config={"max_retries": 0},
        credential_provider=lambda: key,
    )


def _client_options(exit_: Exit, host: str) -> Any:
    options: dict[str, Any] = {
        "allow_http": True,  # of an address that was checked for it
        "allow_invalid_certificates": False,
        "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT_S),
        "read_timeout": timedelta(seconds=READ_TIMEOUT_S),
        "timeout": timedelta(seconds=exit_.answer_s),
    }
    options |= {"proxy_url": exit_.proxy.url} if exit_.proxy else {"proxy_url": _NOWHERE, "proxy_excludes": host}
    if exit_.ca_bundle:
        options["root_certificate"] = exit_.ca_bundle.read_bytes()
    return options


def _checked(endpoint: str, exit_: Exit) -> tuple[str, str]:
    """The address to connect to and its host. By https the name stays, and its certificate proves who answers, whatever
    the name leads to by then; by http the very address that was checked is used."""
    if exit_.proxy and exit_.proxy.scheme != "http":
        raise AuthInvalid(
            "Storage cannot be reached through a SOCKS proxy.",
            action="Give this account an HTTP proxy, or none, under Proxies.",
        )
    parts = urlsplit(endpoint)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        address = check_address(
            host, port, exit_.allowed_networks, field="endpoint", is_left_to_proxy=exit_.proxy is not None
        )
    except Invalid as e:
        raise AuthInvalid(f"The endpoint of the storage is not used: {e.message}", action=e.action) from e
    if parts.scheme == "https":
        return endpoint, host
    if not _is_private(address):
        raise AuthInvalid(
            "Storage outside the own network is only used by https.", action="Write https:// in the endpoint."
        )
    return f"http://{host_and_port(address, port)}", address


def _is_private(address: str) -> bool:
    try:
        return not ipaddress.ip_address(address).is_global
    except ValueError:  # a name only the proxy knows
        return False
