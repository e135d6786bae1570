"""The guard: one rule for everything behind the door, HTTP and WebSocket alike. Nothing passes without a session.

In this order: is the Host ours, does the asking page belong to us, is there a session, does a browser's change carry
the CSRF token. The fact to know: a WebSocket outlives the sign-out that should end it, so each one is watched and
closed when its session is gone.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin_app import auth, problems
from admin_app.auth import Caller
from admin_app.door.headers import with_security_headers
from admin_app.door.limits import Buckets, check_cookies, check_length
from admin_app.door.origins import Origins
from admin_app.door.watch import Watch
from forwarder_core.domain.machines import needed
from forwarder_core.errors import Forbidden, ForwarderError, NotSignedIn, Unavailable
from forwarder_core.services import admitting
from forwarder_core.services.admitting import DEFAULT_RULES, Admitted
from forwarder_core.services.context import Core
from forwarder_core.services.live import Feed
from forwarder_core.services.refusals import ForeignHost, ScopeMissing

_TELEGRAM = "/api/webhook/telegram"
OPEN = frozenset(
    {
        ("GET", "/login"),
        ("POST", "/login"),
        ("POST", "/api/login"),
        ("GET", "/api/health/simple"),
        ("POST", _TELEGRAM),  # proves itself by its own secret
    }
)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NOT_A_PAGE = ("/api", "/ws/", "/metrics", "/_stcore", "/static/", "/media/", "/component/")
_FORMS = frozenset({"/login", "/logout"})
_MOST_BYTES = 1_000_000
_UPLOADS = {
    "/api/templates": 5_100_000,  # pictures of up to 5 MB, and the form around them
    "/api/library": 1_000_000_000,  # videos; spooled to the disk, never held in memory
}
_CREDENTIAL_FORMS = frozenset({"/api/accounts", "/api/tokens/upload"})
_MACHINES = ("/api", "/ws", "/metrics")  # bearer tokens are taken here, and refusals are problem+json
_LOOPBACK = frozenset({"127.0.0.1", "::1"})
T = TypeVar("T")
log = logging.getLogger(__name__)


class Guard:
    """ASGI middleware. `app` is asked only in the name of a proven session, but for the few OPEN paths."""

    def __init__(self, app: ASGIApp, core: Core, origins: Origins, feed: Feed | None = None) -> None:
        """`feed`: where this process has one already."""
        self._app = app
        self._core = core
        self._origins = origins
        self._calls = Buckets()
        self._rules = DEFAULT_RULES  # those in force are known from the first call of somebody
        self._watch = Watch(feed or Feed(core), self._is_valid)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        request_id = secrets.token_hex(8)
        auth.remember_request_id(scope, request_id)
        auth.remember_arrival(scope)
        secure = auth.is_secure(connection)
        send = with_security_headers(send, path=scope["path"], request_id=request_id, secure=secure)
        try:
            caller = await self._admit(connection)
        except ForwarderError as e:
            await self._refuse(e, connection, receive, send)
            return
        if caller is not None:
            auth.remember_caller(scope, caller)
            auth.remember_end(scope, partial(self._watch.ended, caller))
        if scope["type"] == "websocket" and caller is not None:
            await self._watched(caller, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _admit(self, connection: HTTPConnection) -> Caller | None:
        """The caller, None on an open path. Raises a RequestError for whoever may not pass."""
        scope = connection.scope
        path, method = scope["path"], scope.get("method", "GET")
        is_machine = is_under(path, *_MACHINES)
        self._check_place(connection, is_change=method not in _SAFE)
        check_cookies(connection)
        if is_machine or path in _FORMS:
            self._check_measure(connection)
        token, by_cookie = auth.offered_token(connection, allow_bearer=is_machine)
        is_open = scope["type"] == "http" and ("GET" if method == "HEAD" else method, path) in OPEN
        if path == _TELEGRAM and not connection.headers.get("x-telegram-bot-api-secret-token"):
            raise NotSignedIn("Only Telegram calls here, with the secret it was given.")
        if is_open and not (path == "/login" and token):
            return None
        if path == "/metrics" and not token and await self._metrics_are_open(connection):
            return None
        found = await self._admitted(token, connection, is_bearer=not by_cookie, is_use=not path.endswith("/graphql"))
        if found is None:
            if is_open:
                return None
            raise NotSignedIn("Session expired. Please login again." if token else "Sign in first.")
        caller = Caller(found.session, token or "", by_cookie, found.scope, found.token_name)
        if is_machine:
            self._check_rights(caller, connection, method)
        return caller

    def _check_measure(self, connection: HTTPConnection) -> None:
        """How long the request is, and how many came from its address."""
        path = connection.scope["path"]
        most_bytes = next((most for root, most in _UPLOADS.items() if is_under(path, root)), _MOST_BYTES)
        check_length(connection, most_bytes, brings_files=path in _CREDENTIAL_FORMS)
        self._calls.take(f"address {auth.address_of(connection)}", self._rules.per_address)

    def _check_rights(self, caller: Caller, connection: HTTPConnection, method: str) -> None:
        """How many calls they sent, what their token may do, and whether a browser means what it sends."""
        self._calls.take(f"caller {caller.token}", self._rules.per_caller)
        wanted = needed(method, connection.scope["path"])
        if wanted.rank > caller.scope.rank:
            raise ScopeMissing(f"The token may {caller.scope}, this call needs the scope {wanted}.")
        if caller.by_cookie and method not in _SAFE:
            offered = connection.headers.get("x-csrf-token", "")
            if not secrets.compare_digest(offered.encode(), caller.session.csrf_token.encode()):
                raise Forbidden("The CSRF token is missing or wrong.")

    async def _metrics_are_open(self, connection: HTTPConnection) -> bool:
        """To whoever asks from this machine itself, where the administrator wants that."""
        if auth.address_of(connection) not in _LOOPBACK:
            return False
        self._rules = await self._asked(partial(admitting.rules, self._core))
        return self._rules.metrics_on_loopback

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

    async def _admitted(
        self, token: str | None, connection: HTTPConnection, *, is_bearer: bool, is_use: bool
    ) -> Admitted | None:
        if not token:
            return None
        address = auth.address_of(connection)
        ask = partial(admitting.admit, self._core, token, is_bearer=is_bearer, address=address, is_use=is_use)
        found = await self._asked(ask)
        if found is not None:
            self._rules = found.rules
        return found

    async def _is_valid(self, caller: Caller) -> bool:
        """Asked while something is held open; where they come from was looked at when it was opened."""
        ask = partial(admitting.still, self._core, caller.token, is_bearer=not caller.by_cookie)
        return await self._asked(ask)

    async def _asked(self, ask: Callable[[], T]) -> T:
        try:
            return await run_in_threadpool(ask)
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
        ended = asyncio.ensure_future(self._watch.ended(caller))
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


def _refusal(error: ForwarderError, connection: HTTPConnection) -> Response:
    """In the form the asker reads: problem+json, a redirect to the sign-in page, or a line of text."""
    path, scope = connection.scope["path"], connection.scope
    if is_under(path, *_MACHINES):
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
    return not is_under(path, "/dagster") or "text/html" in connection.headers.get("accept", "")


def is_under(path: str, *roots: str) -> bool:
    return any(path == root or path.startswith(f"{root}/") for root in roots)
