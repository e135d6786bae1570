"""Signing in and out: passwords, the code of a second factor, and server-side sessions.

Whoever holds a session's token is the user; only the token's SHA-256 is stored, so signing out and a password change
end a session everywhere at once. HTTP (cookies, CSRF, redirects) is the door's business.
The fact to know: hashes are plain bcrypt of cost 12, the same as Streamlit-Authenticator's `Hasher` makes; that package
itself cannot be imported here, because it brings all of Streamlit with it.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import bcrypt

from forwarder_core.db import people
from forwarder_core.db.columns import storable
from forwarder_core.db.engine import Tx
from forwarder_core.db.people import StoredSession, User
from forwarder_core.errors import FieldError, Invalid, NotSignedIn
from forwarder_core.services import guessing, second_factor, tunables
from forwarder_core.services.context import Core
from forwarder_core.services.refusals import CodeRefused, SecondFactorNeeded
from forwarder_core.services.tunables import Tuned
from forwarder_core.vault import UnreadableSecret

MOST_BYTES = 72  # bcrypt looks at no more
LONGEST_SESSION = timedelta(days=90)  # however much it is used
_TOUCH_EVERY = timedelta(seconds=60)
_TICKET_LASTS = timedelta(minutes=5)
_NAME_CHARS = 200  # of a name that somebody typed, kept with a failed try
_COST = 12
# Of nobody's password: checking it costs the same as checking a real one, so that time does not tell who exists.
_NOBODY = "$2b$12$ELDh/S1t15N.XdEk28IfKOjnFufNNJMjJYagt6Kv9Q1AgxsJpOQFG"
_WRONG = "Invalid username or password"
_SPECIAL = set("!@#$%^&*()_+-=[]{};':\"\\|,.<>/?`~ ")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Who is signed in, by which session. `expires_at`: unused from now on, it ends then."""

    user_id: int
    username: str
    csrf_token: str = field(repr=False)
    is_remembered: bool
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """A session just opened; the only moment its token is known."""

    token: str = field(repr=False)
    session: SignedIn


def needs_first_user(core: Core) -> bool:
    with core.begin() as tx:
        return not people.has_user(tx)


def add_first_user(core: Core, username: str, password: str) -> None:
    """The administrator of a new installation; nothing where there is one already."""
    hashed = _hashed(password)
    with core.begin() as tx:
        now = core.clock.now()
        if not people.has_user(tx) and people.add_user(tx, username, hashed, now):
            people.audit(tx, who="system", what="user_added", target=username, now=now)


def sign_in(
    core: Core,
    username: str,
    password: str,
    *,
    address: str,
    remember: bool = False,
    replaces: str | None = None,
    code: str | None = None,
) -> Opened:
    """Open a session. `replaces`: the token the browser had before, which ends. `code`: of the second factor.

    Raises NotSignedIn, in the same words and the same time whether the user exists or not, SecondFactorNeeded where
    the password is right and a code is wanted that was not given, and TooManyRequests.
    """
    username = storable(username)[:_NAME_CHARS]
    with core.begin() as tx:
        guessing.count(core, tx, username, address)
        user = people.find_user(tx, username)
    if not _matches(password, user.password_hash if user else _NOBODY) or user is None:
        _note_refusal(core, username, address)
        raise NotSignedIn(_WRONG, action="Check the name and the password and try again.")
    if user.totp is not None:
        if not code:
            raise SecondFactorNeeded("Enter the code of your authenticator app.", ticket=_ticket(core, user))
        _prove(core, user, code, address)
    return _open(core, user, address=address, remember=remember, replaces=replaces)


def sign_in_with_code(
    core: Core, ticket: str, code: str, *, address: str, remember: bool = False, replaces: str | None = None
) -> Opened:
    """The second half of a sign-in: the ticket of SecondFactorNeeded and the code. A try counts like any other."""
    user = _holder(core, ticket)
    if user is None:
        raise NotSignedIn("That took too long. Please login again.", action="Begin again with name and password.")
    with core.begin() as tx:
        guessing.count(core, tx, user.username, address)
    _prove(core, user, code, address)
    return _open(core, user, address=address, remember=remember, replaces=replaces)


def _prove(core: Core, user: User, code: str, address: str) -> None:
    if not second_factor.accepts(core, user, code):
        _note_refusal(core, user.username, address)
        raise CodeRefused("That code is not right")


def _note_refusal(core: Core, username: str, address: str) -> None:
    with core.begin() as tx:
        people.audit(tx, who=username, what="sign_in_refused", target=address, now=core.clock.now())


def _open(core: Core, user: User, *, address: str, remember: bool, replaces: str | None) -> Opened:
    token, now = secrets.token_urlsafe(32), core.clock.now()
    stored = StoredSession(
        user_id=user.id,
        username=user.username,
        csrf_token=secrets.token_urlsafe(24),
        is_remembered=remember,
        created_at=now,
        seen_at=now,
        expires_at=now + LONGEST_SESSION,
    )
    with core.begin() as tx:
        guessing.forgive(tx, user.username, address)
        people.forget_sessions(tx, now)
        if replaces:
            people.remove_session(tx, _hash_of(replaces))
        _store(tx, token, stored, address)
        people.audit(tx, who=user.username, what="signed_in", target=address, now=now)
        tuned = tunables.read(tx)
    return Opened(token, _signed_in(stored, tuned))


