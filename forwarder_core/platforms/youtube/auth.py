"""The sign-in of a YouTube account: what the admin hands in, made into our secrets, and proved by one call.

What lives here: reading the files of the account form strictly, and `identify`. What does not: renewing tokens
(tokens.py) and the sign-in on Google's page (oauth.py).
The fact to know: a client JSON names the addresses our secrets are sent to. A file with another address than
Google's is refused, and even Google's are never taken from the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from forwarder_core.connectors.base import CredentialBox, Identity, Role
from forwarder_core.connectors.shapes import understood
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.errors import FieldError, Invalid
from forwarder_core.platforms.youtube.client import YouTubeClient
from forwarder_core.platforms.youtube.tokens import replaced_secrets, token_facts

__all__ = [
    "SCOPES",
    "YouTubeAuthenticator",
    "cookies_from",
    "is_enough",
    "replaced_secrets",
    "secrets_from_form",
    "token_facts",
]

SCOPES = (
    "https://www.googleapis.com/auth/youtube.upload",
    "https://www.googleapis.com/auth/youtube.readonly",
)

_MOST_BYTES = 64 * 1024
_MOST_CHARS = 2048  # of one value
_MOST_COOKIE_BYTES = 256 * 1024
# domain, whether for subdomains, path, whether secure only, expiry, name, value
_COOKIE = re.compile(
    r"(?:#HttpOnly_)?\.?(?:[\w-]+\.)*(?:youtube|google)\.com\t(?:TRUE|FALSE)\t/[^\t]*\t(?:TRUE|FALSE)\t\d*\t[^\t]+\t[^\t]*"
)
_GOOGLE_HOSTS = ("accounts.google.com", "oauth2.googleapis.com")
_FULL_SCOPE = "https://www.googleapis.com/auth/youtube"
_UPLOADING = {SCOPES[0], _FULL_SCOPE, f"{_FULL_SCOPE}.force-ssl"}
_READING = {SCOPES[1], _FULL_SCOPE, f"{_FULL_SCOPE}.force-ssl"}

APP_STATUSES = ("production", "testing")

Json = Mapping[str, Any]


class YouTubeAuthenticator:
    def __init__(self, account: Account, box: CredentialBox, exit_: Exit) -> None:
        self._box = box
        self._client = YouTubeClient(box, exit_)

    @understood("YouTube")
    def identify(self) -> Identity:
        with self._client:
            channel = self._client.own_channel("snippet")
        snippet = channel.get("snippet", {})
        title = str(snippet.get("title", ""))
        return Identity(remote_id=str(channel["id"]), handle=str(snippet.get("customUrl") or title), title=title)

    def renew(self) -> None:
        with self._client:
            self._client.renew()

    def missing_scopes(self, role: Role) -> tuple[str, ...]:
        granted = set(self._box.read().get("scopes", "").split())
        if not granted:
            return ()
        wanted = zip(SCOPES, (_UPLOADING, _READING), strict=True)
        needed = wanted if role is Role.DESTINATION else list(wanted)[1:]
        return tuple(scope for scope, accepted in needed if not granted & accepted)


def secrets_from_form(fields: Mapping[str, str]) -> dict[str, str]:
    """The secrets in `oauth_client` and `token`, each the text of a JSON file, and in `cookies`, a browser's export; a
    field that is missing adds none. `app_status` says how far Google's consent screen has come.

    Raises Invalid, naming the field. The answer is merged over the secrets an account has already.
    """
    client = _client_secrets(fields["oauth_client"]) if fields.get("oauth_client") else {}
    token = _token_secrets(fields["token"]) if fields.get("token") else {}
    cookies = {"cookies": cookies_from(fields["cookies"])} if fields.get("cookies") else {}
    status = _app_status(fields.get("app_status", ""))
    if not client and not token and not cookies and not status:
        raise _bad("oauth_client", "an OAuth client JSON is needed")
    if client and token.get("client_id", client["client_id"]) != client["client_id"]:
        raise _bad("token", "this token was made for another OAuth client")
    return {**token, **client, **cookies, **status}


def _app_status(typed: str) -> dict[str, str]:
    if typed and typed not in APP_STATUSES:
        words = f"must be one of {', '.join(APP_STATUSES)}"
        raise Invalid("The status of the Google app is none.", FieldError("credentials.app_status", words))
    return {"app_status": typed} if typed else {}


def cookies_from(text: str) -> str:
    """A Netscape cookie file, as browsers' extensions export it, cut to the lines that are YouTube's or Google's."""
    if len(text.encode()) > _MOST_COOKIE_BYTES:
        raise _bad("cookies", f"it is larger than {_MOST_COOKIE_BYTES // 1024} KiB")
    lines = [line.rstrip("\r") for line in text.removeprefix("\ufeff").split("\n")]
    kept = [line for line in lines if _COOKIE.fullmatch(line)]
    if not kept:
        raise _bad("cookies", "it holds no cookies of youtube.com in Netscape form")
    return "\n".join(["# Netscape HTTP Cookie File", *kept, ""])


