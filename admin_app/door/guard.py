"""The guard: one rule for everything behind the door, HTTP and WebSocket alike. Nothing passes without a session.

In this order: is the Host ours, does the asking page belong to us, is there a session, does a browser's change carry
the CSRF token. The fact to know: a WebSocket outlives the sign-out that should end it, so each one is watched and
closed when its session is gone.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin_app import auth, problems
from admin_app.auth import Caller
from admin_app.door.headers import with_security_headers
from admin_app.door.origins import Origins
from forwarder_core.errors import Forbidden, ForwarderError, NotSignedIn, RequestError, Unavailable
from forwarder_core.services import signing_in
from forwarder_core.services.context import Core

OPEN = frozenset({("GET", "/login"), ("POST", "/login"), ("POST", "/api/login"), ("GET", "/api/health/simple")})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NOT_A_PAGE = ("/api", "/_stcore", "/static/", "/media/", "/component/")
_FORMS = frozenset({"/login", "/logout"})
_MOST_BYTES = 1_000_000
_WATCH_S = 3.0
log = logging.getLogger(__name__)


class ForeignHost(RequestError):
    code = "foreign_host"
    action = "Use the address the app was started with, or set FORWARDER_PUBLIC_URL to the one people use."


class TooLarge(RequestError):
    code = "too_large"
    status = 413
    action = "Send less at once."


class LengthRequired(RequestError):
    code = "length_required"
    status = 411
    action = "Send a Content-Length."


class Guard:
    """ASGI middleware. `app` is asked only in the name of a proven session, but for the few OPEN paths."""

    def __init__(self, app: ASGIApp, core: Core, origins: Origins) -> None:
        self._app = app
        self._core = core
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        request_id = secrets.token_hex(8)
        auth.remember_request_id(scope, request_id)
        secure = auth.is_secure(connection)
        send = with_security_headers(send, path=scope["path"], request_id=request_id, secure=secure)
        try:
            caller = await self._admit(connection)
        except ForwarderError as e:
            await self._refuse(e, connection, receive, send)
            return
        if caller is not None:
            auth.remember_caller(scope, caller)
        if scope["type"] == "websocket" and caller is not None:
            await self._watched(caller, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _admit(self, connection: HTTPConnection) -> Caller | None:
        """The caller, None on an open path. Raises a RequestError for whoever may not pass."""
        scope = connection.scope
        path, method = scope["path"], scope.get("method", "GET")
        is_api = _is_under(path, "/api")
        self._check_place(connection, is_change=method not in _SAFE)
        if is_api or path in _FORMS:
            _check_size(connection)
        token, by_cookie = auth.offered_token(connection, allow_bearer=is_api)
        is_open = scope["type"] == "http" and ("GET" if method == "HEAD" else method, path) in OPEN
        if is_open and not (path == "/login" and token):
            return None
        session = await self._session(token, is_use=not path.endswith("/graphql"))
        if session is None:
            if is_open:
                return None
            raise NotSignedIn("Session expired. Please login again." if token else "Sign in first.")
        caller = Caller(session, token or "", by_cookie)
        if is_api and by_cookie and method not in _SAFE and not is_open:
            offered = connection.headers.get("x-csrf-token", "")
            if not secrets.compare_digest(offered.encode(), session.csrf_token.encode()):
                raise Forbidden("The CSRF token is missing or wrong.")
        return caller

    def _check_place(self, connection: HTTPConnection, *, is_change: bool) -> None:
        """The Host must be ours; whatever changes something, or opens a WebSocket, must come from our own pages."""
        host = connection.headers.get("host", "")
        if not self._origins.answers_to(host):
            raise ForeignHost("This app does not answer to that host name.")
        if not is_change and connection.scope["type"] == "http":
            return
        origin = connection.headers.get("origin")
        if origin is not None and not self._origins.is_own(origin, host):
            raise Forbidden("The request comes from another site.", action="Use the app's own pages.")
        if origin is None and connection.headers.get("sec-fetch-site", "same-origin") in ("cross-site", "same-site"):
            raise Forbidden("The request comes from another site.", action="Use the app's own pages.")

    async def _session(self, token: str | None, *, is_use: bool) -> signing_in.SignedIn | None:
        if not token:
            return None
        try:
            return await run_in_threadpool(signing_in.session_of, self._core, token, is_use=is_use)
        except SQLAlchemyError as e:
            log.error("A session could not be looked up: %s", type(e).__name__)
            raise Unavailable("The database does not answer.") from e

    async def _refuse(self, error: ForwarderError, connection: HTTPConnection, receive: Receive, send: Send) -> None:
        if connection.scope["type"] == "websocket":
            # Closed before it was accepted: the server answers the handshake with 403.
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await _refusal(error, connection)(connection.scope, receive, send)

    async def _watched(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        """Run a WebSocket until it ends by itself or its session does."""
        work = asyncio.ensure_future(self._app(scope, receive, send))
        ended = asyncio.ensure_future(self._end_of(caller))
        try:
            await asyncio.wait({work, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                closing: Message = {"type": "websocket.close", "code": 1008, "reason": "signed out"}
                with suppress(RuntimeError, OSError):  # the other side may have gone in this very moment
                    await send(closing)
        finally:
            ended.cancel()
            if not work.done():
                work.cancel()
            with suppress(asyncio.CancelledError):
                await work

    async def _end_of(self, caller: Caller) -> None:
        while True:
            await asyncio.sleep(_WATCH_S)
            try:
                if await self._session(caller.token, is_use=False) is None:
                    return
            except Unavailable:
                continue  # a database that is away signs nobody out


def _check_size(connection: HTTPConnection) -> None:
    """Before anything is read: whoever is not signed in must not be able to fill the memory either."""
    if "transfer-encoding" in connection.headers:
        raise LengthRequired("The request does not say how long it is.")
    if int(connection.headers.get("content-length") or 0) > _MOST_BYTES:
        raise TooLarge("The request is larger than 1 MB.")


def _refusal(error: ForwarderError, connection: HTTPConnection) -> Response:
    """In the form the asker reads: problem+json, a redirect to the sign-in page, or a line of text."""
    path, scope = connection.scope["path"], connection.scope
    if _is_under(path, "/api"):
        return problems.of_error(error, path=path, request_id=auth.request_id_of(scope))
    if isinstance(error, NotSignedIn) and _is_page(connection):
        query = f"?{connection.url.query}" if connection.url.query else ""
        had_one = "&expired=1" if connection.cookies.get(auth.SESSION_COOKIE) else ""
        wanted = "" if path == "/" and not query else f"next={quote(path + query, safe='/')}"
        location = f"/login?{wanted}{had_one}".replace("?&", "?").rstrip("?")
        return RedirectResponse(location, HTTPStatus.SEE_OTHER)
    headers = {"Retry-After": "5"} if isinstance(error, Unavailable) else {}
    return PlainTextResponse(f"{error.message} {error.action}\n", problems.status_of(error), headers)


def _is_page(connection: HTTPConnection) -> bool:
    path = connection.scope["path"]
    if connection.scope["method"] != "GET" or path.startswith(_NOT_A_PAGE):
        return False
    return not _is_under(path, "/dagster") or "text/html" in connection.headers.get("accept", "")


def _is_under(path: str, root: str) -> bool:
    return path == root or path.startswith(root + "/")
