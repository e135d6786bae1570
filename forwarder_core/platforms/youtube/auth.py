"""The sign-in of a YouTube account: what the admin hands in, made into our secrets, and proved by one call.

What lives here: reading the two JSON files of the account form strictly, and `identify`. What does not: renewing
tokens (tokens.py) and the web sign-in itself (a service walks through it).
The fact to know: a client JSON names the addresses our secrets are sent to. A file with another address than
Google's is refused, and even Google's are never taken from the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from forwarder_core.connectors.base import CredentialBox, Identity
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.errors import FieldError, Invalid
from forwarder_core.platforms.youtube.client import YouTubeClient

SCOPES = (
    "https://www.googleapis.com/auth/youtube.upload",
    "https://www.googleapis.com/auth/youtube.readonly",
)

_MOST_BYTES = 64 * 1024
_MOST_CHARS = 2048  # of one value
_GOOGLE_HOSTS = ("accounts.google.com", "oauth2.googleapis.com")
_FULL_SCOPE = "https://www.googleapis.com/auth/youtube"
_UPLOADING = {SCOPES[0], _FULL_SCOPE, f"{_FULL_SCOPE}.force-ssl"}
_READING = {SCOPES[1], _FULL_SCOPE, f"{_FULL_SCOPE}.force-ssl"}

Json = Mapping[str, Any]


class YouTubeAuthenticator:
    def __init__(self, account: Account, box: CredentialBox, exit_: Exit) -> None:
        self._client = YouTubeClient(box, exit_)

    def identify(self) -> Identity:
        with self._client:
            channel = self._client.own_channel("snippet")
        snippet = channel.get("snippet", {})
        title = str(snippet.get("title", ""))
        return Identity(remote_id=str(channel["id"]), handle=str(snippet.get("customUrl") or title), title=title)


def secrets_from_form(fields: Mapping[str, str]) -> dict[str, str]:
    """The secrets in `oauth_client` and `token`, each the text of a JSON file; a field that is missing adds none.

    Raises Invalid, naming the field. The answer is merged over the secrets an account has already.
    """
    client = _client_secrets(fields["oauth_client"]) if fields.get("oauth_client") else {}
    token = _token_secrets(fields["token"]) if fields.get("token") else {}
    if not client and not token:
        raise _bad("oauth_client", "an OAuth client JSON is needed")
    if client and token.get("client_id", client["client_id"]) != client["client_id"]:
        raise _bad("token", "this token was made for another OAuth client")
    return {**token, **client}


def _client_secrets(text: str) -> dict[str, str]:
    given = _parsed("oauth_client", text)
    kinds = [kind for kind in ("installed", "web") if kind in given]
    if len(kinds) != 1 or not isinstance(given[kinds[0]], dict):
        raise _bad("oauth_client", "it must hold either “installed” or “web”, as the Google Cloud console writes it")
    client = given[kinds[0]]
    for name in ("auth_uri", "token_uri"):
        if name in client and not _is_google(client[name]):
            raise _bad("oauth_client", f"its {name} is not at {' or '.join(_GOOGLE_HOSTS)}")
    return {name: _text("oauth_client", client, name) for name in ("client_id", "client_secret")}


def _token_secrets(text: str) -> dict[str, str]:
    """From a token as google-auth, oauth2client or the token endpoint itself writes it."""
    given = _parsed("token", text)
    _check_scopes(given.get("scopes", given.get("scope")))
    secrets = {"refresh_token": _text("token", given, "refresh_token")}
    for name in ("client_id", "client_secret"):
        if given.get(name):
            secrets[name] = _text("token", given, name)
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


def _check_scopes(scopes: Any) -> None:
    """Where a token names its permissions, they must be enough to upload and to look at our own uploads."""
    if not scopes:
        return
    granted = set(scopes.split() if isinstance(scopes, str) else map(str, scopes) if isinstance(scopes, list) else ())
    if not granted & _UPLOADING or not granted & _READING:
        raise _bad("token", f"it lacks a permission; needed are {' and '.join(SCOPES)}")


def _instant(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _bad(field: str, message: str) -> Invalid:
    return Invalid(f"The file for {field} cannot be used: {message}.", FieldError(field, message))