def _client_secrets(text: str) -> dict[str, str]:
    given = _parsed("oauth_client", text)
    kinds = [kind for kind in ("installed", "web") if kind in given]
    if len(kinds) != 1 or not isinstance(given[kinds[0]], dict):
        raise _bad("oauth_client", "it must hold either “installed” or “web”, as the Google Cloud console writes it")
    client = given[kinds[0]]
    for name in ("auth_uri", "token_uri"):
        if name in client and not _is_google(client[name]):
            raise _bad("oauth_client", f"its {name} is not at {' or '.join(_GOOGLE_HOSTS)}")
    secrets = {name: _text("oauth_client", client, name) for name in ("client_id", "client_secret")}
    return secrets | {"client_kind": kinds[0], "redirect_uris": _redirect_uris(client.get("redirect_uris", []))}


def _redirect_uris(given: Any) -> str:
    """Space-separated; no URI holds a space. They are only ever compared with ours, never called."""
    if not isinstance(given, list) or not all(isinstance(each, str) and each.isprintable() for each in given):
        raise _bad("oauth_client", "its redirect_uris is no list of addresses")
    return " ".join("".join(each.split()) for each in given)


def _token_secrets(text: str) -> dict[str, str]:
    """From a token as google-auth, oauth2client or the token endpoint itself writes it."""
    given = _parsed("token", text)
    scopes = _scopes(given.get("scopes", given.get("scope")))
    secrets = {"refresh_token": _text("token", given, "refresh_token"), **scopes}
    for name in ("client_id", "client_secret"):
        if given.get(name):
            secrets[name] = _text("token", given, name)
    for name in ("refresh_token_expiry", "issued_at"):
        if at := _instant(given.get(name)):
            secrets[name] = at.isoformat()
    expiry = _instant(given.get("expiry") or given.get("token_expiry"))
    access = next((name for name in ("token", "access_token") if given.get(name)), None)
    if access and expiry:  # without a known end it is worth nothing: it is renewed at the first use
        secrets |= {"access_token": _text("token", given, access), "access_token_expiry": expiry.isoformat()}
    return secrets


def _parsed(field: str, text: str) -> dict[str, Any]:
    if len(text.encode()) > _MOST_BYTES:
        raise _bad(field, f"it is larger than {_MOST_BYTES // 1024} KiB")
    try:
        given = json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as e:
        raise _bad(field, "it is not JSON") from e
    if not isinstance(given, dict):
        raise _bad(field, "it is not a JSON object")
    return given


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _text(field: str, given: Json, name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > _MOST_CHARS:
        raise _bad(field, f"it holds no usable “{name}”")
    return value.strip()


def _is_google(address: Any) -> bool:
    try:
        parts = urlsplit(address) if isinstance(address, str) else None
    except ValueError:
        return False
    return parts is not None and parts.scheme == "https" and parts.netloc in _GOOGLE_HOSTS


def is_enough(granted: Iterable[str]) -> bool:
    """Do these permissions let us upload, and look at our own uploads?"""
    permissions = set(granted)
    return bool(permissions & _UPLOADING and permissions & _READING)


def _scopes(named: Any) -> dict[str, str]:
    """Where a token names its permissions, they must be enough."""
    if not named:
        return {}
    scopes = named.split() if isinstance(named, str) else named
    if not isinstance(scopes, list) or not all(isinstance(s, str) for s in scopes) or not is_enough(scopes):
        raise _bad("token", f"it lacks a permission; needed are {' and '.join(SCOPES)}")
    return {"scopes": " ".join(scopes)}


def _instant(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _bad(field: str, message: str) -> Invalid:
    return Invalid(f"The file for {field} cannot be used: {message}.", FieldError(field, message))
