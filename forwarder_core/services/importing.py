"""Importing accounts from a sheet and exporting them as one: all rows or none, and what each would change said before.

The sheet's form is `domain.account_sheets`. A row whose account is there already changes what it names and differs, so
the same sheet again changes nothing. The fact to know: credentials are taken for new accounts only; those of an
account that is there are replaced where they can be proven, which is its sign-in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from sqlalchemy.exc import IntegrityError

from forwarder_core.connectors import registry
from forwarder_core.db import accounts as rows
from forwarder_core.db import people, proxies
from forwarder_core.db.engine import Tx
from forwarder_core.domain import account_sheets
from forwarder_core.domain.account_sheets import LONGEST, NO_PROXY, Row
from forwarder_core.domain.accounts import Account, Rights
from forwarder_core.errors import Conflict, FieldError, Invalid
from forwarder_core.services import accounts, editing, forms
from forwarder_core.services.accounts import NewAccount
from forwarder_core.services.context import Core
from forwarder_core.services.journal import about

MOST_BYTES = 900_000
MOST_ROWS = 1_000
_MOST_PROBLEMS_SAID = 50
_EVERY = 100_000
_KEPT = "its credentials stay as they are; hand new ones in at the account"
_STATEMENT = "say own or licensed: only accounts of your own are taken, with what you may do with their posts"


class Action(StrEnum):
    CREATE = "create"
    CHANGE = "change"
    UNCHANGED = "unchanged"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one row does. `changes`: by column what is there and what comes. `account_id` None: none yet."""

    number: int
    platform: str
    username: str
    alias: str = ""
    action: Action
    account_id: int | None = None
    changes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    note: str = ""
    errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True)
class _Wish:
    """A row that can be carried out. `values`: of an account that is there."""

    line: Line
    new: NewAccount | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    values: Mapping[str, Any] = field(default_factory=dict)


class _Known:
    """What is there, and what the rows so far have named."""

    def __init__(self, found: list[Account], proxies_known: Mapping[int, str]) -> None:
        self.by_name = {(one.platform, one.handle): one for one in found}
        self.aliases: dict[str, tuple[str, str]] = {one.alias: (one.platform, one.handle) for one in found}
        self.proxies = proxies_known
        self.named: set[tuple[str, str]] = set()

    def proxy(self, said: str) -> int | None:
        """By its alias, or by its number where no alias is that number."""
        by_alias = next((id_ for id_, alias in self.proxies.items() if alias == said), None)
        return by_alias or next((id_ for id_ in self.proxies if str(id_) == said), None)


def import_sheet(core: Core, sheet: bytes, *, who: str, dry_run: bool = False) -> list[Line]:
    """All rows or none: with `dry_run` only what each would do, errors among them. Raises Invalid with every bad row by
    its line, Conflict where the accounts changed meanwhile."""
    wishes = _planned(core, _rows(sheet))
    lines = [wish.line for wish in wishes]
    if dry_run:
        return lines
    if bad := [_placed(line, error) for line in lines for error in line.errors]:
        raise Invalid(f"{len(bad)} mistakes; nothing was imported.", *bad[:_MOST_PROBLEMS_SAID])
    try:
        with core.begin() as tx:
            made = [_carry_out(core, tx, wish, who) for wish in wishes]
            counted = {action.value: n for action, n in Counter(line.action for line in made).items()}
            people.audit(
                tx, who=who, what="accounts_imported", target="accounts", now=core.clock.now(), details=counted
            )
    except IntegrityError as e:
        raise Conflict("The accounts changed meanwhile; nothing was imported.", action="Import the sheet again.") from e
    about().info("%s accounts imported by %s", len(made), who)
    return made


def export_sheet(core: Core) -> str:
    """Every account as a sheet that can be imported again, without credentials."""
    with core.begin() as tx:
        aliases = {id_: proxy.alias for id_, proxy in proxies.known(tx).items()}
        return account_sheets.written(rows.page(tx, after=0, limit=_EVERY), aliases)


def _rows(sheet: bytes) -> list[Row]:
    if len(sheet) > MOST_BYTES:
        raise Invalid("The sheet is too large.", FieldError("file", f"at most {MOST_BYTES:,} bytes"))
    try:
        text = sheet.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise Invalid("The sheet is not in UTF-8.", FieldError("file", "save it as “CSV UTF-8”")) from e
    if "\x00" in text:
        raise Invalid("The sheet holds the character NUL.", FieldError("file", "must not contain the character NUL"))
    found = list(account_sheets.rows_of(text))
    if not 0 < len(found) <= MOST_ROWS:
        raise Invalid(f"A sheet has 1 to {MOST_ROWS} rows.", FieldError("file", f"there are {len(found)}"))
    return found


def _planned(core: Core, found: list[Row]) -> list[_Wish]:
    with core.begin() as tx:
        aliases = {id_: proxy.alias for id_, proxy in proxies.known(tx).items()}
        known = _Known(rows.page(tx, after=0, limit=_EVERY), aliases)
    return [_wish(core, known, row) for row in found]


