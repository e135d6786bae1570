"""The way to a platform's own sign-in page and back: a person is sent there, and is told what came of it.

What lives here: the pages. What does not: the sign-in itself (`services.web_sign_in`). The fact to know: the address a
platform sends people back to must be registered there letter by letter, so these paths never change.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from admin_app import auth, problems
from admin_app.auth import Caller
from admin_app.door.forms import notice_page
from forwarder_core.errors import ForwarderError, NotFound
from forwarder_core.logs import redact
from forwarder_core.services import accounts, web_sign_in
from forwarder_core.services.context import Core
from forwarder_core.services.web_sign_in import Finished

_DEFAULT_PROVIDER = "youtube"
log = logging.getLogger(__name__)


class SignInPages:
    def __init__(self, core: Core) -> None:
        self._core = core

    def routes(self) -> list[Route]:
        return [
            Route("/accounts/{id:int}/authorise", self.begin, methods=["GET"]),
            Route("/oauth2callback", self.come_back, methods=["GET"]),
            Route("/oauth2callback/{provider}", self.come_back, methods=["GET"]),
        ]

    async def begin(self, request: Request) -> Response:
        """To the platform at once; where it will refuse our address, what to register comes first."""
        account_id, caller = request.path_params["id"], auth.caller_of(request.scope)
        token_id = request.query_params.get("token_id", "")

        def act() -> Response:
            account = accounts.get(self._core, account_id)
            page = web_sign_in.page_of(account)
            if page is None:
                raise NotFound("This account has no page to sign in on.", action="Enter its credentials instead.")
            started = web_sign_in.start(
                self._core,
                account_id,
                provider=page.method.provider,
                session=_known(caller).token,
                who=_known(caller).session.username,
                token_id=int(token_id) if token_id.isdecimal() and len(token_id) < 18 else None,
                login=request.query_params.get("login"),
            )
            if started.warning is None:
                return RedirectResponse(started.url, HTTPStatus.SEE_OTHER)
            links = (("It is registered: go on", started.url), ("Back to the account", f"/accounts/{account_id}"))
            return self._page("Before you go on", started.warning, links=links)

        return await self._answered(act, account_id)

    async def come_back(self, request: Request) -> Response:
        provider = request.path_params.get("provider", _DEFAULT_PROVIDER)
        query, caller = dict(request.query_params), auth.caller_of(request.scope)

        def act() -> Response:
            finished = web_sign_in.finish(self._core, provider, query, session=_known(caller).token)
            links = (("Open the account", f"/accounts/{finished.account.id}"),)
            return self._page("Signed in", self._words(finished), links=links)

        return await self._answered(act)

    async def _answered(self, act: Callable[[], Response], account_id: int | None = None) -> Response:
        back = ("Back to the account", f"/accounts/{account_id}") if account_id else ("To the accounts", "/accounts")
        try:
            return await run_in_threadpool(act)
        except ForwarderError as e:
            log.warning("A sign-in on a platform's page ended: %s (%s)", redact(e.message), e.code)
            status = problems.status_of(e)
            words = redact(e.message)
            return self._page("Not signed in", words, to_do=e.action, code=e.code, status=status, links=(back,))
        except SQLAlchemyError:
            words = "The database does not answer. Try again in a few seconds."
            return self._page("Not signed in", words, status=HTTPStatus.SERVICE_UNAVAILABLE, links=(back,))

    def _words(self, finished: Finished) -> str:
        account, facts, zone = finished.account, finished.facts, self._core.settings.zone
        ends = facts.expires_at or facts.access_expires_at
        name = finished.identity.title or finished.identity.handle
        until = f" Token expires: {ends.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}." if ends else ""
        return f"{account.platform.capitalize()} account '{account.alias}' authorized successfully as {name}.{until}"

    def _page(
        self,
        title: str,
        said: str,
        *,
        to_do: str = "",
        code: str = "",
        status: int = HTTPStatus.OK,
        links: tuple[tuple[str, str], ...] = (),
    ) -> Response:
        html = notice_page(self._core.settings.app_name, title, said, to_do=to_do, code=code, links=links)
        return HTMLResponse(html, status)


def _known(caller: Caller | None) -> Caller:
    """The guard lets nobody in without a session."""
    if caller is None:
        raise NotFound("There is no session here.")
    return caller
