"""Signing in with Meta on Meta's own page, by either login: the address to send the admin to, and what comes back.

What lives here: `begin` and `finish` for the Instagram login and the Facebook login, and the two exchanges that make a
token of 60 days out of a code. What does not: keeping a sign-in that is under way (its caller does), whose token it is
(`graph_owner`) and renewing it (`graph_tokens`).
The fact to know: Meta documents no PKCE for these logins; what binds the answer to this server is the state and the app
secret. It documents the exchanges with the secret in the query, and takes them no other way at graph.instagram.com.
"""

from __future__ import annotations

import hmac
import json
import secrets as randomness
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from forwarder_core.connectors.base import Secrets
from forwarder_core.connectors.shapes import understood
from forwarder_core.connectors.sign_ins import PendingSignIn, StartedSignIn
from forwarder_core.egress import Exit, network_failure
from forwarder_core.errors import FieldError, Forbidden, Invalid, PlatformTransient
from forwarder_core.logs import remember_secret
from forwarder_core.platforms.instagram.graph_client import APIS, Variant
from forwarder_core.platforms.instagram.graph_tokens import (
    APP_ID,
    APP_SECRET,
    EXPIRY,
    ISSUED,
    LOGIN,
    OF_ONE_TOKEN,
    PAGE,
    TOKEN,
    VARIANT,
)

_FACEBOOK = APIS[Variant.FACEBOOK]
PAGES: Mapping[Variant, str] = {
    Variant.INSTAGRAM: "https://www.instagram.com/oauth/authorize",
    Variant.FACEBOOK: f"https://www.facebook.com/{_FACEBOOK.version}/dialog/oauth",
}
SCOPES: Mapping[Variant, tuple[str, ...]] = {
    Variant.INSTAGRAM: ("instagram_business_basic", "instagram_business_content_publish"),
    Variant.FACEBOOK: (
        "instagram_basic",
        "instagram_content_publish",
        "pages_read_engagement",
        "pages_show_list",
        "business_management",
    ),
}
_CODE_URL = "https://api.instagram.com/oauth/access_token"
_LONG_URL = f"https://{APIS[Variant.INSTAGRAM].host}/access_token"
_FACEBOOK_URL = _FACEBOOK.url("oauth/access_token")
_LIFE_UNTOLD_S = 60 * 24 * 3600
_AGAIN = "Press Authorise again."
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def begin(secrets: Secrets, redirect_uri: str) -> StartedSignIn:
    """Start a sign-in for an account that has its Meta app. `redirect_uri`: our callback, as people reach it."""
    if secrets.get(LOGIN) and secrets[LOGIN] not in tuple(Variant):
        raise Invalid("Meta has no such login.", FieldError("login", f"one of {', '.join(Variant)}"))
    variant = wanted(secrets)
    pending = PendingSignIn(randomness.token_urlsafe(32), "", redirect_uri)
    query = {
        "client_id": _needed(secrets, APP_ID),
        "redirect_uri": redirect_uri,
        "response_type": "code",
        "scope": ",".join(SCOPES[variant]),
        "state": pending.state,
    }
    return StartedSignIn(f"{PAGES[variant]}?{urlencode(query)}", pending, redirect_warning(secrets, redirect_uri))


@understood("Meta")
def finish(
    secrets: Secrets, pending: PendingSignIn, query: Mapping[str, str], exit_: Exit, now: datetime
) -> dict[str, str]:
    """The secrets of the account with a token of 60 days, from the callback's query parameters.

    Raises Forbidden (not the sign-in that was begun), Invalid (denied, or Meta did not take it), and the classes of
    network and platform. What was known of an earlier token is forgotten.
    """
    code = code_of(query, pending)
    variant = wanted(secrets)
    remember_secret(code)
    with exit_.http() as client:
        exchange = _Exchange(client, exit_, secrets, pending.redirect_uri)
        answer = exchange.at_instagram(code) if variant is Variant.INSTAGRAM else exchange.at_facebook(code)
    lasts_s = answer.get("expires_in")
    ends = now + timedelta(seconds=lasts_s if isinstance(lasts_s, int) and lasts_s > 0 else _LIFE_UNTOLD_S)
    return {
        **{name: value for name, value in secrets.items() if name not in OF_ONE_TOKEN},
        TOKEN: answer[TOKEN],
        EXPIRY: ends.astimezone(UTC).isoformat(),
        ISSUED: now.astimezone(UTC).isoformat(),
        LOGIN: str(variant),
    }


def wanted(secrets: Secrets) -> Variant:
    """Which of Meta's two logins: the one chosen, else the one a token has shown, else by whether a page is named."""
    for said in (secrets.get(LOGIN), secrets.get(VARIANT)):
        if said in tuple(Variant):
            return Variant(said)
    return Variant.FACEBOOK if secrets.get(PAGE) else Variant.INSTAGRAM