def _ticket(core: Core, user: User) -> str:
    """Worth nothing without a code, to nobody else, after minutes, or after a change of the password."""
    until = core.clock.now() + _TICKET_LASTS
    said = {"user": user.username, "password": _mark_of(user), "until": until.isoformat()}
    return core.vault.seal(said).decode()


def _holder(core: Core, ticket: str) -> User | None:
    try:
        said = core.vault.unseal(ticket.encode())
        until = datetime.fromisoformat(said["until"])
    except (UnreadableSecret, ValueError, KeyError):
        return None
    with core.begin() as tx:
        user = people.find_user(tx, said.get("user", ""))
    is_same = user is not None and said.get("password") == _mark_of(user)
    return user if is_same and core.clock.now() < until else None


def _mark_of(user: User) -> str:
    return hashlib.sha256(user.password_hash.encode()).hexdigest()


def session_of(core: Core, token: str | None, *, is_use: bool = True) -> SignedIn | None:
    """The session behind a token, or None. `is_use` False: a look that does not keep the session alive."""
    if not token or len(token) > 200 or not token.isascii():
        return None
    now = core.clock.now()
    with core.begin() as tx:
        return session_in(tx, token, now=now, tuned=tunables.read(tx), is_use=is_use)


def session_in(tx: Tx, token: str, *, now: datetime, tuned: Tuned, is_use: bool) -> SignedIn | None:
    """The same within a transaction of the caller's."""
    token_hash = _hash_of(token)
    stored = people.session(tx, token_hash)
    if stored is None:
        return None
    if now >= _ends_at(stored, tuned):
        people.remove_session(tx, token_hash)
        return None
    if is_use and now - stored.seen_at >= _TOUCH_EVERY:
        people.touch_session(tx, token_hash, now)
    return _signed_in(stored, tuned)


def sign_out(core: Core, token: str) -> None:
    """End the session; nothing where there is none."""
    with core.begin() as tx:
        stored = people.session(tx, _hash_of(token))
        if stored is not None and people.remove_session(tx, _hash_of(token)):
            people.audit(tx, who=stored.username, what="signed_out", now=core.clock.now())


def change_password(core: Core, username: str, *, current: str, new: str, confirm: str, address: str) -> None:
    """Raises Invalid naming every bad field, TooManyRequests. Every session of the user ends, this one too."""
    with core.begin() as tx:
        guessing.count(core, tx, username, address)
        user = people.find_user(tx, username)
    if user is None or not _matches(current, user.password_hash):
        raise Invalid("The password was not changed.", FieldError("current_password", "is not the present password"))
    problems = [FieldError("new_password", f"must {rule}") for rule in broken_rules(new)]
    if new == current:
        problems.append(FieldError("new_password", "must differ from the present one"))
    if new != confirm:
        problems.append(FieldError("confirm_password", "is not the same as the new password"))
    with core.begin() as tx:
        guessing.forgive(tx, username, address)
    if problems:
        raise Invalid("The password was not changed.", *problems)
    hashed = _hashed(new)
    with core.begin() as tx:
        now = core.clock.now()
        people.set_password(tx, user.id, hashed, now)
        people.remove_sessions_of(tx, user.id)
        people.audit(tx, who=username, what="password_changed", now=now)


def broken_rules(password: str) -> list[str]:
    """What a new password lacks, each as the end of “must …”."""
    rules = {
        "have at least 8 characters": len(password) >= 8,
        f"have at most {MOST_BYTES} bytes": len(_bytes(password)) <= MOST_BYTES,
        "contain an uppercase letter": any(c.isupper() for c in password),
        "contain a lowercase letter": any(c.islower() for c in password),
        "contain a number": any(c.isdigit() for c in password),
        "contain a special character": any(c in _SPECIAL for c in password),
    }
    return [rule for rule, is_kept in rules.items() if not is_kept]


def _store(tx: Tx, token: str, stored: StoredSession, address: str) -> None:
    people.add_session(
        tx,
        {
            "token_hash": _hash_of(token),
            "user_id": stored.user_id,
            "csrf_token": stored.csrf_token,
            "is_remembered": stored.is_remembered,
            "address": address,
            "created_at": stored.created_at,
            "seen_at": stored.seen_at,
            "expires_at": stored.expires_at,
        },
    )


def _signed_in(stored: StoredSession, tuned: Tuned) -> SignedIn:
    return SignedIn(
        user_id=stored.user_id,
        username=stored.username,
        csrf_token=stored.csrf_token,
        is_remembered=stored.is_remembered,
        expires_at=_ends_at(stored, tuned),
    )


def _ends_at(stored: StoredSession, tuned: Tuned) -> datetime:
    idle = (
        timedelta(days=tuned.number("session.remember_days"))
        if stored.is_remembered
        else timedelta(minutes=tuned.number("session.idle_minutes"))
    )
    return min(stored.seen_at + idle, stored.expires_at)


def _hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _hashed(password: str) -> str:
    return bcrypt.hashpw(_bytes(password), bcrypt.gensalt(_COST)).decode()


def _matches(password: str, hashed: str) -> bool:
    """One bcrypt whatever was typed: a password too long for it costs as much as any other."""
    typed = _bytes(password)
    return bcrypt.checkpw(typed[:MOST_BYTES], hashed.encode()) and len(typed) <= MOST_BYTES


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
