"""Tokens: what is known of each credential, handing in a new one, renewing it now, and the calendar of those that end.

The fact to know: an account's own credential has the account's number, so `/api/tokens/23` is account 23's own; a
further one, which a connection may name as its `token_ref`, has a number of its own from the same sequence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError

from forwarder_core.connectors import registry
from forwarder_core.db import accounts, connections, people, tokens
from forwarder_core.db.engine import Tx
from forwarder_core.domain import tokens as rules
from forwarder_core.domain.accounts import Account, AccountEvent
from forwarder_core.domain.tokens import StoredToken, TokenFacts, TokenState
from forwarder_core.errors import Conflict, FieldError, Invalid, NotFound
from forwarder_core.services import accounts as accounts_service
from forwarder_core.services import credentials, proving, renewing, web_sign_in
from forwarder_core.services.context import Core
from forwarder_core.services.credentials import StoredCredentials
from forwarder_core.services.renewing import Held

CALENDAR_DAYS = (7, 30)
_MANY = 10_000
_MOST_LABEL_CHARS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenView:
    """A credential as it is shown: no secret. `next_action_at`: when a person must act at the latest, None where no
    date is known; `next_action`: what they do then. `connections`: how many stop with it."""

    token: StoredToken
    account: Account
    facts: TokenFacts
    state: TokenState
    connections: int

    @property
    def next_action_at(self) -> datetime | None:
        return self.facts.expires_at

    @property
    def next_action(self) -> str:
        return self.facts.by_hand


def look(core: Core, token_id: int) -> TokenView:
    """Raises NotFound."""
    return _view(core, renewing.hold(core, token_id))


def of_account(core: Core, account_id: int) -> list[TokenView]:
    """Its own credential first, then the further ones."""
    accounts_service.get(core, account_id)
    with core.begin() as tx:
        further = [token.id for token in tokens.of_accounts(tx, [account_id]) if not token.is_own]
    return [look(core, token_id) for token_id in (account_id, *further)]


def every(core: Core, *, after: int = 0, limit: int = 50) -> tuple[list[TokenView], int | None]:
    """The credentials of so many accounts, by number; and the account the next page begins after, None at the end."""
    with core.begin() as tx:
        found = accounts.page(tx, after=after, limit=limit + 1)
    shown = found[:limit]
    views = [view for account in shown for view in of_account(core, account.id)]
    return views, shown[-1].id if len(found) > limit else None


def stored_of(core: Core, account_ids: Sequence[int]) -> dict[int, StoredToken]:
    """By account, what was last written down of its own credential."""
    with core.begin() as tx:
        return {token.account_id: token for token in tokens.of_accounts(tx, account_ids) if token.is_own}


def ending(core: Core, *, within_days: int, limit: int = 500) -> list[TokenView]:
    """The token calendar: what needs a person within so many days, the soonest first, what has ended before it."""
    until = core.clock.now() + timedelta(days=within_days)
    with core.begin() as tx:
        found = tokens.ending(tx, until, limit)
    return [look(core, token.id) for token in found]


def calendar(core: Core) -> dict[int, list[TokenView]]:
    """For each span of CALENDAR_DAYS, the credentials that end within it."""
    widest = ending(core, within_days=max(CALENDAR_DAYS))
    now = core.clock.now()

    def within(days: int) -> list[TokenView]:
        until = now + timedelta(days=days)
        return [view for view in widest if view.next_action_at is not None and view.next_action_at <= until]

    return {days: within(days) for days in CALENDAR_DAYS}


def refresh(core: Core, token_id: int, *, who: str) -> TokenView:
    """Renew it now and ask whose it is. Raises Conflict where only a person can, and the platform's StepFailed."""
    held = renewing.hold(core, token_id)
    with core.begin() as tx:
        _audit(core, tx, who, "token_refresh", token_id)
    return _view(core, renewing.renew(core, held, event=AccountEvent.SIGNED_IN, who=who))


def can_refresh(view: TokenView) -> bool:
    """Is there anything the platform would renew without a person?"""
    return view.facts.is_signed_in and view.facts.refresh_from is not None


