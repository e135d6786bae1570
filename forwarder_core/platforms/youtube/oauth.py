"""Signing in with Google on Google's own page: the address to send the admin to, and what comes back made into secrets.

What lives here: `begin` and `finish`, and the pure parts they are made of. What does not: keeping a sign-in that is
under way (its caller does, on the server, for as long as it may take) and storing secrets.
The fact to know: the code in the callback is worth something only together with the verifier, which never leaves this
server; so a `PendingSignIn` belongs into the server's memory or database and never into a page or a cookie.

    started = begin(secrets, redirect_uri)            # keep started.pending by its state; send the admin to started.url
    secrets = finish(secrets, pending, query, exit_, now)   # with the query parameters of the callback
"""

from __future__ import annotations

import base64
import hashlib
import hmac
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
from forwarder_core.platforms.youtube.auth import SCOPES, is_enough
from forwarder_core.platforms.youtube.tokens import OF_ONE_TOKEN, TOKEN_URI

CONSENT_URI = "https://accounts.google.com/o/oauth2/v2/auth"
_AGAIN = "Press Sign in with Google again."
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
_READ_TIMEOUT_S = 30.0


def begin(secrets: Secrets, redirect_uri: str, *, login_hint: str = "") -> StartedSignIn:
    """Start a sign-in for an account that has its OAuth client. `redirect_uri`: our callback, as people reach it."""
    pending = PendingSignIn(randomness.token_urlsafe(32), randomness.token_urlsafe(64), redirect_uri)
    url = consent_url(_needed(secrets, "client_id"), redirect_uri, pending.state, pending.code_verifier, login_hint)
    return StartedSignIn(url, pending, redirect_warning(secrets, redirect_uri))


@understood("Google")
def finish(
    secrets: Secrets, pending: PendingSignIn, query: Mapping[str, str], exit_: Exit, now: datetime
) -> dict[str, str]:
    """The secrets of the account with its new token, from the callback's query parameters.

    Raises Forbidden (not the sign-in that was begun), Invalid (denied, or Google did not take it), and the classes of
    network and platform. Who has signed in is not looked at: the caller asks `identify` before it keeps anything.
    """
    code = code_of(query, pending)
    answer = _exchange(secrets, pending, code, exit_)
    kept = {name: value for name, value in secrets.items() if name not in OF_ONE_TOKEN}
    return {**kept, **token_secrets(answer, now)}


def consent_url(client_id: str, redirect_uri: str, state: str, code_verifier: str, login_hint: str = "") -> str:
    """Google's page. It asks anew even where it was agreed before: only then Google gives a refresh token."""
    query = {
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "response_type": "code",
        "scope": " ".join(SCOPES),
        "state": state,
        "access_type": "offline",
        "prompt": "consent",
        "code_challenge": challenge(code_verifier),
        "code_challenge_method": "S256",
    }
    return f"{CONSENT_URI}?{urlencode(query | ({'login_hint': login_hint} if login_hint else {}))}"


def challenge(code_verifier: str) -> str:
    """S256 of RFC 7636."""
    return base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).decode().rstrip("=")


def redirect_warning(secrets: Secrets, redirect_uri: str) -> str | None:
    """Whether Google will send people back to us, as far as the client's own file tells."""
    if redirect_uri in secrets.get("redirect_uris", "").split():
        return None
    if secrets.get("client_kind") == "installed":
        if urlsplit(redirect_uri).hostname in _LOOPBACK:
            return None
        return (
            "This OAuth client is a Desktop app; Google sends such sign-ins back to this machine only. Create one of "
            f"the kind “Web application” with the authorised redirect URI {redirect_uri} and upload its JSON."
        )
    return (
        f"Register {redirect_uri} as an authorised redirect URI of this OAuth client in the Google Cloud console, "
        "exactly as written here; Google refuses the sign-in otherwise."
    )


