"""ETag and If-Match: a change is made to what its sender saw, or not at all. One middleware for every noun.

A GET of one thing carries an ETag; a PUT of the same path with `If-Match` is refused with 412 when the thing has
changed since. The fact to know: where a path can be PUT, the tag is of what a PUT may change, because a thing also
shows numbers that move by themselves, and those must not make every change fail.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin_app.api.bodies import header, refuse
from forwarder_core.services.refusals import PreconditionFailed

_JSON = "application/json"


class Tags:
    """ASGI middleware of the API. `openapi`: its description, asked when the first request comes."""

    def __init__(self, app: ASGIApp, openapi: Callable[[], dict[str, Any]]) -> None:
        self._app = app
        self._openapi = openapi
        self._changing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope.get("method") if scope["type"] == "http" else None
        if method == "GET":
            await self._app(scope, receive, _Tagging(self, scope, send).sending)
        elif method == "PUT":
            await self._change(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _change(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One change of a thing at a time, so that nothing comes between the look and the change."""
        lock = self._changing.setdefault(scope["path"], asyncio.Lock())
        async with lock:
            wanted = header(scope, b"if-match")
            present = await self._present(scope) if wanted and wanted.strip() != "*" else None
            if present is not None and present not in {tag.strip() for tag in wanted.split(",")}:
                error = PreconditionFailed("It has changed since you saw it.")
                await refuse(error, scope, receive, send)
                return
            await self._app(scope, receive, send)

    async def _present(self, scope: Scope) -> str | None:
        """The tag a GET would carry at this moment; None where it shows nothing."""
        headers = [(k, v) for k, v in scope["headers"] if k not in (b"content-length", b"content-type")]
        asking = {**scope, "method": "GET", "query_string": b"", "headers": headers}
        found: list[str] = []

        async def nothing() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def look(message: Message) -> None:
            if message["type"] == "http.response.start":
                found.extend(value.decode() for name, value in message["headers"] if name.lower() == b"etag")

        await self._app(asking, nothing, _Tagging(self, asking, look).sending)
        return found[0] if found else None

    def tag(self, template: str, body: bytes) -> str | None:
        """For the answer to a GET of this path; None for lists."""
        operations = self._openapi()["paths"].get(template, {})
        if "put" not in operations and not template.endswith("}"):
            return None
        content = json.loads(body)
        names = self._changeable(operations.get("put"))
        if names and isinstance(content, dict):
            content = {name: value for name, value in content.items() if name in names}
        text = json.dumps(content, sort_keys=True, ensure_ascii=False)
        return f'"{hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]}"'

    def _changeable(self, put: dict[str, Any] | None) -> frozenset[str]:
        """The fields a PUT takes; empty where there is none or it takes whatever there is."""
        if put is None:
            return frozenset()
        schema = put.get("requestBody", {}).get("content", {}).get(_JSON, {}).get("schema", {})
        name = schema.get("$ref", "").rpartition("/")[2]
        described = self._openapi()["components"]["schemas"].get(name, schema)
        return frozenset(described.get("properties", ()))


class _Tagging:
    """Holds back the start of a JSON answer until its body is whole, and puts the tag into it."""

    def __init__(self, tags: Tags, scope: Scope, send: Send) -> None:
        self._tags = tags
        self._scope = scope
        self._send = send
        self._start: Message | None = None
        self._parts: list[bytes] = []

    async def sending(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self._is_one_thing(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        elif message["type"] == "http.response.body":
            self._parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                await self._release(self._start)

    def _is_one_thing(self, start: Message) -> bool:
        headers = MutableHeaders(scope=start)
        is_json = headers.get("content-type", "").startswith(_JSON)
        return start["status"] == 200 and is_json and "etag" not in headers and "route" in self._scope

    async def _release(self, start: Message) -> None:
        body = b"".join(self._parts)
        tag = self._tags.tag(self._scope["route"].path, body)
        if tag is not None:
            MutableHeaders(scope=start)["ETag"] = tag
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})
