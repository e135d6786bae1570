"""Signing in with a person at hand: the admin asks for it, the keeper does it, and the code the platform sent goes
from the one to the other through the database.

What lives here: asking, handing over the code, the login itself and what follows from it. What does not: the platform's
own steps (its authenticator) and the keeper's threads.
The fact to know: a login that was cut short is never repeated by itself, because platforms distrust logins; it ends as
failed, and the admin asks again.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from secrets import token_hex
from typing import Any

from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Identity, InteractiveAuthenticator
from forwarder_core.db import accounts, people, sign_ins
from forwarder_core.db.engine import Tx
from forwarder_core.domain.accounts import Account, AccountEvent
from forwarder_core.errors import Conflict, FieldError, ForwarderError, Invalid, NotFound
from forwarder_core.logs import redact, remember_secret
from forwarder_core.services import accounts as accounts_service
from forwarder_core.services import challenges, exits, standing
from forwarder_core.services.context import Core
from forwarder_core.services.journal import about

CODE_WITHIN = timedelta(minutes=10)  # a code lives no longer on any platform
ALIVE = timedelta(seconds=20)  # a login whose keeper says nothing for so long is lost
_LOOK_EVERY_S = 0.5
_TRY_AGAIN = "Press “Sign in again” on the account when you have the code's e-mail or phone at hand."


class State(StrEnum):
    REQUESTED = "requested"
    SIGNING_IN = "signing_in"
    WAITING_FOR_CODE = "waiting_for_code"
    DONE = "done"
    FAILED = "failed"


_WITH_KEEPER = (State.SIGNING_IN, State.WAITING_FOR_CODE)
UNDER_WAY = (State.REQUESTED, *_WITH_KEEPER)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """How an account's newest sign-in stands. `asked`: how many codes were asked for, so that a second one is seen."""

    account_id: int
    state: State
    asked_by: str
    asked_at: datetime
    code_until: datetime | None = None
    asked: int = 0
    reason: str | None = None
    action: str | None = None

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY


@dataclass(frozen=True, slots=True)
class Ticket:
    """One login of one account: what its thread holds, so that a newer one is not written to by an older."""

    account_id: int
    ticket: str


# ---- the admin's side -------------------------------------------------------------------------------------------


def can_sign_in(account: Account) -> bool:
    """Does the account's way of signing in know a code that a person types in?"""
    methods = registry.spec(account.platform).auth_methods
    return any(method.asks_code for method in methods if method.name == account.auth_method)


def look(core: Core, account_id: int) -> SignIn | None:
    """The newest sign-in of the account, None where none was asked for."""
    with core.begin() as tx:
        return _read(tx, account_id)


def request(core: Core, account_id: int, *, who: str) -> SignIn:
    """Ask for a sign-in; while one is under way this is that one. Raises NotFound, Conflict."""
    account = accounts_service.get(core, account_id)
    if not can_sign_in(account):
        raise Conflict(
            f"Account “{account.alias}” has no sign-in that asks for a code.",
            action="Renew its credentials instead: Accounts → the account → Edit.",
        )
    now = core.clock.now()
    begun = {"state": State.REQUESTED, "ticket": token_hex(8), "asked_by": who, "asked_at": now.isoformat()}
    with core.begin() as tx:
        if sign_ins.ask(tx, account_id, begun, now, unless=UNDER_WAY):
            people.audit(tx, who=who, what="sign_in_requested", target=f"account:{account_id}", now=now)
        return _known(tx, account_id)


