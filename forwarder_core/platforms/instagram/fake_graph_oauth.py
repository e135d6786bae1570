"""Meta's sign-in as the fake does it, by both logins: the page, the code, the short token and the long one.

What lives here: how a token is had. What does not: what it is good for (`fake_graph_wire`).
The fact to know: nobody is asked. The owner of the app agrees at once; one whose secret `consent` is `denied` declines.
Where several accounts share an app (secret `meta_app`), the one with the secret `in_browser` is who agrees.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Host, Route, Router

from forwarder_core.connectors.base import World, WorldAccount
from forwarder_core.platforms.instagram.fake_graph_wire import (
    FACEBOOK,
    INSTAGRAM,
    error,
    held,
    host_of,
    is_facebook,
    new_token,
    ok,
)
from forwarder_core.platforms.instagram.fake_wire import PLATFORM

WWW, DIALOG, CODES = "www.instagram.com", "www.facebook.com", "api.instagram.com"
_CODE_LIFE = timedelta(minutes=10)
_SHORT_LIFE = timedelta(hours=1)
_LONG_LIFE_S = 60 * 24 * 3600
_PERMISSIONS = "instagram_business_basic,instagram_business_content_publish"


class SignIn:
    def __init__(self, world: World) -> None:
        self._world = world

    def pages(self) -> list[BaseRoute]:
        dialog = Router([Route("/{version}/dialog/oauth", self.consent)])
        codes = Router([Route("/oauth/access_token", self.short_token, methods=["POST"])])
        return [Host(DIALOG, dialog), Host(CODES, codes), Route("/oauth/authorize", self.consent)]

    def exchanges(self) -> list[BaseRoute]:
        """At the hosts of the Graph API itself."""
        return [
            Route("/access_token", self.long_token, methods=["GET"]),
            Route("/{version}/oauth/access_token", self.facebook_token, methods=["GET"]),
        ]

    async def consent(self, request: Request) -> Response:
        query = request.query_params
        account = self._owner(query.get("client_id", ""))
        wanted = FACEBOOK if host_of(request) == DIALOG else INSTAGRAM
        redirect_uri = query.get("redirect_uri", "")
        if (
            account is None
            or is_facebook(account) != (wanted == FACEBOOK)
            or not redirect_uri
            or not query.get("scope")
        ):
            return JSONResponse({"error": "Invalid app ID or redirect_uri"}, 400)
        state = {"state": query["state"]} if "state" in query else {}
        if account.secrets.get("consent") == "denied":
            denied = {"error": "access_denied", "error_reason": "user_denied", "error_description": "Permissions error"}
            return RedirectResponse(f"{redirect_uri}?{urlencode(denied | state)}", 302)
        code = f"AQ{secrets.token_urlsafe(32)}"
        self._world.notes(PLATFORM)[f"graph/code/{code}"] = {
            "account": account.id,
            "redirect_uri": redirect_uri,
            "ends": (self._world.now() + _CODE_LIFE).isoformat(),
        }
        return RedirectResponse(f"{redirect_uri}?{urlencode({'code': code} | state)}", 302)

    async def short_token(self, request: Request) -> Response:
        """The Instagram login's first exchange; it words its refusals in a form of its own."""
        form = {name: str(value) for name, value in (await request.form()).items()}
        account = self._by_code(form)
        if account is None or form.get("grant_type") != "authorization_code":
            words = {"error_type": "OAuthException", "code": 400, "error_message": "Matching code was not found"}
            return JSONResponse(words, 400)
        self._world.saw(PLATFORM, account.id)
        return JSONResponse(
            {"access_token": self._short(account), "user_id": int(account.id), "permissions": _PERMISSIONS.split(",")}
        )

    async def long_token(self, request: Request) -> Response:
        query = request.query_params
        account = self._by_token(query.get("access_token", ""))
        is_ours = account is not None and query.get("client_secret") == app_of(account)["app_secret"]
        if account is None or not is_ours or query.get("grant_type") != "ig_exchange_token":
            return error(190, "Invalid OAuth access token or client_secret", status=400)
        return self._long(account)

    async def facebook_token(self, request: Request) -> Response:
        """Both exchanges of the Facebook login."""
        query = dict(request.query_params)
        if query.get("grant_type") == "fb_exchange_token":
            account = self._by_token(query.get("fb_exchange_token", ""))
            if account is None or not _is_app_of(account, query):
                return error(190, "Invalid OAuth access token or client secret")
            return self._long(account)
        account = self._by_code(query)
        if account is None:
            return error(100, "This authorization code has been used or does not match its redirect_uri")
        self._world.saw(PLATFORM, account.id)
        return ok({"access_token": self._short(account), "token_type": "bearer", "expires_in": 3600})

    def _owner(self, app_id: str) -> WorldAccount | None:
        found = [each for each in self._world.accounts(PLATFORM) if app_of(each)["app_id"] == app_id]
        return next(iter(sorted(found, key=lambda each: not each.secrets.get("in_browser"))), None)

    def _by_code(self, form: Mapping[str, str]) -> WorldAccount | None:
        """A code is good once, for the address it was sent to, and for whoever knows the app's secret."""
        note = self._world.notes(PLATFORM).pop(f"graph/code/{form.get('code')}", None)
        if note is None or note["redirect_uri"] != form.get("redirect_uri"):
            return None
        account = self._world.account(PLATFORM, note["account"])
        is_alive = datetime.fromisoformat(note["ends"]) > self._world.now()
        return account if account and is_alive and _is_app_of(account, form) else None

    def _by_token(self, token: str) -> WorldAccount | None:
        known = held(self._world, token)
        return self._world.account(PLATFORM, known["account"]) if known else None

    def _short(self, account: WorldAccount) -> str:
        token = new_token(self._world, account, issued=self._world.now())
        notes, key = self._world.notes(PLATFORM), f"graph/token/{token}"
        notes[key] = {**notes[key], "ends": (self._world.now() + _SHORT_LIFE).isoformat()}
        return token

    def _long(self, account: WorldAccount) -> Response:
        token = new_token(self._world, account, issued=self._world.now())
        return ok({"access_token": token, "token_type": "bearer", "expires_in": _LONG_LIFE_S})


def app_of(account: WorldAccount) -> dict[str, str]:
    """The Meta app this account signs in with; `meta_app` in its secrets lets several share one."""
    drawn = hashlib.sha256(f"meta/{account.secrets.get('meta_app', account.id)}".encode()).hexdigest()
    return {"app_id": str(int(drawn[:12], 16)), "app_secret": drawn[16:48]}


def _is_app_of(account: WorldAccount, said: Mapping[str, str]) -> bool:
    app = app_of(account)
    return (said.get("client_id"), said.get("client_secret")) == (app["app_id"], app["app_secret"])
