"""Who an Instagram login belongs to, and what a person may type in as one.

What lives here: the authenticator and the normalising of the account form. What does not: when to sign in (`session`).
The fact to know: a browser shows the session id percent-encoded and the app sends it so; one pasted decoded is
encoded again here, because Instagram takes the other spelling for another, unknown session.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, quote, unquote, urlsplit

from forwarder_core.connectors.base import CredentialBox, Identity
from forwarder_core.connectors.shapes import understood
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.errors import FieldError, Invalid
from forwarder_core.platforms.instagram.client import POLITE, Pace
from forwarder_core.platforms.instagram.graph_auth import FIELDS as GRAPH_FIELDS
from forwarder_core.platforms.instagram.graph_auth import graph_fields
from forwarder_core.platforms.instagram.session import PASSWORD, SESSION_ID, TOTP_SEED, Session

_SESSION_ID = re.compile(r"\d+:[\x21-\x7e]+")
_SHORTEST_SESSION_ID = 31  # the client library refuses shorter ones


class InstagramAuthenticator:
    def __init__(self, account: Account, box: CredentialBox, exit_: Exit, *, pace: Pace = POLITE) -> None:
        self._session = Session(account, box, exit_, pace=pace)

    @understood("Instagram")
    def identify(self) -> Identity:
        owner = self._session.ask(lambda client: client.account_info())
        return Identity(remote_id=str(owner.pk), handle=str(owner.username), title=str(owner.full_name))

    def sign_in(self, ask_code: Callable[[], str]) -> Identity:
        """The login with a person at hand: `ask_code` blocks until the code Instagram sent is known and returns it,
        or "" to give up (then `ChallengeRequired`). The code just sent stays valid because the client stays alive."""
        self._session.sign_in_with(ask_code)
        return self.identify()


def secrets_from_form(fields: Mapping[str, str]) -> dict[str, str]:
    """The credentials as they are stored, from what was typed in for either road. Raises `Invalid` naming every bad
    field."""
    typed = {name: value.strip() if name != PASSWORD else value for name, value in fields.items() if value.strip()}
    graph, bad_graph = graph_fields(fields)
    bad = [
        FieldError(f"credentials.{name}", "There is no such field.")
        for name in sorted(set(fields) - {PASSWORD, SESSION_ID, TOTP_SEED, *GRAPH_FIELDS})
    ] + bad_graph
    if not graph and PASSWORD not in typed and SESSION_ID not in typed:
        bad.append(FieldError(f"credentials.{PASSWORD}", "Give the password or a session id."))
    secrets = {**typed, **graph}
    for name, clean in ((SESSION_ID, _session_id), (TOTP_SEED, _totp_seed)):
        if name in typed:
            try:
                secrets[name] = clean(typed[name])
            except ValueError as e:
                bad.append(FieldError(f"credentials.{name}", str(e)))
    if bad:
        raise Invalid("The credentials cannot be used as they are.", *bad)
    return secrets


def _session_id(text: str) -> str:
    value = unquote(text.removeprefix("sessionid=").strip('";'))
    if not _SESSION_ID.fullmatch(value) or len(value) < _SHORTEST_SESSION_ID:
        raise ValueError("A session id begins with the account's number and a colon (or %3A), and is longer.")
    return quote(value, safe="")


def _totp_seed(text: str) -> str:
    if text.lower().startswith("otpauth:"):
        text = "".join(parse_qs(urlsplit(text).query).get("secret", []))
    seed = re.sub(r"[\s-]", "", text).rstrip("=").upper()
    try:
        known = base64.b32decode(seed + "=" * (-len(seed) % 8))
    except binascii.Error:
        known = b""
    if not known:
        raise ValueError("A two-factor secret consists of the letters A to Z and the digits 2 to 7.")
    return seed