def give_code(core: Core, account_id: int, code: str, *, who: str) -> SignIn:
    """Hand the code to the login that waits for it; the same code again changes nothing. Raises Invalid, Conflict."""
    typed = "".join(code.split()).replace("-", "")
    if not typed.isalnum() or not typed.isascii() or not 4 <= len(typed) <= 12:
        raise Invalid("This is not a code.", FieldError("code", "must be 4 to 12 letters or digits"))
    remember_secret(typed)
    now = core.clock.now()
    with core.begin() as tx:
        row = sign_ins.get(tx, account_id, lock=True)
        if row and row["state"] in _WITH_KEEPER and hmac.compare_digest(_code_of(core, row).encode(), typed.encode()):
            return _known(tx, account_id)
        sealed = core.vault.seal({"code": typed}).decode()
        given = {"code": sealed, "is_new": True}
        waiting = (State.WAITING_FOR_CODE,)
        if row is None or not sign_ins.change(tx, account_id, row["ticket"], now, among=waiting, **given):
            raise Conflict("No sign-in of this account waits for a code.", action=_TRY_AGAIN)
        people.audit(tx, who=who, what="sign_in_code_given", target=f"account:{account_id}", now=now)
        return _known(tx, account_id)


def give_up(core: Core, account_id: int, *, who: str) -> SignIn | None:
    """End a sign-in that is under way; nothing where none is."""
    now = core.clock.now()
    with core.begin() as tx:
        row = sign_ins.get(tx, account_id, lock=True)
        ended = _ended(State.FAILED, f"Given up by {who}.", _TRY_AGAIN)
        if row and sign_ins.change(tx, account_id, row["ticket"], now, among=UNDER_WAY, **ended):
            people.audit(tx, who=who, what="sign_in_given_up", target=f"account:{account_id}", now=now)
        return _read(tx, account_id)


# ---- the keeper's side ------------------------------------------------------------------------------------------


def take(core: Core, most: int) -> list[Ticket]:
    """The sign-ins that begin now, the oldest first; each is given out once."""
    now = core.clock.now()
    with core.begin() as tx:
        asked = list(sign_ins.every(tx, (State.REQUESTED,)).items())[: max(0, most)]
        alive = {"state": State.SIGNING_IN, "alive_until": (now + ALIVE).isoformat()}
        return [
            Ticket(account_id, row["ticket"])
            for account_id, row in asked
            if sign_ins.change(tx, account_id, row["ticket"], now, among=(State.REQUESTED,), **alive)
        ]


def keep(core: Core, held: Sequence[Ticket]) -> None:
    """Their threads live."""
    if not held:
        return
    now = core.clock.now()
    alive = (now + ALIVE).isoformat()
    with core.begin() as tx:
        for one in held:
            sign_ins.change(tx, one.account_id, one.ticket, now, among=_WITH_KEEPER, alive_until=alive)


def end_lost(core: Core) -> None:
    """End those whose keeper died, and those no keeper took in time."""
    now = core.clock.now()
    with core.begin() as tx:
        for account_id, row in sign_ins.every(tx, UNDER_WAY).items():
            is_asked = row["state"] == State.REQUESTED
            until = _at(row["asked_at"]) + CODE_WITHIN if is_asked else _at(row["alive_until"])
            if until < now:
                reason = "Nothing took it up in time." if is_asked else "The sign-in was interrupted."
                ended = _ended(State.FAILED, reason, _TRY_AGAIN)
                sign_ins.change(tx, account_id, row["ticket"], now, among=UNDER_WAY, **ended)


def sign_in(core: Core, held: Ticket, *, is_stopping: Callable[[], bool] = lambda: False) -> None:
    """The whole login; returns when it has ended, well or not. Takes as long as the person does."""
    prompt = _Prompt(core, held, is_stopping)
    try:
        account = accounts_service.get(core, held.account_id)
        identity = _signed_in(core, account, prompt)
    except ForwarderError as e:
        _end(core, held, _ended(State.FAILED, prompt.why or redact(e.message), _TRY_AGAIN if prompt.why else e.action))
        about(account_id=held.account_id, code=e.code).warning("The sign-in failed: %s", prompt.why or e.message)
        return
    row = look(core, held.account_id)
    _trust_again(core, held.account_id, identity, who=row.asked_by if row else "system")
    _end(core, held, _ended(State.DONE, None, None))
    about(account_id=held.account_id).info("Signed in again as %s", identity.handle)