def code_of(query: Mapping[str, str], pending: PendingSignIn) -> str:
    """The code in the callback, once it is certain that it answers the sign-in that was begun."""
    if not hmac.compare_digest(query.get("state", "").encode(), pending.state.encode()):
        raise Forbidden("This answer belongs to another sign-in.", action=_AGAIN)
    if error := query.get("error"):
        words = (
            "The sign-in was declined." if error == "access_denied" else f"Google refused the sign-in: {error[:100]}."
        )
        raise Invalid(words, action=_AGAIN)
    if not query.get("code"):
        raise Invalid("Google's answer holds no code.", action=_AGAIN)
    return query["code"]


def token_secrets(answer: Mapping[str, Any], now: datetime) -> dict[str, str]:
    """What the token endpoint gave, as tokens.py keeps it. Raises Invalid where it is not enough to work with."""
    if not is_enough(str(answer.get("scope", "")).split()):
        raise Invalid(
            "A permission was not granted; the product needs both to upload and to see its own uploads.",
            action="Sign in again and leave every box on Google's page ticked.",
        )
    if not answer.get("refresh_token"):
        raise Invalid(
            "Google gave no lasting token.",
            action="Remove this app under myaccount.google.com → Security → Third-party access, then sign in again.",
        )
    secrets = {
        "refresh_token": str(answer["refresh_token"]),
        "issued_at": _iso(now),
        "scopes": " ".join(str(answer["scope"]).split()),
    }
    life_s = answer.get("expires_in")
    if answer.get("access_token") and isinstance(life_s, int):
        secrets |= {"access_token": str(answer["access_token"]), "access_token_expiry": _iso(now, life_s)}
    lasts_s = answer.get("refresh_token_expires_in")  # only where Google has given the refresh token an end
    if isinstance(lasts_s, int) and lasts_s > 0:
        secrets["refresh_token_expiry"] = _iso(now, lasts_s)
    return secrets


def _iso(now: datetime, plus_s: int = 0) -> str:
    return (now + timedelta(seconds=plus_s)).astimezone(UTC).isoformat()


def _exchange(secrets: Secrets, pending: PendingSignIn, code: str, exit_: Exit) -> Mapping[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": pending.redirect_uri,
        "code_verifier": pending.code_verifier,
        "client_id": _needed(secrets, "client_id"),
        "client_secret": _needed(secrets, "client_secret"),
    }
    try:
        with exit_.http(read_timeout_s=_READ_TIMEOUT_S) as client:
            answer = client.post(TOKEN_URI, data=form, follow_redirects=False)
    except (httpx.TransportError, httpx.DecodingError) as e:
        raise network_failure(e, exit_) from e
    try:
        said = answer.json()
    except ValueError:
        said = None
    if not isinstance(said, dict) or (answer.is_success and "access_token" not in said):
        raise PlatformTransient(f"Google's sign-in answered in a form not known here (HTTP {answer.status_code}).")
    if not answer.is_success:
        raise _refusal(answer.status_code, str(said.get("error", "")), pending.redirect_uri)
    return said


def _refusal(status: int, error: str, redirect_uri: str) -> Invalid | PlatformTransient:
    if status >= 500 or not error:
        return PlatformTransient(f"Google's sign-in had an error of its own (HTTP {status}).")
    if error == "redirect_uri_mismatch":
        return Invalid(
            "Google does not know our address for this OAuth client.",
            action=f"Register {redirect_uri} as an authorised redirect URI in the Google Cloud console, then try anew.",
        )
    if error in ("invalid_client", "unauthorized_client", "deleted_client", "disabled_client"):
        return Invalid(
            f"Google does not accept the OAuth client of this account ({error}).",
            action="Upload the client JSON again in Accounts, then sign in with Google.",
        )
    return Invalid(f"Google did not accept the sign-in ({error[:100]}): it may have taken too long.", action=_AGAIN)


def _needed(secrets: Secrets, name: str) -> str:
    if not secrets.get(name):
        field_error = FieldError("oauth_client", "an OAuth client JSON is needed")
        raise Invalid("This account has no OAuth client to sign in with.", field_error, action="Upload its JSON first.")
    return secrets[name]
