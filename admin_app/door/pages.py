"""The pages of the door itself: sign in, sign out, and the addresses that lead to a screen.

Plain HTML from the server, without Streamlit: it is there in milliseconds and works where a WebSocket does not.
The fact to know: the sign-in form carries a value that is also in a cookie of its own (double submit), because a
page that signs a visitor in as somebody else is an attack too.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from admin_app import auth
from admin_app.door.consent import SignInPages
from admin_app.door.forms import code_page, sign_in_page, sign_out_page
from admin_app.door.origins import safe_next
from forwarder_core.errors import NotSignedIn, TooManyRequests
from forwarder_core.services import signing_in
from forwarder_core.services.context import Core
from forwarder_core.services.refusals import CodeRefused, SecondFactorNeeded
from forwarder_core.services.signing_in import Opened

_FORM_COOKIE = "forwarder_form"
_PASSED_ON = ("confirm",)  # alerts ask for it: /jobs/7?confirm=live
_SCREENS = ("jobs", "accounts", "connections", "proxies")


class Pages:
    def __init__(self, core: Core) -> None:
        self._core = core

    def routes(self) -> list[Route]:
        return [
            Route("/login", self.show_sign_in, methods=["GET"]),
            Route("/login", self.sign_in, methods=["POST"]),
            Route("/logout", self.show_sign_out, methods=["GET"]),
            Route("/logout", self.sign_out, methods=["POST"]),
            Route("/dashboard", _to("/"), methods=["GET"]),
            Route("/overview", _to("/"), methods=["GET"]),  # the first screen has no address of its own
            *SignInPages(self._core).routes(),
            Route("/accounts/{id:int}/captcha-resolve", _to_one("accounts", do="captcha-resolve"), methods=["GET"]),
            *(Route(f"/{screen}/{{id:int}}", _to_one(screen), methods=["GET"]) for screen in _SCREENS),
        ]

    async def show_sign_in(self, request: Request) -> Response:
        wanted = safe_next(request.query_params.get("next"))
        if auth.caller_of(request.scope) is not None:
            return RedirectResponse(wanted, HTTPStatus.SEE_OTHER)
        said = "Session expired. Please login again." if request.query_params.get("expired") else ""
        if request.query_params.get("changed"):
            said = "Password updated successfully. Please login again."
        return self._form(request, wanted, said)

    async def sign_in(self, request: Request) -> Response:
        async with request.form(max_files=0, max_fields=10, max_part_size=4_096) as form:
            given = {name: value for name, value in form.items() if isinstance(value, str)}
        wanted = safe_next(given.get("next"))
        expected = request.cookies.get(_FORM_COOKIE, "")
        if not expected or not secrets.compare_digest(expected.encode(), given.get("form", "").encode()):
            return self._form(request, wanted, "The form was too old. Please try again.", HTTPStatus.FORBIDDEN)
        try:
            opened = await run_in_threadpool(self._opened, request, given)
        except SecondFactorNeeded as e:
            return self._code_form(wanted, given, e.ticket)
        except CodeRefused as e:
            return self._code_form(wanted, given, given.get("ticket", ""), e.message)
        except NotSignedIn as e:
            return self._form(request, wanted, e.message, HTTPStatus.UNAUTHORIZED)
        except TooManyRequests as e:
            answer = self._form(request, wanted, e.message, HTTPStatus.TOO_MANY_REQUESTS)
            answer.headers["Retry-After"] = str(e.retry_after_s)
            return answer
        except SQLAlchemyError:
            words = "The database does not answer. Try again in a few seconds."
            return self._form(request, wanted, words, HTTPStatus.SERVICE_UNAVAILABLE)
        answer = RedirectResponse(wanted, HTTPStatus.SEE_OTHER)
        secure = auth.is_secure(request)
        answer.headers.append("set-cookie", auth.set_session_cookie(opened, secure=secure))
        answer.headers.append("set-cookie", auth.cookie(_FORM_COOKIE, "", secure=secure, **{"max-age": 0}))
        return answer

    def _opened(self, request: Request, given: Mapping[str, str]) -> Opened:
        """By name and password, or by the ticket of these and a code."""
        how: dict[str, Any] = {
            "address": auth.address_of(request),
            "remember": "remember" in given,
            "replaces": request.cookies.get(auth.SESSION_COOKIE),
        }
        if ticket := given.get("ticket"):
            return signing_in.sign_in_with_code(self._core, ticket, given.get("code", ""), **how)
        return signing_in.sign_in(self._core, given.get("username", ""), given.get("password", ""), **how)

    def _code_form(self, wanted: str, given: Mapping[str, str], ticket: str, said: str = "") -> Response:
        """The second page of a sign-in. The cookie of the first one's form is still good."""
        name, remember = self._core.settings.app_name, "remember" in given
        page = code_page(name, given.get("form", ""), wanted, said, ticket=ticket, remember=remember)
        return HTMLResponse(page, HTTPStatus.UNAUTHORIZED)

    async def show_sign_out(self, request: Request) -> Response:
        """At once where our own page or the address bar asks; a link on another site gets a question instead."""
        caller = auth.caller_of(request.scope)
        if caller is not None and request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return HTMLResponse(sign_out_page(self._core.settings.app_name, caller.session.csrf_token))
        return await self._end(request)

    async def sign_out(self, request: Request) -> Response:
        caller = auth.caller_of(request.scope)
        async with request.form(max_files=0, max_fields=3) as form:
            offered = str(form.get("csrf", ""))
        if caller is None or not secrets.compare_digest(offered.encode(), caller.session.csrf_token.encode()):
            return HTMLResponse("The form was too old.", HTTPStatus.FORBIDDEN)
        return await self._end(request)

    async def _end(self, request: Request) -> Response:
        caller = auth.caller_of(request.scope)
        if caller is not None:
            await run_in_threadpool(signing_in.sign_out, self._core, caller.token)
        answer = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
        answer.headers.append("set-cookie", auth.drop_session_cookie(secure=auth.is_secure(request)))
        return answer

    def _form(self, request: Request, wanted: str, said: str, status: int = HTTPStatus.OK) -> Response:
        value = request.cookies.get(_FORM_COOKIE) or secrets.token_urlsafe(24)
        answer = HTMLResponse(sign_in_page(self._core.settings.app_name, value, wanted, said), status)
        secure = auth.is_secure(request)
        answer.headers.append("set-cookie", auth.cookie(_FORM_COOKIE, value, secure=secure, **{"max-age": 3600}))
        return answer


Answering = Callable[[Request], Awaitable[Response]]


def _to(path: str) -> Answering:
    async def redirect(request: Request) -> Response:
        return RedirectResponse(path, HTTPStatus.FOUND)

    return redirect


def _to_one(screen: str, **wanted: str) -> Answering:
    """Streamlit knows one address per screen; which row is meant, and what is to be done, it reads from the query."""

    async def redirect(request: Request) -> Response:
        asked = {name: value for name, value in request.query_params.items() if name in _PASSED_ON}
        query = urlencode({"id": request.path_params["id"], **asked, **wanted})
        return RedirectResponse(f"/{screen}?{query}", HTTPStatus.FOUND)

    return redirect
