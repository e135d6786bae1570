"""Bodies of requests as ASGI has them: read whole, given on, and refused where they hold what no database can keep.

The fact to know: NUL and halves of characters are legal in JSON and in addresses, and illegal in PostgreSQL; they are
refused here once, by name, so that no route has to think of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin_app import auth, problems
from forwarder_core.errors import FieldError, ForwarderError, Invalid
from forwarder_core.services.refusals import TooLarge

_BRINGS_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|\x00")
_DEEPEST = 100
_MOST_BYTES = 6_000_000


class RefuseUnstorable:
    """ASGI middleware of the API."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            _check_address(scope)
            if scope["method"] in _BRINGS_BODY and not is_form(scope):
                body = await whole(receive)
                _check_json(body)
                receive = given_again(body, receive)
        except ForwarderError as e:
            await refuse(e, scope, receive, send)
            return
        except ClientDisconnect:
            return
        await self._app(scope, receive, send)


async def whole(receive: Receive) -> bytes:
    """The body. Raises TooLarge for one that only a form may bring, which is read piece by piece."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > _MOST_BYTES:
            words = f"The request is larger than {_MOST_BYTES / 1e6:.0f} MB."
            raise TooLarge(words, action="Send large files as a form, and without an Idempotency-Key.")
        if not message.get("more_body", False):
            return bytes(body)


def given_again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body that was read already, then goes on as before."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving


async def refuse(error: ForwarderError, scope: Scope, receive: Receive, send: Send) -> None:
    answer = problems.of_error(error, path=scope["path"], request_id=auth.request_id_of(scope))
    await answer(scope, receive, send)


def header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def is_form(scope: Scope) -> bool:
    return header(scope, b"content-type").lower().startswith("multipart/form-data")


def _check_address(scope: Scope) -> None:
    if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
        raise Invalid("The address holds the character NUL.", FieldError("path", "must not contain the character NUL"))


def _check_json(body: bytes) -> None:
    if not _SUSPECT.search(body):
        return
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return  # not JSON: the route says so in its own words
    if bad := list(_unstorable(found, "", 0)):
        raise Invalid("The request holds characters that cannot be stored.", *bad[:20])


def _unstorable(value: Any, at: str, depth: int) -> Iterator[FieldError]:
    if depth > _DEEPEST:
        yield FieldError(at[:200], "lies too deep")
    elif isinstance(value, str):
        if "\x00" in value:
            yield FieldError(at, "must not contain the character NUL")
        elif any("\ud800" <= character <= "\udfff" for character in value):
            yield FieldError(at, "must not contain half a character")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _unstorable(name, "a name of a field", depth + 1)
            if "\x00" not in name and name.isprintable():
                yield from _unstorable(inner, f"{at}.{name}".removeprefix("."), depth + 1)
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _unstorable(inner, f"{at}.{n}".removeprefix("."), depth + 1)
