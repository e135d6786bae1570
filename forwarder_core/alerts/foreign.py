"""Calling an address a person typed: checked each time, connected to where the check said, never redirected.

The fact to know: a proxy resolves names itself, so behind one the name is checked here as far as this machine can tell
and resolved again there; without one the very address that passed is what is connected to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import httpx

from forwarder_core.addresses import check_address
from forwarder_core.egress import Exit, host_and_port
from forwarder_core.errors import FieldError, Invalid

_TIMEOUT_S = 10.0
_MOST_CHARS = 2_000
_FORM = "must be http://host/… or https://host/…, without a login"


def checked(exit_: Exit, url: str, allowed: Sequence[str], *, field: str = "url") -> tuple[httpx.URL, str]:
    """The address as read, and what to connect to for it. Raises Invalid naming `field`."""
    problem = FieldError(field, _FORM)
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as e:
        raise Invalid("That is not an address.", problem) from e
    is_plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    is_whole = parsed.scheme in ("http", "https") and bool(parsed.host) and not parsed.userinfo and parsed.port != 0
    if not is_plain or not is_whole or len(url) > _MOST_CHARS:
        raise Invalid("That is not an address that can be called.", problem)
    to = check_address(parsed.host, _port(parsed), allowed, field=field, is_left_to_proxy=exit_.proxy is not None)
    return parsed, to


def call(
    exit_: Exit,
    method: str,
    url: str,
    allowed: Sequence[str],
    *,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> int:
    """The status of the answer; its body is not read. Raises Invalid, and httpx's errors."""
    parsed, to = checked(exit_, url, allowed)
    said, extensions = dict(headers or {}), {}
    if exit_.proxy is None:
        said["Host"] = parsed.netloc.decode()
        extensions["sni_hostname"] = parsed.host
        parsed = parsed.copy_with(host=to)
    with (
        exit_.http(read_timeout_s=_TIMEOUT_S) as client,
        client.stream(
            method, parsed, content=content, headers=said, extensions=extensions, follow_redirects=False
        ) as answer,
    ):
        return answer.status_code


def shown(url: str) -> str:
    """Host and port alone: the rest of an address may be a secret."""
    parsed = httpx.URL(url)
    return host_and_port(parsed.host, _port(parsed))


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