def _wish(core: Core, known: _Known, row: Row) -> _Wish:
    there = known.by_name.get(row.name)
    errors = _mistakes(known, row, there)
    known.named.add(row.name)
    try:
        wish = _changed(known, row, there) if there else _new(core, known, row, checks=not errors)
    except Invalid as e:
        wish, errors = _Wish(_line(row, Action.ERROR)), [*errors, *e.fields]
    if errors:
        id_ = there.id if there else None
        return _Wish(_line(row, Action.ERROR, account_id=id_, errors=tuple(errors)))
    known.aliases[wish.line.alias] = row.name
    return wish


def _mistakes(known: _Known, row: Row, there: Account | None) -> list[FieldError]:
    """What can be said of the row by itself, and beside the others."""
    values, (platform, username) = row.values, row.name
    if row.has_too_many:
        return [FieldError("", "it has more values than columns; put a text with separators in quotes")]
    bad = [
        FieldError(n, f"is longer than {most} characters")
        for n, most in LONGEST.items()
        if len(values.get(n, "")) > most
    ]
    if platform not in registry.specs():
        bad.append(FieldError("platform", f"one of {', '.join(sorted(registry.specs()))}"))
    if not username:
        bad.append(FieldError("username", "must not be empty"))
    elif row.name in known.named:
        bad.append(FieldError("username", "this account has a row already"))
    if known.aliases.get(values.get("alias") or ("" if there else username), row.name) != row.name:
        bad.append(FieldError("alias", "another account is called that"))
    if values.get("rights", there.rights if there else "") not in (Rights.OWN, Rights.LICENSED):
        bad.append(FieldError("rights", _STATEMENT))
    if there and values.get("auth_method", there.auth_method) != there.auth_method:
        bad.append(FieldError("auth_method", f"it is {there.auth_method}, which an import does not change"))
    if values.get("proxy", NO_PROXY) != NO_PROXY and known.proxy(values["proxy"]) is None:
        bad.append(FieldError("proxy", "there is no such proxy"))
    return bad


def _new(core: Core, known: _Known, row: Row, *, checks: bool) -> _Wish:
    """Raises Invalid for credentials that are not complete."""
    if not checks:
        return _Wish(_line(row, Action.ERROR))
    values, (platform, username) = row.values, row.name
    said = values.get("proxy", NO_PROXY)
    new = NewAccount(
        platform=platform,
        alias=values.get("alias", username),
        handle=username,
        auth_method=forms.auth_method(platform, values.get("auth_method")).name,
        credentials=row.credentials,
        rights=Rights(values["rights"]),
        rights_note=values.get("rights_note", ""),
        proxy_id=None if said == NO_PROXY else known.proxy(said),
    )
    secrets = accounts.checked(core, new)
    return _Wish(_line(row, Action.CREATE, alias=new.alias), new, secrets)


def _changed(known: _Known, row: Row, there: Account) -> _Wish:
    said = {name: row.values[name] for name in ("alias", "rights", "rights_note", "proxy") if name in row.values}
    proxy_now = known.proxies.get(there.proxy_id, "") if there.proxy_id is not None else NO_PROXY
    now = {"alias": there.alias, "rights": there.rights.value, "rights_note": there.rights_note, "proxy": proxy_now}
    values: dict[str, Any] = {}
    changes: dict[str, tuple[str, str]] = {}
    for name, wanted in said.items():
        proxy_id = known.proxy(wanted) if name == "proxy" and wanted != NO_PROXY else None
        shown = known.proxies[proxy_id] if proxy_id is not None else wanted
        if shown != now[name]:
            changes[name] = (now[name], shown)
            values |= {"proxy_id": proxy_id} if name == "proxy" else {name: wanted}
    action = Action.CHANGE if changes else Action.UNCHANGED
    note = _KEPT if row.credentials else ""
    alias = said.get("alias", there.alias)
    return _Wish(_line(row, action, alias=alias, account_id=there.id, changes=changes, note=note), values=values)


def _line(row: Row, action: Action, **more: Any) -> Line:
    platform, username = row.name
    said = {"alias": row.values.get("alias", username)} | more
    return Line(number=row.number, platform=platform, username=username, action=action, **said)


def _carry_out(core: Core, tx: Tx, wish: _Wish, who: str) -> Line:
    line = wish.line
    try:
        if wish.new is not None:
            made = accounts.add(core, tx, wish.new, wish.secrets, who=who)
            return replace(line, account_id=made.id)
        if wish.values and line.account_id is not None:
            editing.write_account(core, tx, line.account_id, wish.values, who=who)
    except (Invalid, Conflict) as e:
        raise Invalid(
            "A row cannot be taken; nothing was imported.", FieldError(f"line {line.number}", e.message)
        ) from e
    return line


def _placed(line: Line, error: FieldError) -> FieldError:
    return FieldError(f"line {line.number}: {error.field}".removesuffix(": "), error.message)
