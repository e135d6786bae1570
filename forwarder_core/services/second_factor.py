"""The second factor, where the administrator wants one: six digits by time (TOTP, RFC 6238), or a recovery code.

What lives here: setting it up, ending it, and whether a code is right. What does not: the sign-in that asks for it
(`signing_in`). The facts to know: the secret is sealed by the vault and shown once; the time step of a code is taken in
one guarded UPDATE, so that no code is taken twice; each recovery code works once, and only its hash is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime

import pyotp

from forwarder_core.db import people
from forwarder_core.db.engine import Tx
from forwarder_core.db.people import User
from forwarder_core.errors import Conflict, FieldError, Invalid, NotFound
from forwarder_core.services import guessing
from forwarder_core.services.context import Core

STEP_S = 30
_DRIFT = (0, -1, 1)  # steps a phone's clock may be off
_CODES, _CODE_CHARS = 10, 12
_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"  # nothing that looks like something else
_KEY = "totp"


@dataclass(frozen=True, slots=True)
class Standing:
    is_on: bool
    codes_left: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """A secret to be put into an authenticator app; in use once a code of it was given."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


def standing(core: Core, username: str) -> Standing:
    with core.begin() as tx:
        user = _user(tx, username)
    return Standing(user.totp is not None, user.recovery_codes)


def propose(core: Core, username: str) -> Proposal:
    """A new secret. Raises Conflict while a second factor is in use."""
    secret = pyotp.random_base32()
    with core.begin() as tx:
        user = _user(tx, username)
        if user.totp is not None:
            raise Conflict("The second factor is on already.", action="Switch it off first, with a code of it.")
        people.propose_totp(tx, user.id, core.vault.seal({_KEY: secret}))
    uri = pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=core.settings.app_name)
    return Proposal(secret, uri)


def confirm(core: Core, username: str, code: str, *, address: str) -> list[str]:
    """The proposed secret is in use from now on; its recovery codes, shown this once. Invalid for a wrong code."""
    with core.begin() as tx:
        guessing.count(core, tx, username, address)
        user = _user(tx, username)
    step = _step_of(core, user.totp_pending, code)
    if user.totp_pending is None or step is None:
        raise Invalid("The second factor was not switched on.", FieldError("code", "is not the present one"))
    made = ["".join(secrets.choice(_ALPHABET) for _ in range(_CODE_CHARS)) for _ in range(_CODES)]
    with core.begin() as tx:
        if not people.begin_totp(tx, user.id, user.totp_pending, step, [_hash_of(one) for one in made]):
            raise Conflict("Another secret was shown meanwhile.", action="Begin again with the newest one.")
        guessing.forgive(tx, username, address)
        people.audit(tx, who=username, what="second_factor_on", now=core.clock.now())
    return [f"{one[:4]}-{one[4:8]}-{one[8:]}" for one in made]


def end(core: Core, username: str, code: str, *, address: str) -> None:
    """Off again, by a code of it or a recovery code. Raises Invalid for a wrong one, Conflict where it is off."""
    with core.begin() as tx:
        guessing.count(core, tx, username, address)
        user = _user(tx, username)
    if user.totp is None:
        raise Conflict("The second factor is off.", action="Nothing to do.")
    if not accepts(core, user, code):
        raise Invalid("The second factor stays on.", FieldError("code", "is not the present one"))
    with core.begin() as tx:
        people.end_totp(tx, user.id)
        guessing.forgive(tx, username, address)
        people.audit(tx, who=username, what="second_factor_off", now=core.clock.now())


def accepts(core: Core, user: User, code: str) -> bool:
    """Is it right, and was it never taken before? From now on it was."""
    typed = "".join(c for c in code.upper() if c.isalnum())
    step = _step_of(core, user.totp, typed)
    with core.begin() as tx:
        if step is not None:
            return people.use_totp_step(tx, user.id, step)
        return len(typed) == _CODE_CHARS and people.use_recovery_code(tx, user.id, _hash_of(typed))


def _step_of(core: Core, sealed: bytes | None, code: str) -> int | None:
    """The time step this is the code of, the present one or its neighbours; None where it is of none."""
    typed = "".join(c for c in code if c.isdigit())
    if sealed is None or len(typed) != 6:
        return None
    generator = pyotp.TOTP(core.vault.unseal(sealed)[_KEY])
    now = _steps(core.clock.now())
    matching = [now + n for n in _DRIFT if hmac.compare_digest(generator.generate_otp(now + n), typed)]
    return matching[0] if matching else None


def _steps(at: datetime) -> int:
    return int(at.timestamp()) // STEP_S


def _hash_of(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def _user(tx: Tx, username: str) -> User:
    found = people.find_user(tx, username)
    if found is None:
        raise NotFound(f"There is no user {username}.")
    return found
