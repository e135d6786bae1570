"""The sign-in of one account for Google's library: its access token, renewed through the credential box.

What lives here: which token is used and when it is renewed. What does not: where secrets are stored (the box) and
what the admin types in (auth.py).
The fact to know: many processes share one account. Whoever wants a new token asks under the box's lock and first
looks whether another has renewed it; so an expired token costs one call to Google however many workers wait.

Secrets of an account: client_id, client_secret, client_kind, redirect_uris, app_status; and those of one token
(`OF_ONE_TOKEN`), times as ISO 8601 in UTC. Google ends a refresh token after 7 days while the app is in testing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from google.oauth2.credentials import Credentials

from forwarder_core.clock import Clock
from forwarder_core.connectors.base import CredentialBox, Secrets
from forwarder_core.domain.tokens import RENEW_BEFORE, TokenFacts
from forwarder_core.errors import AuthExpired, PlatformTransient

TOKEN_URI = "https://oauth2.googleapis.com/token"
NEEDED = ("client_id", "client_secret", "refresh_token")
OF_ONE_TOKEN = (
    "refresh_token",
    "access_token",
    "access_token_expiry",
    "refresh_token_expiry",
    "issued_at",
    "scopes",
)
TESTING_LIFE = timedelta(days=7)  # of a refresh token while the consent screen is in “Testing”

# google-auth takes no token from us with less than 3:45 minutes left; what has more here must have more there.
_SPARE = timedelta(minutes=5)
_LIFE_UNTOLD = timedelta(hours=1)
_AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)


def token_facts(auth_method: str, secrets: Secrets) -> TokenFacts:
    """The end of a refresh token is known where Google has told it, or where the admin says the app is in testing."""
    issued, access_ends = _instant(secrets.get("issued_at")), _expiry(secrets)
    ends = _instant(secrets.get("refresh_token_expiry"))
    if ends is None and issued and secrets.get("app_status") == "testing":
        ends = issued + TESTING_LIFE
    is_signed_in = bool(secrets.get("refresh_token"))
    return TokenFacts(
        kind="youtube_oauth",
        title="YouTube OAuth Access Token",
        is_signed_in=is_signed_in,
        issued_at=issued,
        access_expires_at=access_ends,
        expires_at=ends,
        refresh_from=(access_ends - RENEW_BEFORE if access_ends else _AT_ONCE) if is_signed_in else None,
        client_id=secrets.get("client_id", ""),
        scopes=tuple(secrets.get("scopes", "").split()),
        by_hand="Sign in with Google again: Accounts → the account → Authorise.",
    )


def replaced_secrets(present: Secrets, new: Secrets) -> dict[str, str]:
    """A token is worth nothing to another client, and its dates nothing to another token."""
    is_other = bool(new.get("client_id")) and new["client_id"] != present.get("client_id")
    stale = OF_ONE_TOKEN if is_other or new.get("refresh_token") else ()
    return {**{name: value for name, value in present.items() if name not in stale}, **new}


class BoxedToken:
    """A `refresh_handler` of google-auth: it gives the token there is, or renews it in the box."""

    def __init__(self, box: CredentialBox, clock: Clock) -> None:
        self._box = box
        self._clock = clock
        self._given: str | None = None

    def credentials(self) -> Credentials:
        """For google-auth-httplib2, which asks us for a token when this one ends or is refused with a 401."""
        secrets = self._box.read()
        expiry = _expiry(secrets)
        self._given = secrets.get("access_token")
        return Credentials(
            self._given if expiry else None,
            expiry=expiry.replace(tzinfo=None) if expiry else None,
            refresh_handler=self,
        )

    def __call__(self, request: Any, scopes: Any = None) -> tuple[str, datetime]:
        secrets = self._box.change(lambda present: self._renewed(present, request))
        self._given = secrets["access_token"]
        expiry = _expiry(secrets)
        assert expiry is not None  # noqa: S101 - _renewed writes it, and keeps nothing without it
        return self._given, expiry.replace(tzinfo=None)

    def _renewed(self, present: Secrets, request: Any) -> Secrets:
        if self._is_newer(present):
            return present
        if missing := [name for name in NEEDED if not present.get(name)]:
            raise AuthExpired(f"This account is not signed in to Google ({', '.join(missing)} missing).")
        renewing = Credentials(None, token_uri=TOKEN_URI, **{name: present[name] for name in NEEDED})
        try:
            renewing.refresh(request)
            if not isinstance(renewing.token, str) or not isinstance(renewing.refresh_token, str):
                raise TypeError("a token that is no text")  # as text it would overwrite the one that is good
        except OSError:  # a refused certificate is a ValueError too
            raise
        except (TypeError, AttributeError, ValueError) as e:  # a 200 that is not what google-auth expects
            raise PlatformTransient("Google's sign-in answered in a form not known here.") from e
        expiry = renewing.expiry.replace(tzinfo=UTC) if renewing.expiry else self._clock.now() + _LIFE_UNTOLD
        return {
            **present,
            "access_token": str(renewing.token),
            "access_token_expiry": expiry.isoformat(),
            "refresh_token": str(renewing.refresh_token),
        }

    def _is_newer(self, present: Secrets) -> bool:
        """Has another process put a token here since we took ours, and does it live long enough?"""
        expiry = _expiry(present)
        is_other = present.get("access_token") not in (None, "", self._given)
        return is_other and expiry is not None and expiry - self._clock.now() > _SPARE


def _expiry(secrets: Secrets) -> datetime | None:
    """When the access token ends; None where there is none or it is not known, so that it is renewed."""
    if not secrets.get("access_token") or not secrets.get("access_token_expiry"):
        return None
    return _instant(secrets["access_token_expiry"])


def _instant(said: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(said or "")
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