def redirect_warning(secrets: Secrets, redirect_uri: str) -> str | None:
    """Meta tells nobody which addresses an app has registered; what is known is that it takes HTTPS only."""
    parts = urlsplit(redirect_uri)
    if parts.scheme == "https" or parts.hostname in _LOOPBACK:
        return None
    return (
        f"Meta sends people back to HTTPS addresses only, and {redirect_uri} is none: set FORWARDER_PUBLIC_URL to the "
        "address people use, and register its /oauth2callback/meta in the Meta app."
    )


def code_of(query: Mapping[str, str], pending: PendingSignIn) -> str:
    """The code in the callback, once it is certain that it answers the sign-in that was begun."""
    if not hmac.compare_digest(query.get("state", "").encode(), pending.state.encode()):
        raise Forbidden("This answer belongs to another sign-in.", action=_AGAIN)
    if error := query.get("error") or query.get("error_code"):
        was_declined = "denied" in (error, query.get("error_reason", "")) or "denied" in error
        words = "The sign-in was declined." if was_declined else f"Meta refused the sign-in: {error[:100]}."
        raise Invalid(words, action=_AGAIN)
    if not query.get("code"):
        raise Invalid("Meta's answer holds no code.", action=_AGAIN)
    return query["code"]


class _Exchange:
    """From a code to a lasting token: two calls at either login."""

    def __init__(self, client: httpx.Client, exit_: Exit, secrets: Secrets, redirect_uri: str) -> None:
        self._client, self._exit, self._redirect_uri = client, exit_, redirect_uri
        self._app = {"client_id": _needed(secrets, APP_ID), "client_secret": _needed(secrets, APP_SECRET)}

    def at_instagram(self, code: str) -> Mapping[str, Any]:
        form = {**self._app, "grant_type": "authorization_code", "redirect_uri": self._redirect_uri, "code": code}
        first = self._ask("POST", _CODE_URL, data=form)
        inner = first.get("data")  # newer answers wrap it in a list
        short = inner[0] if isinstance(inner, list) and inner and isinstance(inner[0], dict) else first
        _check_granted(short.get("permissions"))
        query = {
            "grant_type": "ig_exchange_token",
            "client_secret": self._app["client_secret"],
            "access_token": _token(short),
        }
        return _with_token(self._ask("GET", _LONG_URL, params=query))

    def at_facebook(self, code: str) -> Mapping[str, Any]:
        first = self._ask("GET", _FACEBOOK_URL, params={**self._app, "redirect_uri": self._redirect_uri, "code": code})
        query = {**self._app, "grant_type": "fb_exchange_token", "fb_exchange_token": _token(first)}
        return _with_token(self._ask("GET", _FACEBOOK_URL, params=query))

    def _ask(self, method: str, url: str, **said: Any) -> Mapping[str, Any]:
        try:
            answer = self._client.request(method, url, follow_redirects=False, **said)
        except (httpx.TransportError, httpx.DecodingError) as e:
            raise network_failure(e, self._exit) from e
        try:
            read = json.loads(answer.content)
        except ValueError:
            read = None
        if answer.status_code >= 500 or not isinstance(read, dict):
            raise PlatformTransient(f"Meta's sign-in answered in a form not known here (HTTP {answer.status_code}).")
        if answer.status_code != 200 or "error" in read or "error_type" in read:
            raise _refusal(read, self._redirect_uri)
        return read


def _refusal(answer: Mapping[str, Any], redirect_uri: str) -> Invalid:
    """Meta words its refusals in two forms, by host."""
    inner = answer.get("error")
    told = inner.get("message") if isinstance(inner, dict) else answer.get("error_message") or inner
    words = str(told or "no reason given")[:200]
    if "redirect_uri" in words:
        action = f"Register {redirect_uri} as a valid OAuth redirect URI of the Meta app, then try anew."
    elif "secret" in words.lower() or "client" in words.lower() or "app" in words.lower().split():
        action = "Correct the Meta app's id and secret in Accounts → the account → Update token, then try anew."
    else:
        action = _AGAIN
    return Invalid(f"Meta did not accept the sign-in: {words}", action=action)


def _check_granted(permissions: Any) -> None:
    """The Instagram login names what was granted; both permissions are needed."""
    granted = permissions.split(",") if isinstance(permissions, str) else permissions
    if isinstance(granted, list) and not set(SCOPES[Variant.INSTAGRAM]) <= {str(one) for one in granted}:
        raise Invalid(
            "A permission was not granted; the product needs both to read and to publish.",
            action="Press Authorise again and leave everything on Meta's page allowed.",
        )


def _with_token(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    _token(answer)
    return answer


def _token(answer: Mapping[str, Any]) -> str:
    token = answer.get(TOKEN)
    if not isinstance(token, str) or not token:
        raise PlatformTransient("Meta's sign-in answered without a token.")
    remember_secret(token)
    return token


def _needed(secrets: Secrets, name: str) -> str:
    if not secrets.get(name):
        raise Invalid(
            "This account has no Meta app to sign in with.",
            FieldError(f"credentials.{name}", "is needed to sign in on Meta's page"),
            action="Enter the app's id and secret in Accounts → the account → Update token first.",
        )
    return secrets[name]
