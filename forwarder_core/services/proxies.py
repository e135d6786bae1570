"""Proxies: adding, changing and removing them, and which connections and accounts may use which.

Whether one is well is `proxy_health`'s, which one a call takes is `exits`'. The fact to know: a login goes in and never
comes out; and a proxy that something relies on is never removed, because those calls would then go out directly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import IntegrityError

from forwarder_core.addresses import check_address
from forwarder_core.db import people
from forwarder_core.db import proxies as rows
from forwarder_core.db.engine import Tx
from forwarder_core.domain.connections import ConnectionStatus
from forwarder_core.domain.proxies import Assignment, Health, Proxy, ProxyType, way_of
from forwarder_core.egress import ProxyAddress
from forwarder_core.errors import Conflict, FieldError, Invalid, NotFound
from forwarder_core.proxies.probe import speaks_tls
from forwarder_core.services.context import Core
from forwarder_core.services.credentials import remember
from forwarder_core.services.exits import globals_of

ADDRESS_FIELDS = frozenset({"type", "host", "port", "username", "password"})  # changed, they make it another proxy
_MOST_LOGIN_BYTES = 255  # SOCKS5 has one byte for the length
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProxy:
    """What the form or the API says."""

    alias: str
    type: ProxyType
    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    assignment: Assignment = Assignment.GLOBAL


def create(core: Core, new: NewProxy, *, who: str) -> Proxy:
    """Stored, not checked yet. Raises Invalid for an address that may not be connected to, Conflict for the alias."""
    values = {name: getattr(new, name) for name in new.__dataclass_fields__}
    made = _checked(core, values) | {"created_at": core.clock.now()}
    _refuse_tls(core, new.type, new.host, new.port)
    try:
        with core.begin() as tx:
            proxy_id = rows.add(tx, made)
            _audit(tx, core, who, "proxy_added", proxy_id, values)
    except IntegrityError as e:
        raise _taken(new.alias) from e
    return get(core, proxy_id)


def get(core: Core, proxy_id: int) -> Proxy:
    with core.begin() as tx:
        return of(tx, proxy_id)


def of(tx: Tx, proxy_id: int, *, lock: bool = False) -> Proxy:
    """Raises NotFound."""
    found = rows.get(tx, proxy_id, lock=lock)
    if found is None:
        raise NotFound(f"There is no proxy {proxy_id}.")
    return found


def page(core: Core, *, after: int = 0, limit: int = 1_000) -> list[Proxy]:
    with core.begin() as tx:
        return rows.page(tx, after=after, limit=limit)


def change(core: Core, proxy_id: int, values: Mapping[str, Any], *, who: str) -> Proxy:
    """`values`: the fields of NewProxy, only those that change; an empty username takes the login away.

    With another address or login it is unchecked again.
    """
    known = get(core, proxy_id)
    if values.keys() & {"type", "host", "port"}:
        kind = ProxyType(values.get("type", known.type))
        _refuse_tls(core, kind, str(values.get("host", known.host)), int(values.get("port", known.port)))
    try:
        with core.begin() as tx:
            known = of(tx, proxy_id, lock=True)
            changed = _checked(core, _merged(core, tx, known, values))
            if Assignment(changed["assignment"]) is not Assignment.GLOBAL:
                _refuse_to_leave_direct(tx, known)
            if values.keys() & ADDRESS_FIELDS:
                changed |= {"health": Health.UNCHECKED, "consecutive_failures": 0, "last_error": None}
                changed |= {"exit_ip": None, "exit_country": None}
            rows.change(tx, proxy_id, changed)
            _audit(tx, core, who, "proxy_changed", proxy_id, values)
    except IntegrityError as e:
        raise _taken(str(values.get("alias", known.alias))) from e
    return get(core, proxy_id)


def remove(core: Core, proxy_id: int, *, who: str) -> Proxy:
    """Returns what it was. Raises Conflict while a connection or an account uses it."""
    with core.begin() as tx:
        known = of(tx, proxy_id, lock=True)
        users = users_of(tx, proxy_id)
        if users:
            raise Conflict(
                f"Proxy “{known.alias}” is used by {_listed(users)}.",
                action="Give them another proxy first; without one their calls would go out directly.",
            )
        _refuse_to_leave_direct(tx, known)
        rows.remove(tx, proxy_id)
        _audit(tx, core, who, "proxy_removed", proxy_id, {})
    return known


def used_by(core: Core, proxy_id: int) -> list[str]:
    with core.begin() as tx:
        return users_of(tx, proxy_id)


def users_of(tx: Tx, proxy_id: int) -> list[str]:
    """Who names this proxy: `account X`, `connection Y`."""
    named = [f"account {alias}" for alias in rows.owners(tx, proxy_id)]
    return named + [f"connection {use.name}" for use in rows.uses(tx) if proxy_id in use.own]


def _refuse_to_leave_direct(tx: Tx, proxy: Proxy) -> None:
    """The last global proxy stays while active connections have no other."""
    globals_ = globals_of(rows.known(tx))
    if globals_ != (proxy.id,):
        return
    uses = rows.uses(tx)
    left = []
    for use in uses:
        ways = (way_of(end, use, [u for u in uses if end in u.ends], globals_) for end in use.ends)
        if use.status == ConnectionStatus.ACTIVE and any(way and way.pool == globals_ for way in ways):
            left.append(f"connection {use.name}")
    if left:
        raise Conflict(
            f"Proxy “{proxy.alias}” is the only global one, and {_listed(left)} would go out directly without it.",
            action="Add another global proxy, or pause these connections first.",
        )


def _merged(core: Core, tx: Tx, known: Proxy, values: Mapping[str, Any]) -> dict[str, Any]:
    login = core.vault.unseal(rows.sealed_login(tx, known.id))
    present = {name: getattr(known, name) for name in ("alias", "type", "host", "port", "assignment")}
    merged = present | {"username": login.get("username"), "password": login.get("password")} | dict(values)
    if "username" in values and not values["username"]:
        merged["password"] = None
    return merged


def _checked(core: Core, values: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a proxy that may be connected to. Raises Invalid naming each bad field."""
    alias, host = str(values["alias"] or "").strip(), str(values["host"] or "").strip()
    username, password = values.get("username") or "", values.get("password") or ""
    problems = []
    if not alias or not alias.isprintable():
        problems.append(FieldError("alias", "must be plain text and not empty"))
    if not 1 <= int(values["port"]) <= 65_535:
        problems.append(FieldError("port", "must lie within 1 and 65535"))
    if password and not username:
        problems.append(FieldError("username", "is missing beside the password"))
    for name, word in (("username", username), ("password", password)):
        if len(word.encode()) > _MOST_LOGIN_BYTES or not word.isprintable():
            problems.append(FieldError(name, f"must be at most {_MOST_LOGIN_BYTES} bytes of plain text"))
    if ":" in username:
        problems.append(FieldError("username", "must not hold a colon"))
    if problems:
        raise Invalid("The proxy cannot be kept.", *problems)
    check_address(host, int(values["port"]), core.settings.allow_private_networks)
    login = {"username": username, "password": password} if username else {}
    remember({"password": password})
    return {
        "alias": alias,
        "type": ProxyType(values["type"]),
        "host": host.removeprefix("[").removesuffix("]"),
        "port": int(values["port"]),
        "assignment": Assignment(values["assignment"]),
        "credentials": core.vault.seal(login) if login else None,
    }


def _refuse_tls(core: Core, kind: ProxyType, host: str, port: int) -> None:
    """Half of the client libraries cannot speak TLS to the proxy itself, so one that wants it would carry some calls
    and fail others. Asked where the type leaves it open; what cannot be reached now, its checks tell later."""
    if kind is not ProxyType.HTTPS:
        return
    address = check_address(host.strip(), port, core.settings.allow_private_networks)
    if speaks_tls(ProxyAddress("http", address, port, name=host.strip()), core.settings.default_exit.tls()):
        raise Invalid(
            "This proxy wants TLS to itself, which is not supported.",
            FieldError("type", "wants TLS to itself, which is not supported"),
            action="Take the provider's HTTP or SOCKS5 port: what goes through it is encrypted to the platform anyway.",
        )


def _taken(alias: str) -> Conflict:
    return Conflict(f"There is a proxy “{alias}” already.", action="Choose another alias.")


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _audit(tx: Tx, core: Core, who: str, what: str, proxy_id: int, values: Mapping[str, Any]) -> None:
    """The names of what was changed, never the values: one of them is a password."""
    details = {"fields": sorted(values)}
    people.audit(tx, who=who, what=what, target=f"proxy:{proxy_id}", now=core.clock.now(), details=details)
