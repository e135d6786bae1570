"""The part of the contract that keeps an account signed in: renewing, and signing in on a platform's own page.

What lives here: what a platform may offer beyond its `Authenticator`. What does not: how an account form is read
(`base`). The fact to know: both are optional; a platform without them has credentials a person types in, and no end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from forwarder_core.connectors.base import Authenticator, Secrets
from forwarder_core.egress import Exit


@runtime_checkable
class RenewingAuthenticator(Authenticator, Protocol):
    """Of a way of signing in whose credential can be renewed without a person."""

    def renew(self) -> None:
        """Renew it now, once however many ask at the same time; what came of it is in the credential box. Nothing where
        the platform does not renew one so young. Raises AuthExpired or AuthInvalid where only a person can help."""
        ...


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """A sign-in under way on a platform's own page. All text, so that it can be kept as a row.

    `code_verifier` is empty where the platform knows no PKCE."""

    state: str
    code_verifier: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class StartedSignIn:
    """`warning`: the platform will probably refuse, and what must be registered first, in words; None where all is
    well."""

    url: str
    pending: PendingSignIn
    warning: str | None


class WebSignIn(Protocol):
    """The module an `AuthMethod.web_sign_in` names."""

    def begin(self, secrets: Secrets, redirect_uri: str) -> StartedSignIn: ...

    def finish(
        self, secrets: Secrets, pending: PendingSignIn, query: Mapping[str, str], exit_: Exit, now: datetime
    ) -> dict[str, str]:
        """All secrets of the account with its new token. Raises Forbidden, Invalid and the classes of network and
        platform. Who has signed in is not looked at: the caller asks `identify` before it keeps anything."""
        ...

    def redirect_warning(self, secrets: Secrets, redirect_uri: str) -> str | None: ...
