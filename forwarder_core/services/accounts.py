"""Accounts: adding, changing and removing what the admin owns on a platform. Credentials go in and never come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.exc import IntegrityError

from forwarder_core.connectors import registry
from forwarder_core.connectors.base import AuthMethod, Role
from forwarder_core.db import accounts, connections, people, proxies
from forwarder_core.db.engine import Tx
from forwarder_core.domain.accounts import Account, AccountStatus, Rights
from forwarder_core.domain.connections import Connection
from forwarder_core.errors import Conflict, FieldError, Invalid, NotFound
from forwarder_core.services import exits, proving
from forwarder_core.services.context import Core
from forwarder_core.services.credentials import keep_facts, remember
from forwarder_core.services.journal import about

NOT_SIGNED_IN = "Not signed in yet: press Authorise on the account."


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """What the form or the API says. `credentials` by the names of the platform's credential fields."""

    platform: str
    alias: str
    handle: str
    auth_method: str
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    rights: Rights = Rights.UNDECLARED
    rights_note: str = ""
    proxy_id: int | None = None


def create(core: Core, new: NewAccount, *, who: str = "system") -> Account:
    """Raises Invalid for fields the platform does not know or misses, Conflict when alias or handle are taken."""
    secrets = checked(core, new)
    try:
        with core.begin() as tx:
            made = add(core, tx, new, secrets, who=who)
    except IntegrityError as e:
        raise Conflict(
            f"There is an account “{new.alias}” or {new.platform}/{new.handle} already.",
            action="Choose another alias, or change the account that is there.",
        ) from e
    about(account_id=made.id).info("Account '%s' added (%s)", made.alias, made.platform)
    return made


def add(core: Core, tx: Tx, new: NewAccount, secrets: Mapping[str, str], *, who: str) -> Account:
    """In the caller's transaction, with what `checked` made of its credentials. Raises IntegrityError, Invalid."""
    is_signed_in = registry.token_facts(new.platform, new.auth_method, secrets).is_signed_in
    values = {
        "platform": new.platform,
        "alias": new.alias.strip(),
        "handle": plain_handle(new.handle),
        "auth_method": new.auth_method,
        "credentials": core.vault.seal(secrets),
        "rights": new.rights,
        "rights_note": new.rights_note,
        "proxy_id": new.proxy_id,
        "status": AccountStatus.ACTIVE if is_signed_in else AccountStatus.REQUIRES_REAUTH,
        "status_reason": None if is_signed_in else NOT_SIGNED_IN,
        "created_at": core.clock.now(),
    }
    if new.proxy_id is not None and proxies.get(tx, new.proxy_id) is None:
        raise Invalid(f"There is no proxy {new.proxy_id}.", FieldError("proxy_id", "names no proxy"))
    account_id = accounts.add(tx, values)
    keep_facts(core, tx, account_id, secrets)
    made = accounts.get(tx, account_id)
    if made is None:
        raise NotFound("The account is gone again.")
    _audit(tx, core, who, "account_created", made.id)
    return made


def get(core: Core, account_id: int) -> Account:
    with core.begin() as tx:
        found = accounts.get(tx, account_id)
    if found is None:
        raise NotFound(f"There is no account {account_id}.")
    return found


def page(
    core: Core, *, after: int = 0, limit: int = 100, platform: str | None = None, status: tuple[str, ...] = ()
) -> list[Account]:
    with core.begin() as tx:
        return accounts.page(tx, after=after, limit=limit, platform=platform, status=status)


def used_by(core: Core, account_id: int) -> list[Connection]:
    """The connections that have this account at either end."""
    with core.begin() as tx:
        return connections.page(tx, after=0, limit=1_000, account_id=account_id)


def declare_rights(core: Core, account_id: int, rights: Rights, note: str = "") -> Account:
    """What the admin says about the posts of a source account; required before its connections start."""
    with core.begin() as tx:
        accounts.change(tx, account_id, {"rights": rights, "rights_note": note})
    return get(core, account_id)


def remove(core: Core, account_id: int, *, who: str = "system") -> None:
    """Raises Conflict while a connection or a seen post refers to the account."""
    known = get(core, account_id)
    try:
        with core.begin() as tx:
            accounts.remove(tx, account_id)
            _audit(tx, core, who, "account_removed", account_id)
    except IntegrityError as e:
        raise Conflict(
            f"Account “{known.alias}” is used by connections or has history.",
            action="Delete its connections first; an account with history is paused, not deleted.",
        ) from e


def _audit(tx: Tx, core: Core, who: str, what: str, account_id: int) -> None:
    people.audit(tx, who=who, what=what, target=f"account:{account_id}", now=core.clock.now())


def test(core: Core, account_id: int) -> str:
    """One read-only call that proves the credentials; the name the platform knows them by. Raises AnotherIdentity where
    they belong to somebody else by now."""
    account = get(core, account_id)
    with core.begin() as tx:
        exit_ = exits.exit_of(core, tx, account)
    identity = exits.authenticator(core, account, exit_).identify()
    if account.remote_id:
        proving.check_same(account, identity)
    with core.begin() as tx:
        accounts.change(tx, account_id, {"remote_id": identity.remote_id})
    return identity.title or identity.handle


def checked(core: Core, new: NewAccount) -> dict[str, str]:
    """The form's credential fields as the platform keeps them. Raises Invalid naming each field that is wrong."""
    spec = registry.spec(new.platform)
    given = {"alias": new.alias.strip(), "handle": plain_handle(new.handle)}
    if missing := [FieldError(name, "must not be empty") for name, value in given.items() if not value]:
        raise Invalid("An account needs an alias and a handle.", *missing)
    method = next((m for m in spec.auth_methods if m.name == new.auth_method), None)
    if method is None:
        known = ", ".join(m.name for m in spec.auth_methods)
        raise Invalid(
            f"{spec.title} has no auth_method “{new.auth_method}”.", FieldError("auth_method", f"one of {known}")
        )
    _check_fields(method, new.credentials)
    secrets = registry.secrets_from_form(new.platform, new.credentials, core.settings.home)
    remember(secrets)
    return secrets


def plain_handle(typed: str) -> str:
    """As the platform writes it: people copy it with the @ it is shown with."""
    return typed.strip().removeprefix("@").strip()


def _check_fields(method: AuthMethod, given: Mapping[str, str]) -> None:
    known = {f.name for f in method.fields}
    bad = [FieldError(f"credentials.{name}", "is not a field of this method") for name in given if name not in known]
    bad += [FieldError(f"credentials.{f.name}", "is required") for f in method.fields if f.is_missing_in(given)]
    if bad:
        raise Invalid("The credentials are not complete.", *bad)


def can_be(platform: str, role: Role) -> bool:
    return role in registry.spec(platform).roles
