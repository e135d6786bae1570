"""The sign-in of one account for Google's library: its access token, renewed through the credential box.

What lives here: which token is used and when it is renewed. What does not: where secrets are stored (the box) and
what the admin types in (auth.py).
The fact to know: many processes share one account. Whoever wants a new token asks under the box's lock and first
looks whether another has renewed it; so an expired token costs one call to Google however many workers wait.

Secrets of an account: client_id, client_secret, refresh_token, access_token, access_token_expiry (ISO 8601, UTC).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from google.oauth2.credentials import Credentials

from forwarder_core.clock import Clock
from forwarder_core.connectors.base import CredentialBox, Secrets
from forwarder_core.errors import AuthExpired, PlatformTransient

TOKEN_URI = "https://oauth2.googleapis.com/token"
NEEDED = ("client_id", "client_secret", "refresh_token")

# google-auth takes no token from us with less than 3:45 minutes left; what has more here must have more there.
_SPARE = timedelta(minutes=5)
_LIFE_UNTOLD = timedelta(hours=1)


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
    try:
        at = datetime.fromisoformat(secrets["access_token_expiry"])
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
