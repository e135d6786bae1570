"""Admitting: whose a call is and what it may do, found in one transaction. People have sessions, programs have tokens.

What lives here: from the characters a caller offers to who they are. What does not: HTTP, CSRF, paths (the door).
The fact to know: only a bearer token may be a program's; a cookie with one opens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from forwarder_core.domain.machines import Scope, may_come_from
from forwarder_core.errors import Forbidden
from forwarder_core.services import api_tokens, signing_in, tunables
from forwarder_core.services.api_tokens import ApiToken
from forwarder_core.services.context import Core
from forwarder_core.services.signing_in import LONGEST_SESSION, SignedIn
from forwarder_core.services.tunables import Tuned

NETWORKS = "api.allowed_networks"
PER_CALLER = "api.calls_per_minute"
PER_ADDRESS = "api.address_calls_per_minute"
OPEN_METRICS = "api.metrics_on_loopback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How many calls a minute the door takes, from one caller and from one address."""

    per_caller: int
    per_address: int
    metrics_on_loopback: bool

    @classmethod
    def of(cls, tuned: Tuned) -> Rules:
        return cls(
            per_caller=tuned.count(PER_CALLER),
            per_address=tuned.count(PER_ADDRESS),
            metrics_on_loopback=bool(tuned.as_dict()[OPEN_METRICS]),
        )


DEFAULT_RULES = Rules.of(Tuned({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """`token_name`: of the program that calls; None = a person's session, which may do everything."""

    session: SignedIn
    scope: Scope
    token_name: str | None
    rules: Rules


def rules(core: Core) -> Rules:
    with core.begin() as tx:
        return Rules.of(tunables.read(tx))


def admit(core: Core, token: str | None, *, is_bearer: bool, address: str, is_use: bool = True) -> Admitted | None:
    """None for whoever is nobody. Raises Forbidden for a bearer from a network that is not allowed."""
    if not token or len(token) > 200 or not token.isascii():
        return None
    now = core.clock.now()
    with core.begin() as tx:
        tuned = tunables.read(tx)
        if is_bearer and not may_come_from(address, tuned.words(NETWORKS)):
            raise Forbidden(
                "Calls from this address are not allowed.", action=f"Add its network to the setting {NETWORKS}."
            )
        if is_bearer and token.startswith(api_tokens.PREFIX):
            program = api_tokens.proven(tx, token, address=address, now=now, is_use=is_use)
            return None if program is None else _program(program, now, Rules.of(tuned))
        session = signing_in.session_in(tx, token, now=now, tuned=tuned, is_use=is_use)
    if session is None:
        return None
    return Admitted(session=session, scope=Scope.ADMIN, token_name=None, rules=Rules.of(tuned))


def still(core: Core, token: str, *, is_bearer: bool) -> bool:
    """Does a token that was let in still open something? Asking keeps no session alive."""
    now = core.clock.now()
    with core.begin() as tx:
        if is_bearer and token.startswith(api_tokens.PREFIX):
            return api_tokens.proven(tx, token, address="", now=now, is_use=False) is not None
        return signing_in.session_in(tx, token, now=now, tuned=tunables.read(tx), is_use=False) is not None


def _program(token: ApiToken, now: datetime, rules: Rules) -> Admitted:
    session = SignedIn(
        user_id=token.user_id,
        username=token.username,
        csrf_token="",
        is_remembered=False,
        expires_at=token.expires_at or now + LONGEST_SESSION,
    )
    return Admitted(session=session, scope=token.scope, token_name=token.name, rules=rules)
