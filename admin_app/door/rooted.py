"""Tells Streamlit's page where its server is: at the root of this address, whatever screen the page was opened at.

The fact to know: opened at /jobs, the page would first ask /jobs/_stcore/health, fail, and only then ask the root; that
costs a round trip, and every deep link would leave errors in the browser's console.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEAD = b"<head>"
_ROOT = b"<head><script>window.__streamlit={BACKEND_BASE_URL:location.origin}</script>"
_ENCODING = b"accept-encoding"


class Rooted:
    """ASGI middleware over Streamlit's app; only its HTML page is changed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not _wants_page(scope):
            await self._app(scope, receive, send)
            return
        plain = [(name, value) for name, value in scope["headers"] if name != _ENCODING]
        await self._app({**scope, "headers": plain}, receive, _Page(send))


class _Page:
    """Holds an HTML answer back until all of it is there; lets any other through as it comes."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kind = Headers(raw=message["headers"]).get("content-type", "")
            if message["status"] == 200 and kind.startswith("text/html"):
                self._start = message
                return
        if self._start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body"):
            await self._give(self._start)

    async def _give(self, start: Message) -> None:
        body = self._body.replace(_HEAD, _ROOT, 1)
        MutableHeaders(scope=start)["content-length"] = str(len(body))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def _wants_page(scope: Scope) -> bool:
    return "text/html" in Headers(scope=scope).get("accept", "")
