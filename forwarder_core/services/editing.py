"""Editing: changing what an account or a connection says of itself, and taking a connection off the list.

Making, starting and stopping are in `accounts` and `connections`. Only what the form names is written; what is left out
stays. The fact to know: a deleted connection is only marked, because its posts were decided by it and its jobs are
history; its name is free again at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError

from forwarder_core.db import accounts, connections, overviews, pacing, people
from forwarder_core.db.engine import Tx
from forwarder_core.domain import pace
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.connections import Connection, ConnectionStatus
from forwarder_core.errors import Conflict, FieldError, Invalid
from forwarder_core.services import accounts as accounts_service
from forwarder_core.services import aiming, proxy_rules, templates
from forwarder_core.services import connections as connections_service
from forwarder_core.services.context import Core
from forwarder_core.services.tokens import check_ref

_AIM, _TOKEN = "destination_account_id", "token_ref"
_TURNS = {"schedule", "priority", _AIM}  # what says when a post may go


def change_account(core: Core, account_id: int, values: Mapping[str, Any], *, who: str) -> Account:
    """`values`: alias, rights, rights_note, proxy_id, pace. Raises Invalid, Conflict when the alias is taken."""
    known = accounts_service.get(core, account_id)
    _check_name(values, "alias")
    if "pace" in values:
        values = {**values, "pace": _pace(core, values["pace"])}
    try:
        with core.begin() as tx:
            write_account(core, tx, account_id, values, who=who)
    except IntegrityError as e:
        raise Conflict(
            f"There is an account “{values.get('alias', known.alias)}” already.", action="Choose another alias."
        ) from e
    return accounts_service.get(core, account_id)


def write_account(core: Core, tx: Tx, account_id: int, values: Mapping[str, Any], *, who: str) -> None:
    """In the caller's transaction. Raises Invalid, Conflict for the proxy, IntegrityError for the alias."""
    _check_proxy(tx, values)
    if "proxy_id" in values:
        proxy_rules.check_account(tx, account_id, values["proxy_id"])
    if values:
        accounts.change(tx, account_id, dict(values))
    if "pace" in values:
        pacing.release(tx, core.clock.now(), destination_ids=[account_id])
    _audit(tx, core, who, "account_changed", f"account:{account_id}", values)


def change_connection(core: Core, connection_id: int, values: Mapping[str, Any], *, who: str) -> Connection:
    """`values`: name, proxy_id, proxy_policy, priority, destination_account_id, token_ref, and the rules as the API has
    them.

    Obeyed at once. Raises Invalid, Conflict.
    """
    known = connections_service.get(core, connection_id)
    _check_name(values, "name")
    connections_service.check_rules(values)
    templates.check_layout(core, values)
    try:
        with core.begin() as tx:
            proxy_rules.check_connection(tx, connection_id, values)
            plain = {name: value for name, value in values.items() if name != _AIM} | _token_ref(tx, known, values)
            if plain:
                connections.change(tx, connection_id, plain)
            if values.keys() & _TURNS:
                _plan_anew(tx, connection_id, values, core.clock.now())
            if _AIM in values:
                aiming.aim(tx, known, values[_AIM], values, core.clock.now())
            _audit(tx, core, who, "connection_changed", f"connection:{connection_id}", values)
    except IntegrityError as e:
        raise Conflict(
            f"There is a connection “{values.get('name', known.name)}” already.", action="Choose another name."
        ) from e
    return connections_service.get(core, connection_id)


def pace_of(core: Core, account_id: int) -> dict[str, Any]:
    """The account's pace as a destination, every part by its name."""
    accounts_service.get(core, account_id)
    with core.begin() as tx:
        return pace.write(pace.read(accounts.pace_of(tx, account_id)))


def _pace(core: Core, said: Mapping[str, Any]) -> dict[str, Any]:
    """As it is stored. A ramp without a first day begins today."""
    today = core.clock.now().astimezone(core.settings.zone).date().isoformat()
    first = {"ramp_from": said.get("ramp_from") or today} if said.get("ramp") else {}
    try:
        return pace.write(pace.read({**said, **first}))
    except (ValueError, TypeError) as e:
        raise Invalid("The pace of the account cannot be read.", FieldError("pace", str(e))) from e


def _plan_anew(tx: Tx, connection_id: int, values: Mapping[str, Any], now: datetime) -> None:
    """What waits is asked again by the new rules, and is as urgent as its connection now is."""
    if "priority" in values:
        pacing.reprioritise(tx, connection_id, values["priority"])
    pacing.release(tx, now, connection_id=connection_id)


def _token_ref(tx: Tx, known: Connection, values: Mapping[str, Any]) -> dict[str, int | None]:
    """The credential named, checked; with another destination and none named, that account's own."""
    destination = values.get(_AIM, known.destination_account_id)
    if _TOKEN in values:
        return {_TOKEN: check_ref(tx, destination, values[_TOKEN])}
    return {} if destination == known.destination_account_id else {_TOKEN: None}


def remove_connection(core: Core, connection_id: int, *, who: str) -> Connection:
    """Stop it and take it off the list: waiting jobs are cancelled, running ones end. Returns what it was."""
    known = connections_service.get(core, connection_id)
    if known.status is not ConnectionStatus.STOPPED:
        known = connections_service.stop(core, connection_id, who=who)
    with core.begin() as tx:
        connections.change(tx, connection_id, {"deleted_at": core.clock.now()})
        _audit(tx, core, who, "connection_removed", f"connection:{connection_id}", {"name": known.name})
    return known


def _check_name(values: Mapping[str, Any], field: str) -> None:
    if field in values and not str(values[field]).strip():
        raise Invalid(f"The {field} must not be empty.", FieldError(field, "must not be empty"))


def _check_proxy(tx: Tx, values: Mapping[str, Any]) -> None:
    proxy_id = values.get("proxy_id")
    if proxy_id is not None and not overviews.proxy_names(tx, [proxy_id]):
        raise Invalid(f"There is no proxy {proxy_id}.", FieldError("proxy_id", "there is no such proxy"))


def _audit(tx: Tx, core: Core, who: str, what: str, target: str, values: Mapping[str, Any]) -> None:
    """The names of what was changed, not the values: a note may hold anything."""
    people.audit(tx, who=who, what=what, target=target, now=core.clock.now(), details={"fields": sorted(values)})
