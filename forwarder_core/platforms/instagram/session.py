"""One account's signed-in client: from the stored session, and at most one new login however many ask.

What lives here: when to sign in, with what, and what is stored in the account's credential box. What does not: the
client itself (`client`) and the form (`auth`).
The fact to know: a login is what Instagram distrusts most. Polls run on the stored session; only when Instagram ends
it does one process sign in, under the box's lock, and those who waited take its result, or its refusal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import TypeVar

from forwarder_core.connectors.base import CredentialBox, Secrets
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.errors import AuthExpired, AuthInvalid, StepFailed, failure_classes
from forwarder_core.platforms.instagram.client import (
    POLITE,
    Client,
    Pace,
    build,
    device_of,
    require_session,
    session_id_of,
    settings_of,
)
from forwarder_core.platforms.instagram.errors import translated

Answer = TypeVar("Answer")

PASSWORD, SESSION_ID, TOTP_SEED = "password", "session_id", "totp_seed"  # what a person gave
SETTINGS = "settings"  # the device and its session, JSON
MADE_FROM = "settings_made_from"  # digest of what the session was made from: a changed password means a new login
TRIES = "login_tries"  # how many logins were tried, so that those who waited see that one was
REFUSAL = "login_refusal"  # how the last one ended, JSON; absent after a success


class Session:
    """Calls Instagram as one account. Not for use by several threads at once; each builds its own."""

    def __init__(self, account: Account, box: CredentialBox, exit_: Exit, *, pace: Pace = POLITE) -> None:
        self._account = account
        self._box = box
        self._exit = exit_
        self._pace = pace
        self._client: Client | None = None
        self._tries = ""

    @property
    def exit(self) -> Exit:
        return self._exit

    def ask(self, question: Callable[[Client], Answer]) -> Answer:
        """Put a repeatable question; signs in once more when the session turns out to be over."""
        client = self.client()
        try:
            with translated(self._exit):
                return question(client)
        except AuthExpired:
            client = self._renewed(session_id_of(client.get_settings()))
        with translated(self._exit):
            return question(client)

    def client(self) -> Client:
        """The signed-in client, without proof that the session still lives."""
        if self._client is None:
            secrets = self._box.read()
            self._tries = secrets.get(TRIES, "")
            if not _is_signed_in(secrets):
                return self._renewed(None)
            self._client = build(self._exit, _settings(secrets), pace=self._pace)
            self._client.username = self._account.handle
        return self._client

    def sign_in_with(self, ask_code: Callable[[], str]) -> None:
        """A login with a person at hand, who is asked for the code Instagram sends. May take minutes, so the box is
        locked only to store its result."""
        secrets = self._box.change(self._with_device)  # kept whatever comes of it: Instagram will have seen it
        client = build(self._exit, device_of(_settings(secrets)), pace=self._pace, ask_code=ask_code)
        with translated(self._exit):
            _log_in_by_password(client, self._account.handle, secrets)
        self._box.change(lambda now: _signed_in(now, client))
        self._client = None

    def _with_device(self, secrets: Secrets) -> Secrets:
        if secrets.get(SETTINGS):
            return secrets
        return {**secrets, SETTINGS: json.dumps(settings_of(build(self._exit, {}, pace=self._pace)))}

    def _renewed(self, stale: str | None) -> Client:
        """A client with another session than `stale`: by someone else's login since we read the box, else ours."""

        def renew(secrets: Secrets) -> Secrets:
            if _is_signed_in(secrets) and session_id_of(_settings(secrets)) != stale:
                return secrets
            if secrets.get(TRIES, "") != self._tries:
                return secrets
            return self._after_login(secrets, stale)

        secrets = self._box.change(renew)
        self._tries = secrets.get(TRIES, "")
        if refusal := secrets.get(REFUSAL):
            raise _restored(refusal)
        self._client = build(self._exit, _settings(secrets), pace=self._pace)
        self._client.username = self._account.handle
        return self._client

    def _after_login(self, secrets: Secrets, stale: str | None) -> dict[str, str]:
        """The secrets as they are after one login, successful or not: a refusal is stored too, so that the others
        who wait for this one do not each try a wrong password."""
        tried = {**secrets, TRIES: str(int(secrets.get(TRIES) or 0) + 1)}
        device = device_of(_settings(secrets))
        session_id, password = secrets.get(SESSION_ID), secrets.get(PASSWORD)
        client = build(self._exit, device, pace=self._pace)
        try:
            if session_id and session_id != stale:
                try:
                    with translated(self._exit):
                        client.login_by_sessionid(session_id)
                        require_session(client)
                    return _signed_in(tried, client)
                except AuthExpired:
                    if not password:
                        raise
                    client = build(self._exit, device_of(settings_of(client)), pace=self._pace)
            with translated(self._exit):
                _log_in_by_password(client, self._account.handle, secrets)
        except StepFailed as e:
            return {**tried, SETTINGS: json.dumps(device_of(settings_of(client))), REFUSAL: _stored(e)}
        tried.pop(SESSION_ID, None)  # superseded: the next renewal would try it in vain
        return _signed_in(tried, client)


def _log_in_by_password(client: Client, username: str, secrets: Secrets) -> None:
    password, seed = secrets.get(PASSWORD), secrets.get(TOTP_SEED)
    if not password:
        raise AuthExpired(
            "Instagram has ended the session of this account.",
            action="Paste a fresh session id, or give the password, in Accounts → the account.",
        )
    try:
        code = client.totp_generate_code(seed) if seed else ""
    except ValueError as e:
        raise AuthInvalid("The two-factor secret is not one.", action="Enter it again in Accounts.") from e
    client.login(username, password, verification_code=code)
    require_session(client)


def _signed_in(secrets: Secrets, client: Client) -> dict[str, str]:
    kept = {name: value for name, value in secrets.items() if name != REFUSAL}
    return {**kept, SETTINGS: json.dumps(settings_of(client)), MADE_FROM: _digest(kept)}


def _is_signed_in(secrets: Secrets) -> bool:
    return session_id_of(_settings(secrets)) is not None and secrets.get(MADE_FROM) == _digest(secrets)


def _digest(secrets: Secrets) -> str:
    given = "\0".join(secrets.get(name, "") for name in (PASSWORD, SESSION_ID, TOTP_SEED))
    return hashlib.sha256(given.encode()).hexdigest()[:24]


def _settings(secrets: Secrets) -> dict[str, object]:
    return dict(json.loads(secrets.get(SETTINGS) or "{}"))


def _stored(error: StepFailed) -> str:
    return json.dumps(
        {
            "code": error.code,
            "message": error.message,
            "retry_after_s": error.retry_after_s,
            "raw": error.raw,
            "action": error.action,
        }
    )


def _restored(refusal: str) -> StepFailed:
    stored = json.loads(refusal)
    return failure_classes()[stored.pop("code")](stored.pop("message"), **stored)
