"""Signing in on a platform's own page: begun here, finished when the platform sends the admin back.

What lives here: the state of a sign-in under way, kept on this server, good once, for ten minutes, for the session that
began it. What does not: the platform's page and its exchange (`AuthMethod.web_sign_in`), and taking the result over
(`proving`).
The fact to know: only the hash of the state is stored, and the verifier sealed beside it, so neither a copy of the
database nor a callback that was seen by somebody is enough to finish another's sign-in.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from forwarder_core.connectors import registry
from forwarder_core.connectors.base import AuthMethod, Identity, Secrets
from forwarder_core.connectors.sign_ins import PendingSignIn, WebSignIn
from forwarder_core.db import oauth_states, people
from forwarder_core.db.oauth_states import OAuthState
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.tokens import TokenFacts
from forwarder_core.errors import Conflict, FieldError, Invalid, RequestError
from forwarder_core.services import accounts as accounts_service
from forwarder_core.services import exits, proving, renewing
from forwarder_core.services.context import Core
from forwarder_core.services.credentials import StoredCredentials

LIFE = timedelta(minutes=10)
_KEPT = timedelta(days=1)  # after its end, so that a late answer can be told why it is refused
_AGAIN = "Open the account under Accounts and press Authorise again."


class SignInUnknown(RequestError):
    code, status, action = "oauth_state_unknown", 403, _AGAIN


class SignInForeign(RequestError):
    code, status = "oauth_state_foreign", 403
    action = "Finish it in the browser it was begun in, or press Authorise again here."


class SignInUsed(RequestError):
    code, status = "oauth_state_used", 409
    action = "Look at the account: it may be signed in already. Press Authorise again if it is not."


class SignInExpired(RequestError):
    code, status, action = "oauth_state_expired", 410, _AGAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Where to send the admin. `warning`: what must be registered at the platform first, in words."""

    url: str
    redirect_uri: str
    warning: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    account: Account
    identity: Identity
    facts: TokenFacts


@dataclass(frozen=True, slots=True)
class Page:
    """How an account signs in on its platform's own page."""

    method: AuthMethod
    module: WebSignIn

    def redirect_uri(self, core: Core) -> str:
        """Our address the platform sends people back to, exactly as it must be registered there."""
        return f"{core.settings.base_url}{self.method.callback}"

    @property
    def start_path(self) -> str:
        return f"/api/oauth/{self.method.provider}/start"


def page_of(account: Account) -> Page | None:
    """None where the account's way of signing in knows no page."""
    method, module = registry.auth_method(account), registry.web_sign_in(account)
    return None if method is None or module is None else Page(method, module)


def redirect_uri_of(core: Core, platform: str, auth_method: str) -> str | None:
    """For forms: what to register at the platform before the account is there."""
    methods = registry.spec(platform).auth_methods
    method = next((m for m in methods if m.name == auth_method and m.web_sign_in), None)
    return None if method is None else f"{core.settings.base_url}{method.callback}"


def warning(core: Core, account: Account, secrets: Secrets) -> str | None:
    page = page_of(account)
    return None if page is None else page.module.redirect_warning(secrets, page.redirect_uri(core))


def warning_of(core: Core, account: Account) -> str | None:
    """The same, of the credentials the account has."""
    return warning(core, account, StoredCredentials(core, account.id).read())


def start(
    core: Core,
    account_id: int,
    *,
    provider: str,
    session: str,
    who: str,
    token_id: int | None = None,
    login: str | None = None,
) -> Started:
    """Begin a sign-in. `session`: the token of the session that may finish it. `login`: which of a platform's logins.

    Raises Conflict where the account signs in otherwise, Invalid where it has no client yet.
    """
    account = accounts_service.get(core, account_id)
    page = page_of(account)
    if page is None or page.method.provider != provider:
        raise Conflict(
            f"Account “{account.alias}” does not sign in on this page.", action="Choose an account of that platform."
        )
    _check_token(core, account, token_id)
    secrets = _with_login(StoredCredentials(core, account_id, token_id).read(), login)
    begun = page.module.begin(secrets, page.redirect_uri(core))
    now = core.clock.now()
    pending = {"state": begun.pending.state, "code_verifier": begun.pending.code_verifier}
    row = {
        "state_hash": _hash(begun.pending.state),
        "session_hash": _hash(session),
        "account_id": account_id,
        "token_id": token_id if token_id not in (None, account_id) else None,
        "provider": provider,
        "who": who,
        "pending": core.vault.seal(pending | {"redirect_uri": begun.pending.redirect_uri, "login": login or ""}),
        "created_at": now,
        "expires_at": now + LIFE,
    }
    with core.begin() as tx:
        oauth_states.forget(tx, now - _KEPT)
        oauth_states.add(tx, row)
        people.audit(tx, who=who, what="web_sign_in_begun", target=f"account:{account_id}", now=now)
    return Started(url=begun.url, redirect_uri=begun.pending.redirect_uri, warning=begun.warning, expires_at=now + LIFE)


def finish(core: Core, provider: str, query: Mapping[str, str], *, session: str) -> Finished:
    """The platform's answer, with the session it came back to. Whatever comes of it, the same answer counts once.

    Raises the SignIn… errors above, Invalid (declined, or not taken), AnotherIdentity, and the platform's StepFailed;
    the account's present credentials are kept then.
    """
    begun = _taken(core, provider, query.get("state", ""), session)
    sealed = core.vault.unseal(begun.pending)
    login = sealed.pop("login", "")
    account = accounts_service.get(core, begun.account_id)
    page = page_of(account)
    if page is None:
        raise Conflict("The account signs in in another way now.", action=_AGAIN)
    before = StoredCredentials(core, account.id, begun.token_id).read()
    with core.begin() as tx:
        exit_ = exits.exit_of(core, tx, account)
    secrets = _with_login(before, login or None)
    made = page.module.finish(secrets, PendingSignIn(**sealed), query, exit_, core.clock.now())
    identity, proven = proving.prove(core, account, made)
    facts = proving.take_over(
        core,
        account,
        proven,
        before=before,
        identity=identity,
        who=begun.who,
        how="oauth",
        token_id=begun.token_id,
    )
    return Finished(account=accounts_service.get(core, account.id), identity=identity, facts=facts)


def _taken(core: Core, provider: str, state: str, session: str) -> OAuthState:
    now, hashed = core.clock.now(), _hash(state)
    with core.begin() as tx:
        known = oauth_states.get(tx, hashed)
        if known is None or known.provider != provider:
            raise SignInUnknown("No sign-in that was begun here waits for this answer.")
        if not hmac.compare_digest(known.session_hash, _hash(session)):
            raise SignInForeign("This sign-in was begun in another session.")
        if known.used_at is not None:
            raise SignInUsed("This answer has been used already.")
        if known.expires_at <= now:
            raise SignInExpired(f"The sign-in took longer than {LIFE.seconds // 60} minutes.")
        if not oauth_states.use(tx, hashed, now):
            raise SignInUsed("This answer is being used already.")
    return known


def _check_token(core: Core, account: Account, token_id: int | None) -> None:
    if token_id is not None and renewing.hold(core, token_id).account.id != account.id:
        raise Invalid("The token is none of this account.", FieldError("token_id", "is of another account"))


def _with_login(secrets: Secrets, login: str | None) -> Secrets:
    return secrets if login is None else {**secrets, "login": login}


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
