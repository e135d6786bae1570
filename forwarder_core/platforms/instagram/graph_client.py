"""The calls we make of Meta's Graph API: with one token, through one exit, every answer checked.

What lives here: hosts and versions as data, one HTTP exchange, the limits on its time and size. What does not: which
token (`graph_session`), what a refusal is (`graph_errors`), in which order things are called.
The fact to know: the token travels in the header Authorization and nowhere else, and no redirect is followed, because
either would hand it to whoever logs addresses or stands behind another one. The two calls that Meta documents with a
token in the query are in `graph_tokens`, which says why.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from forwarder_core.egress import SLOWEST_BYTES_PER_S, Exit, network_failure
from forwarder_core.errors import ContractChanged, PlatformTransient
from forwarder_core.platforms.instagram.graph_errors import refusal

Json = Mapping[str, Any]

_UPLOAD_ANSWER_S = 180.0  # Meta answers an upload only when it has stored the file
_PAGE_CHARS = 100


class Variant(StrEnum):
    """How the account was connected, and so which host takes its token."""

    INSTAGRAM = "instagram_login"
    FACEBOOK = "facebook_login"


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One of Meta's two doors to the same API. A version lives about two years (checked 2026-11-20: v25.0, v26.0)."""

    host: str
    version: str

    def url(self, path: str) -> str:
        return f"https://{self.host}/{self.version}/{path}"


APIS: Mapping[Variant, Api] = {
    Variant.INSTAGRAM: Api(host="graph.instagram.com", version="v25.0"),
    Variant.FACEBOOK: Api(host="graph.facebook.com", version="v25.0"),
}
UPLOAD_HOST = "rupload.facebook.com"
UPLOAD_URI = (
    f"https://{UPLOAD_HOST}/ig-api-upload/{APIS[Variant.FACEBOOK].version}/{{}}"  # where a container names none
)


class GraphClient:
    """One token at one door. Close it when done; not for use by several threads."""

    def __init__(self, exit_: Exit, variant: Variant, token: str) -> None:
        self.variant = variant
        self.token = token
        self._exit = exit_
        self._http = exit_.http()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **query: str) -> Json:
        return self.ask(APIS[self.variant].url(path), query)

    def ask(self, url: str, query: Mapping[str, str]) -> Json:
        """A repeatable question at a full address."""
        return self._exchange(self._http.build_request("GET", url, params=dict(query), headers=self._bearer()))

    def post(self, path: str, **fields: str) -> Json:
        """Something that changes the account. Sent once; fields travel as a form."""
        url = APIS[self.variant].url(path)
        return self._exchange(self._http.build_request("POST", url, data=fields, headers=self._bearer()))

    def upload(self, uri: str, body: Iterator[bytes], *, offset: int, total: int) -> Json:
        """The file from byte `offset` on, to the address a container named."""
        headers = {
            **self._oauth(),
            "offset": str(offset),
            "file_size": str(total),
            "Content-Length": str(total - offset),
            "Content-Type": "application/octet-stream",
        }
        limit = httpx.Timeout(_UPLOAD_ANSWER_S, connect=self._http.timeout.connect)
        total_s = 1.5 * self._exit.answer_s + (total - offset) / SLOWEST_BYTES_PER_S
        return self._exchange(
            self._http.build_request(
                "POST", uri, content=body, headers=headers, timeout=limit, extensions={"total_s": total_s}
            )
        )

    def upload_offset(self, uri: str) -> Json:
        return self._exchange(self._http.build_request("GET", uri, headers=self._oauth()))

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _oauth(self) -> dict[str, str]:
        return {"Authorization": f"OAuth {self.token}"}

    def _exchange(self, request: httpx.Request) -> Json:
        try:
            answer = self._http.send(request, follow_redirects=False)
        except httpx.RequestError as e:
            raise network_failure(e, self._exit) from e
        if answer.status_code != 200:
            raise refusal(answer.status_code, answer.headers, answer.content)
        return parsed(answer.content, answer.headers)


def upload_uri(uri: str) -> str:
    """We send our token there, so it must be Meta's upload host."""
    parts = urlsplit(uri)
    if parts.scheme != "https" or parts.netloc != UPLOAD_HOST:
        raise ContractChanged("Meta named an upload address that is not its own.", raw=parts.hostname or parts.scheme)
    return uri


def parsed(body: bytes, headers: Mapping[str, str]) -> Json:
    """The object in a successful answer. A web page or nothing at all comes from something in between."""
    if not body.strip():
        raise PlatformTransient("Meta sent an empty answer.")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as e:
        kind = headers.get("content-type", "")
        if kind.startswith("text/html") or body.lstrip()[:1] == b"<":
            raise PlatformTransient("Meta answered with a web page.") from e
        raise ContractChanged("Meta's answer is not JSON.", raw=kind[:_PAGE_CHARS]) from e
    if not isinstance(value, dict):
        raise ContractChanged("Meta's answer has another form than known here.", raw=type(value).__name__)
    if "error" in value:  # seen with status 200 on batched and cached answers
        raise refusal(200, headers, body)
    return value


def text(answer: Json, name: str) -> str:
    """A field that must be there. Ids are text on the wire; a number would have lost digits elsewhere already."""
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise ContractChanged(f"Meta's answer came without “{name}”.", raw=", ".join(sorted(answer))[:_PAGE_CHARS])
    return value


def objects(answer: Json, name: str) -> list[Json]:
    """A list of objects that must be there; an answer without its list is not an empty list."""
    value = answer.get(name)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ContractChanged(f"Meta's answer came without its list “{name}”.", raw=", ".join(answer)[:_PAGE_CHARS])
    return value
