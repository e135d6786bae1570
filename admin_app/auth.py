"""Who is asking: how a session travels in HTTP, the same for the API, the screens and Dagster's UI.

What lives here: the cookie, the bearer token, and where the guard leaves what it found. What does not: sessions
themselves (`forwarder_core.services.signing_in`) and the decision to let somebody in (`admin_app.door.guard`).
The fact to know: the API trusts `caller_of` and nothing else; without the guard in front of it everything is 401.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any

from starlette.requests import HTTPConnection

from forwarder_core.domain.machines import Scope as Permission
from forwarder_core.services.signing_in import Opened, SignedIn

SESSION_COOKIE = "forwarder_session"
_CALLER, _REQUEST_ID = "forwarder.caller", "forwarder.request_id"
_ARRIVED, _ENDED = "forwarder.arrived", "forwarder.ended"
_REMEMBERED_S = 90 * 24 * 3600  # the server ends it sooner; see the setting session.remember_days

Scope = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """`by_cookie`: a browser sends the cookie by itself, so what it asks for needs the CSRF token too.

    `token_name`: of the API token a program calls with; None = a person's session.
    """

    session: SignedIn
    token: str = field(repr=False)
    by_cookie: bool
    scope: Permission = Permission.ADMIN
    token_name: str | None = None

    @property
    def who(self) -> str:
        """For the audit log: the person, and the program where one calls in their name."""
        name = self.session.username
        return name if self.token_name is None else f"{name} ({self.token_name})"


def offered_token(connection: HTTPConnection, *, allow_bearer: bool) -> tuple[str | None, bool]:
    """The token of the request, unproven, and whether it came as a cookie. A bearer token goes before a cookie."""
    if allow_bearer:
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return token.strip(), False
    return connection.cookies.get(SESSION_COOKIE), True


def remember_caller(scope: Scope, caller: Caller) -> None:
    scope[_CALLER] = caller


def caller_of(scope: Scope) -> Caller | None:
    caller: Caller | None = scope.get(_CALLER)
    return caller


def remember_request_id(scope: Scope, request_id: str) -> None:
    scope[_REQUEST_ID] = request_id


def remember_end(scope: Scope, ended: Callable[[], Awaitable[None]]) -> None:
    """`ended` returns when the caller's session has: what is held open for them stops then."""
    scope[_ENDED] = ended


async def end_of(scope: Scope) -> None:
    """Waits for the end of the caller's session."""
    ended: Callable[[], Awaitable[None]] | None = scope.get(_ENDED)
    if ended is not None:
        await ended()


def remember_arrival(scope: Scope) -> None:
    scope[_ARRIVED] = time.monotonic()


def waited_s_of(scope: Scope) -> float:
    """How long ago the request came: of fifty at once some wait long for a thread."""
    now = time.monotonic()
    return now - float(scope.get(_ARRIVED, now))


def request_id_of(scope: Scope) -> str:
    return str(scope.get(_REQUEST_ID, ""))


def address_of(connection: HTTPConnection) -> str:
    """The client's address; behind a proxy of this machine the one it names, which the server has put here."""
    return connection.client.host if connection.client else "unknown"


def is_secure(connection: HTTPConnection) -> bool:
    return connection.url.scheme in ("https", "wss")


def set_session_cookie(opened: Opened, *, secure: bool) -> str:
    """A `Set-Cookie` value. Without “remember me” the browser forgets it when it is closed."""
    lifetime = {"max-age": _REMEMBERED_S} if opened.session.is_remembered else {}
    return cookie(SESSION_COOKIE, opened.token, secure=secure, **lifetime)


def drop_session_cookie(*, secure: bool) -> str:
    return cookie(SESSION_COOKIE, "", secure=secure, **{"max-age": 0})


def cookie(name: str, value: str, *, secure: bool, **attributes: Any) -> str:
    """HttpOnly, SameSite=Lax, for the whole site."""
    jar: SimpleCookie = SimpleCookie()
    jar[name] = value
    jar[name].update({"path": "/", "httponly": True, "samesite": "Lax", "secure": secure, **attributes})
    return jar[name].OutputString()
