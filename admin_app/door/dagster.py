"""The way through to Dagster's own UI: its pages and its GraphQL, over HTTP and WebSocket, under /dagster.

Dagster's web server has no sign-in and checks neither Host nor Origin, so it listens on loopback and is reached only
from here, behind the guard. The fact to know: Dagster runs a mutation that comes as a plain GET, or as text/plain with
the query in its address; both are refused here, because any web page can send those without asking.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import unquote, urlsplit

import httpx
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

PREFIX = "/dagster"
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding"}
    | {"upgrade", "host", "content-length"}
)
_OURS_ALONE = frozenset({"cookie", "authorization", "x-csrf-token", "forwarded", "x-forwarded-for", "x-user"})
_FROM_THERE = _HOP_BY_HOP - {"content-length"} | {"set-cookie", "server", "date"}
_CLOSED_ROOMS = ("/notebook", "/report_asset_", "/download_debug")
_MOST_FRAME_BYTES = 32_000_000
log = logging.getLogger(__name__)


class DagsterProxy:
    """ASGI app. `upstream`: address of the web server, its path prefix included; None = there is none."""

    def __init__(self, upstream: str | None) -> None:
        self._upstream = upstream.rstrip("/").removesuffix(PREFIX) if upstream else None
        # No proxy of the environment: this is a call on our own machine. No cookie is kept: one visitor's would
        # travel with the next one's call.
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        timeout = httpx.Timeout(60, connect=5)
        self._client = httpx.AsyncClient(trust_env=False, timeout=timeout, cookies=no_cookies)

    async def close(self) -> None:
        await self._client.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(WebSocket(scope, receive, send))
            return
        request = Request(scope, receive)
        refused = refusal(request)
        await (refused or await self._answer(request))(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if self._upstream is None:
            return _away("Dagster's own UI is not part of this start.")
        raw_path = request.scope.get("raw_path") or request.url.path.encode()
        query = request.scope["query_string"]
        asked = self._client.build_request(
            request.method,
            httpx.URL(self._upstream).copy_with(raw_path=raw_path + (b"?" + query if query else b"")),
            headers=_forwarded(request.headers.items()),
            content=await request.body() if request.method == "POST" else None,
        )
        try:
            answer = await self._client.send(asked, stream=True)
        except httpx.HTTPError as e:
            log.warning("Dagster's web server does not answer: %s", type(e).__name__)
            return _away("Dagster's own UI is not ready yet. Reload in a few seconds.")
        response = StreamingResponse(
            _stream(answer), answer.status_code, background=BackgroundTask(answer.aclose), media_type=None
        )
        response.raw_headers = [
            (name.lower(), self._relative(value) if name.lower() == b"location" else value)
            for name, value in answer.headers.raw
            if name.lower().decode() not in _FROM_THERE
        ]
        return response

    def _relative(self, location: bytes) -> bytes:
        """A redirect to the upstream's own address leads nowhere for a browser."""
        return location.removeprefix((self._upstream or "").encode()) or b"/"

    async def _websocket(self, browser: WebSocket) -> None:
        path = browser.url.path
        if self._upstream is None or path != f"{PREFIX}/graphql":
            await browser.close(1008)
            return
        target = urlsplit(self._upstream)
        try:
            async with connect(
                f"ws://{target.netloc}{path}",
                subprotocols=[Subprotocol(name) for name in browser.scope.get("subprotocols", [])],
                max_size=_MOST_FRAME_BYTES,
                proxy=None,
            ) as dagster:
                await browser.accept(dagster.subprotocol)
                await _carry(browser, dagster)
        except (OSError, WebSocketException) as e:
            log.warning("Dagster's WebSocket ended: %s", type(e).__name__)
        with suppress(RuntimeError, WebSocketDisconnect):  # closed already, by us or by the browser
            await browser.close()


def refusal(request: Request) -> Response | None:
    """What must not reach Dagster although the asker is signed in."""
    path = unquote(request.url.path)
    inside = path.removeprefix(PREFIX)
    if ".." in path.split("/") or "\\" in path or "\x00" in path or inside.startswith(_CLOSED_ROOMS):
        return PlainTextResponse("There is nothing here.\n", 404)
    if request.method not in ("GET", "HEAD", "POST", "OPTIONS"):
        return PlainTextResponse("This method is not used here.\n", 405)
    if request.method == "POST" and inside != "/graphql":
        return PlainTextResponse("Only GraphQL takes changes here.\n", 403)
    if inside.rstrip("/") == "/graphql":
        if "query" in request.query_params:
            return PlainTextResponse("A query in the address is refused: any page could send it.\n", 403)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.method == "POST" and kind != "application/json":
            return PlainTextResponse("GraphQL takes application/json only.\n", 403)
    return None


def _forwarded(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    kept = [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP | _OURS_ALONE | {"origin"}]
    return [*kept, ("x-forwarded-prefix", PREFIX)]


async def _stream(answer: httpx.Response) -> AsyncIterator[bytes]:
    """As it comes, still compressed where it was."""
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    except httpx.HTTPError as e:
        log.warning("An answer of Dagster's web server broke off: %s", type(e).__name__)


async def _carry(browser: WebSocket, dagster: ClientConnection) -> None:
    """Both directions, until one side ends."""
    tasks = {asyncio.ensure_future(_up(browser, dagster)), asyncio.ensure_future(_down(browser, dagster))}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _up(browser: WebSocket, dagster: ClientConnection) -> None:
    with suppress(WebSocketDisconnect, ConnectionClosed):
        while True:
            message = await browser.receive()
            if message["type"] == "websocket.disconnect":
                return
            await dagster.send(message["text"] if message.get("text") is not None else message["bytes"])


async def _down(browser: WebSocket, dagster: ClientConnection) -> None:
    with suppress(ConnectionClosed, RuntimeError):
        async for message in dagster:
            await (browser.send_text(message) if isinstance(message, str) else browser.send_bytes(message))


def _away(words: str) -> Response:
    return PlainTextResponse(f"{words}\n", 503, {"Retry-After": "3"})
