"""Google's sign-in as the fake does it: consent, codes, tokens that end after an hour.

What lives here: who a token belongs to and how one is had. What does not: what may be done with it (fake_api.py).
The fact to know: client and refresh token follow from the account alone, so that they can be shown at any time and
survive a restart; only access tokens and codes are remembered.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from forwarder_core.connectors.base import World, WorldAccount
from forwarder_core.platforms.youtube import SPEC
from forwarder_core.platforms.youtube.fake_answers import Refused

SCOPES = ("https://www.googleapis.com/auth/youtube.upload", "https://www.googleapis.com/auth/youtube.readonly")
TOKEN_LIFE_S = 3600
_CODE_LIFE_S = 600
_TESTING_LIFE_S = 7 * 24 * 3600 - 1  # of a refresh token while the account's secret `app_status` is `testing`
_KEPT_TOKENS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """An OAuth client of one Google project, and the refresh token it has for one account."""

    project: str
    id: str
    secret: str
    refresh_token: str


def client_of(account: WorldAccount) -> Client:
    """Each account has a project of its own; `project` in its secrets lets several share one, and so its quota."""
    project = account.secrets.get("project", account.id)
    return Client(
        project=project,
        id=f"{int(_drawn('client', project)[:10], 16)}-{_drawn('name', project)[:16]}.apps.googleusercontent.com",
        secret=f"GOCSPX-{_drawn('secret', project)[:28]}",
        refresh_token=f"1//{_drawn('refresh', project, account.id, account.password)}",
    )


def token_owner(request: Request, world: World) -> WorldAccount | None:
    """The account whose living access token this request carries."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    account = world.account(SPEC.platform, token.split(".")[1]) if token.count(".") == 2 else None
    if scheme.lower() != "bearer" or account is None:
        return None
    ends_at = dict(world.notes(SPEC.platform).get(f"tokens:{account.id}", ())).get(token)
    return account if ends_at and datetime.fromisoformat(ends_at) > world.now() else None


def signed_in(request: Request, world: World) -> WorldAccount:
    """The account of this request, or Google's 401."""
    account = token_owner(request, world)
    world.saw(SPEC.platform, account.id if account else None)
    if account and world.take_fault(SPEC.platform, request.url.path, account.id, "token_expired"):
        world.notes(SPEC.platform)[f"tokens:{account.id}"] = []
        account = None
    if account is None:
        raise Refused(401, "authError", "Invalid Credentials")
    return account


class OAuth:
    def __init__(self, world: World) -> None:
        self._world = world

    def consent(self, request: Request) -> Response:
        """Nobody is asked: the owner of the client agrees at once and is sent back with a code, unless the account's
        secret `consent` is `denied`."""
        query = request.query_params
        account = self._by_client(query.get("client_id", ""), query.get("login_hint"))
        redirect_uri = query.get("redirect_uri", "")
        if account is None or query.get("response_type") != "code" or not redirect_uri or not query.get("scope"):
            return JSONResponse({"error": "invalid_request"}, 400)
        if account.secrets.get("consent") == "denied":
            denied = {"error": "access_denied"} | ({"state": query["state"]} if "state" in query else {})
            return RedirectResponse(f"{redirect_uri}?{urlencode(denied)}", 302)
        code = f"4/{secrets.token_urlsafe(24)}"
        self._world.notes(SPEC.platform)[f"code:{code}"] = {
            "account": account.id,
            "redirect_uri": redirect_uri,
            "challenge": query.get("code_challenge"),
            "ends_at": (self._world.now() + timedelta(seconds=_CODE_LIFE_S)).isoformat(),
        }
        answer = {"code": code, "scope": query["scope"]} | ({"state": query["state"]} if "state" in query else {})
        return RedirectResponse(f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(answer)}", 302)

    async def token(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        grant = form.get("grant_type")
        if grant == "refresh_token":
            account = self._by_refresh_token(form.get("refresh_token", ""))
        elif grant == "authorization_code":
            account = self._by_code(form)
        else:
            return _error(400, "unsupported_grant_type", f"Invalid grant_type: {grant}")
        self._world.saw(SPEC.platform, account.id if account else None)
        known = account and client_of(account)
        if known and (form.get("client_id"), form.get("client_secret")) != (known.id, known.secret):
            return _error(401, "invalid_client", "The OAuth client was not found.")
        if account is None or self._world.take_fault(SPEC.platform, request.url.path, account.id, "invalid_grant"):
            return _error(400, "invalid_grant", "Token has been expired or revoked.")
        return JSONResponse(self._issued(account, with_refresh=grant == "authorization_code"))

    def _issued(self, account: WorldAccount, *, with_refresh: bool) -> dict[str, Any]:
        token = f"ya29.{account.id}.{secrets.token_urlsafe(32)}"
        ends_at = self._world.now() + timedelta(seconds=TOKEN_LIFE_S)
        notes, key = self._world.notes(SPEC.platform), f"tokens:{account.id}"
        notes[key] = [*notes.get(key, ()), [token, ends_at.isoformat()]][-_KEPT_TOKENS:]
        answer = {
            "access_token": token,
            "expires_in": TOKEN_LIFE_S - 1,
            "scope": " ".join(SCOPES),
            "token_type": "Bearer",
        }
        if not with_refresh:
            return answer
        ends = {"refresh_token_expires_in": _TESTING_LIFE_S} if account.secrets.get("app_status") == "testing" else {}
        return {**answer, "refresh_token": client_of(account).refresh_token, **ends}

    def _by_client(self, client_id: str, hint: str | None) -> WorldAccount | None:
        found = [each for each in self._world.accounts(SPEC.platform) if client_of(each).id == client_id]
        hinted = [each for each in found if hint in (each.id, each.username)]
        return next(iter(hinted or found), None)

    def _by_refresh_token(self, token: str) -> WorldAccount | None:
        accounts = self._world.accounts(SPEC.platform)
        return next((each for each in accounts if client_of(each).refresh_token == token), None)

    def _by_code(self, form: dict[str, str]) -> WorldAccount | None:
        """A code is good once, for the address it was sent to, and for whoever knows its verifier."""
        note = self._world.notes(SPEC.platform).pop(f"code:{form.get('code')}", None)
        if note is None or note["redirect_uri"] != form.get("redirect_uri"):
            return None
        if datetime.fromisoformat(note["ends_at"]) < self._world.now():
            return None
        if note["challenge"] and note["challenge"] != _challenge(form.get("code_verifier", "")):
            return None
        return self._world.account(SPEC.platform, note["account"])


def _challenge(verifier: str) -> str:
    """S256 of RFC 7636."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _drawn(*parts: str) -> str:
    return hashlib.sha256("/".join(("youtube", *parts)).encode()).hexdigest()


def _error(status: int, code: str, words: str) -> Response:
    return JSONResponse({"error": code, "error_description": words}, status)