def upload(
    core: Core, account_id: int, fields: Mapping[str, str], *, who: str, label: str = ""
) -> tuple[TokenView, str | None]:
    """Hand in new credentials, by the names of the account's form; with a `label`, those of a further one.

    Whose they are is asked before anything is stored, unless they are not enough to ask with (an OAuth client alone).
    With the view comes a warning where the sign-in page will refuse our address. Raises Invalid, AnotherIdentity, and
    the platform's StepFailed.
    """
    account = accounts_service.get(core, account_id)
    _check_known(account, fields)
    label = _checked_label(label)
    new = registry.secrets_from_form(account.platform, fields, core.settings.home)
    credentials.remember(new)
    with core.begin() as tx:
        known = tokens.find(tx, account_id, label) if label else None
    before = StoredCredentials(core, account_id, known.id if known else None).read() if known or not label else {}
    made = registry.replaced_secrets(account.platform, before, new)
    identity = None
    if credentials.facts_of(account, made).is_signed_in:
        identity, made = proving.prove(core, account, made)
    token_id = known.id if known else account_id if not label else _added(core, account_id, label)
    proving.take_over(core, account, made, before=before, identity=identity, who=who, how="upload", token_id=token_id)
    return look(core, token_id), web_sign_in.warning(core, account, made)


def remove(core: Core, token_id: int, *, who: str) -> None:
    """Raises Conflict for an account's own credential, and while a connection names it."""
    known = renewing.hold(core, token_id).token
    if known.is_own:
        raise Conflict("This is the account's own credential.", action="Replace it, or delete the account.")
    try:
        with core.begin() as tx:
            tokens.remove(tx, token_id)
            _audit(core, tx, who, "token_removed", token_id)
    except IntegrityError as e:
        raise Conflict(
            f"A connection publishes with “{known.label}”.", action="Give the connection another credential first."
        ) from e


def check_ref(tx: Tx, destination_account_id: int, token_ref: int | None) -> int | None:
    """As it is stored: None for the account's own. Raises Invalid for a credential of another account."""
    if token_ref is None or token_ref == destination_account_id:
        return None
    known = tokens.get(tx, token_ref)
    if known is None or known.account_id != destination_account_id:
        words = "must be a credential of the destination account"
        raise Invalid("The connection cannot publish with this credential.", FieldError("token_ref", words))
    return token_ref


def _view(core: Core, held: Held) -> TokenView:
    account, token, now = held.account, held.token, core.clock.now()
    with core.begin() as tx:
        if token.is_own:
            users = connections.page(tx, after=0, limit=_MANY, account_id=account.id)
            count = sum(c.source_account_id == account.id or c.token_ref is None for c in users)
        else:
            count = len(tokens.users_of(tx, token.id))
    state = rules.state_of(
        is_signed_in=held.facts.is_signed_in,
        expires_at=held.facts.expires_at,
        has_failed=bool(token.failures),
        now=now,
        before_days=rules.alert_settings(account.alerts).before_days,
    )
    return TokenView(token=token, account=account, facts=held.facts, state=state, connections=count)


def _check_known(account: Account, fields: Mapping[str, str]) -> None:
    method = registry.auth_method(account)
    known = {field.name for field in method.fields} if method else set()
    bad = [
        FieldError(name, "is not a field of this account's way of signing in") for name in fields if name not in known
    ]
    if not any(fields.values()) and not bad:
        bad = [FieldError(name, "nothing was handed in") for name in sorted(known)[:1]]
    if bad:
        raise Invalid("These are not this account's credentials.", *bad)


def _checked_label(label: str) -> str:
    label = " ".join(label.split()) if label.isprintable() else ""
    if len(label) > _MOST_LABEL_CHARS:
        raise Invalid("The label is too long.", FieldError("label", f"at most {_MOST_LABEL_CHARS} characters"))
    return label


def _added(core: Core, account_id: int, label: str) -> int:
    """Empty at first: what goes in is written by `take_over`, as for every other."""
    try:
        with core.begin() as tx:
            if accounts.get(tx, account_id) is None:
                raise NotFound(f"There is no account {account_id}.")
            return tokens.add(tx, account_id, label, core.vault.seal({}), core.clock.now())
    except IntegrityError as e:
        raise Conflict(f"The account has a credential “{label}” already.", action="Choose another label.") from e


def _audit(core: Core, tx: Tx, who: str, what: str, token_id: int) -> None:
    people.audit(tx, who=who, what=what, target=f"token:{token_id}", now=core.clock.now())