def _signed_in(core: Core, account: Account, prompt: _Prompt) -> Identity:
    with core.begin() as tx:
        exit_ = exits.exit_of(core, tx, account)
    authenticator = exits.authenticator(core, account, exit_)
    if not isinstance(authenticator, InteractiveAuthenticator):
        raise Conflict(f"{account.platform} has no sign-in that asks for a code.")
    return authenticator.sign_in(prompt.ask)


class _Prompt:
    """What the platform's login asks for the code: waits until a person has typed it in. `why`: what ended the wait."""

    def __init__(self, core: Core, held: Ticket, is_stopping: Callable[[], bool]) -> None:
        self._core, self._held, self._is_stopping = core, held, is_stopping
        self._asked = 0
        self.why: str | None = None

    def ask(self) -> str:
        until = self._core.clock.now() + CODE_WITHIN
        self._asked += 1
        waits = {"state": State.WAITING_FOR_CODE, "code_until": until.isoformat(), "asked": self._asked}
        if self._change((State.SIGNING_IN,), **waits, code=None, is_new=False):
            while not self._is_over(until):
                if code := self._typed():
                    return code
                time.sleep(_LOOK_EVERY_S)
        return ""

    def _is_over(self, until: datetime) -> bool:
        if self._is_stopping():
            self.why = "The product was stopped while it waited for the code."
        elif self._core.clock.now() >= until:
            self.why = f"No code was entered within {CODE_WITHIN.seconds // 60} minutes."
        return self.why is not None

    def _typed(self) -> str:
        with self._core.begin() as tx:
            row = sign_ins.get(tx, self._held.account_id)
            if row is None or row["ticket"] != self._held.ticket or row["state"] != State.WAITING_FOR_CODE:
                self.why = "The sign-in was given up."
                return ""
        if not row.get("is_new") or not self._change(
            (State.WAITING_FOR_CODE,), state=State.SIGNING_IN, is_new=False, code_until=None
        ):
            return ""
        return _code_of(self._core, row)

    def _change(self, among: Sequence[State], **values: Any) -> bool:
        with self._core.begin() as tx:
            held = self._held
            return sign_ins.change(tx, held.account_id, held.ticket, self._core.clock.now(), among=among, **values)


def _end(core: Core, held: Ticket, ended: dict[str, Any]) -> None:
    with core.begin() as tx:
        sign_ins.change(tx, held.account_id, held.ticket, core.clock.now(), among=_WITH_KEEPER, **ended)


# ---- what follows -----------------------------------------------------------------------------------------------


def _trust_again(core: Core, account_id: int, identity: Identity, *, who: str) -> None:
    """A challenge is solved by the login itself; an account held for its credentials is free again."""
    with core.begin() as tx:
        accounts.change(tx, account_id, {"remote_id": identity.remote_id})
        account = accounts.get(tx, account_id)
        if account is not None:
            standing.rise(tx, account, AccountEvent.SIGNED_IN, now=core.clock.now(), who=who, how="upload")
    challenges.resolve(core, account_id, notes="Signed in again, with the code entered here", who=who)


def _read(tx: Tx, account_id: int) -> SignIn | None:
    row = sign_ins.get(tx, account_id)
    if row is None:
        return None
    until = row.get("code_until")
    return SignIn(
        account_id=account_id,
        state=State(row["state"]),
        asked_by=row["asked_by"],
        asked_at=_at(row["asked_at"]),
        code_until=_at(until) if until else None,
        asked=row.get("asked", 0),
        reason=row.get("reason"),
        action=row.get("action"),
    )


def _known(tx: Tx, account_id: int) -> SignIn:
    found = _read(tx, account_id)
    if found is None:
        raise NotFound(f"No sign-in of account {account_id} was asked for.")
    return found


def _ended(state: State, reason: str | None, action: str | None) -> dict[str, Any]:
    """Without the code: nothing of it is kept."""
    return {"state": state, "reason": reason, "action": action, "code": None, "is_new": False, "code_until": None}


def _code_of(core: Core, row: dict[str, Any]) -> str:
    sealed = row.get("code")
    return core.vault.unseal(sealed.encode() if sealed else None).get("code", "")


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
