"""Who a Meta token belongs to, and what a person may type in with one.

What lives here: the authenticator of this road and its part of the account form. What does not: finding the account
behind a token (`graph_owner`), renewing it (`graph_session`).
The fact to know: `identify` goes through the session, so it also settles a new token and renews one that is due; an
hourly call of it keeps an account alive that nobody uses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from forwarder_core.clock import Clock
from forwarder_core.connectors.base import CredentialBox, Identity
from forwarder_core.connectors.shapes import understood
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.errors import FieldError
from forwarder_core.platforms.instagram.graph_client import GraphClient, Json, Variant, text
from forwarder_core.platforms.instagram.graph_session import GraphSession
from forwarder_core.platforms.instagram.graph_tokens import (
    APP_ID,
    APP_SECRET,
    EXPIRY,
    IG_USER,
    LOGIN,
    PAGE,
    TOKEN,
    instant,
)

TYPED_EXPIRY = "token_expiry"
FIELDS = (TOKEN, IG_USER, PAGE, TYPED_EXPIRY, APP_ID, APP_SECRET, LOGIN)
_TOKEN = re.compile(r"[\x21-\x7e]{8,1024}")
_APP_SECRET = re.compile(r"[0-9A-Za-z]{16,128}")
_ID = re.compile(r"\d{3,30}")


class GraphAuthenticator:
    def __init__(self, account: Account, box: CredentialBox, exit_: Exit, *, clock: Clock | None = None) -> None:
        self._session = GraphSession(account, box, exit_, clock=clock)

    @understood("Meta")
    def identify(self) -> Identity:
        with self._session as session:
            owner = session.ask(_profile)
            remote_id = session.ig_user_id
        handle = text(owner, "username")
        return Identity(remote_id=remote_id, handle=handle, title=str(owner.get("name") or handle))

    def renew(self) -> None:
        with self._session as session:
            session.renew()


def graph_fields(typed: Mapping[str, str]) -> tuple[dict[str, str], list[FieldError]]:
    """The part of the form that belongs to this road: what is stored of it, and what is wrong with it."""
    given = {name: typed[name].strip() for name in FIELDS if typed.get(name, "").strip()}
    if TOKEN in given:
        given[TOKEN] = re.sub(r"^(?:Bearer|OAuth)\s+", "", given[TOKEN])
    bad = []
    has_app = APP_ID in given and APP_SECRET in given
    if given and TOKEN not in given and not has_app:
        bad.append(FieldError(f"credentials.{TOKEN}", "The access token is missing, or the app to sign in with."))
    elif TOKEN in given and not _TOKEN.fullmatch(given[TOKEN]):
        bad.append(
            FieldError(f"credentials.{TOKEN}", "A token is one word of letters and digits, without line breaks.")
        )
    for name in (IG_USER, PAGE, APP_ID):
        if name in given and not _ID.fullmatch(given[name]):
            bad.append(FieldError(f"credentials.{name}", "An id consists of digits."))
    if APP_SECRET in given and not _APP_SECRET.fullmatch(given[APP_SECRET]):
        bad.append(FieldError(f"credentials.{APP_SECRET}", "An app secret consists of letters and digits."))
    if LOGIN in given and given[LOGIN] not in tuple(Variant):
        bad.append(FieldError(f"credentials.{LOGIN}", f"must be one of {', '.join(Variant)}"))
    if TYPED_EXPIRY in given:
        ends = instant(given.pop(TYPED_EXPIRY))
        if ends is None:
            bad.append(FieldError(f"credentials.{TYPED_EXPIRY}", "must be a date and time in ISO 8601"))
        else:
            given[EXPIRY] = ends.isoformat()
    return given, bad


def _profile(client: GraphClient, ig_user_id: str) -> Json:
    if client.variant is Variant.INSTAGRAM:
        return client.get("me", fields="user_id,username,name")
    return client.get(ig_user_id, fields="id,username,name")
