"""What follows from a proxy's health: connections move within their pool, pause, go on again, and the admin is told.

All in the transaction that writes the health down. The fact to know: proxies that go down in one round of checks are
one event with one alert, judged together, so that nobody is moved from a dead proxy to another dead one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from forwarder_core.db import accounts
from forwarder_core.db import proxies as rows
from forwarder_core.db.engine import Tx
from forwarder_core.domain.connections import ConnectionStatus
from forwarder_core.domain.proxies import Mode, Proxy, Use, Way, choose, way_of
from forwarder_core.services import alerting
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.exits import globals_of
from forwarder_core.services.journal import about

_REASON = "No healthy proxy is left"


def went_down(tx: Tx, down: Sequence[Proxy], now: datetime) -> None:
    """`down`: the proxies that have just become unhealthy, already written as such."""
    known = rows.known(tx)
    uses = rows.uses(tx)
    gone = {proxy.id for proxy in down}
    became = {}
    for use in uses:
        ways = [way for way in _ways(use, uses, known) if gone & set(way.pool)]
        if use.status == ConnectionStatus.ACTIVE and ways:
            words = _act(tx, use, ways, gone, known)
            if words:
                became[use.name] = words
                about(connection_id=use.connection_id).warning("Proxy down: connection '%s' %s", use.name, words)
    _tell_down(tx, down, became, now)


def recovered(tx: Tx, up: Sequence[Proxy], was_down: set[int], now: datetime) -> None:
    """Take up every connection that waited for a proxy. `up`: those that are healthy since this moment; the admin is
    told of those that were down, and of a new one where it brought a connection back."""
    known = rows.known(tx)
    uses = rows.uses(tx)
    resumed = []
    for use in uses:
        reason = use.status_reason or ""
        waits = use.status == ConnectionStatus.PAUSED and reason.startswith(_REASON)
        can_go = waits and all(_leads(way, known) for way in _ways(use, uses, known))
        if can_go and rows.resume_connection(tx, use.connection_id, reason):
            accounts.ask_at_once(tx, use.source.account_id, now)
            resumed.append(use.name)
            about(connection_id=use.connection_id).info("Proxy up: connection '%s' goes on", use.name)
    told = [proxy for proxy in up if proxy.id in was_down] or (up[:1] if resumed else [])
    for proxy in told:
        alerting.about_proxy(
            tx,
            AlertKind.PROXY_RECOVERED,
            proxy_id=proxy.id,
            alias=proxy.alias,
            address=proxy.address,
            now=now,
            once=now.isoformat(),
            latency_ms=proxy.latency_ms,
            connections=resumed,
        )


def came_out_elsewhere(tx: Tx, before: Proxy, after: Proxy, now: datetime) -> None:
    """Tell that the world sees another address; of a new address in the same country once a day at most, because some
    providers change it often."""
    is_other_country = _differs(before.exit_country, after.exit_country)
    if not is_other_country and not _differs(before.exit_ip, after.exit_ip):
        return
    known, uses = rows.known(tx), rows.uses(tx)
    alerting.about_proxy(
        tx,
        AlertKind.PROXY_EXIT_CHANGED,
        proxy_id=after.id,
        alias=after.alias,
        address=after.address,
        now=now,
        once=now.isoformat() if is_other_country else now.date().isoformat(),
        was=_exit_of(before),
        exit=_exit_of(after),
        is_other_country=is_other_country,
        connections=[use.name for use in uses if any(after.id in way.pool for way in _ways(use, uses, known))],
    )


def _exit_of(proxy: Proxy) -> str:
    """As the admin reads it: `203.0.113.9 (US)`."""
    return f"{proxy.exit_ip}" + (f" ({proxy.exit_country})" if proxy.exit_country else "")


def _differs(before: str | None, after: str | None) -> bool:
    return None not in (before, after) and before != after


def _ways(use: Use, uses: Sequence[Use], known: dict[int, Proxy]) -> list[Way]:
    globals_ = globals_of(known)
    ways = (way_of(end, use, [other for other in uses if end in other.ends], globals_) for end in use.ends)
    return [way for way in ways if way is not None]


def _usable(way: Way, known: dict[int, Proxy]) -> list[int]:
    return [member for member in way.pool if member in known and known[member].is_usable]


def _leads(way: Way, known: dict[int, Proxy]) -> bool:
    return bool(_usable(way, known)) or way.policy.fallback_to_direct


def _act(tx: Tx, use: Use, ways: Sequence[Way], gone: set[int], known: dict[int, Proxy]) -> str | None:
    """What becomes of a connection that had these ways; None where the dead proxy was not its own."""
    stuck = [way for way in ways if not _leads(way, known)]
    if stuck:
        names = ", ".join(known[member].alias for member in stuck[0].pool if member in known)
        rows.pause_connection(tx, use.connection_id, f"{_REASON} ({names})")
        return "paused"
    # Both ends of a connection with proxies of its own share the one that is written to it.
    own = next((way for way in ways if way.pool == use.own), None)
    others = [way for way in ways if way.pool != use.own]
    words = [said for way in (own, *others) if way and (said := _moved(tx, use, way, gone, known))]
    return words[0] if words else None


def _moved(tx: Tx, use: Use, way: Way, gone: set[int], known: dict[int, Proxy]) -> str | None:
    usable = _usable(way, known)
    if not usable:
        return "goes out directly, as its policy allows"
    if way.policy.mode is not Mode.STICKY:
        return "goes on through the rest of its pool"
    before = choose(Mode.STICKY, way.pool, key=way.key, preferred=way.preferred)
    after = choose(Mode.STICKY, usable, key=way.key, preferred=way.preferred)
    if before not in gone or after is None:
        return None
    if way.pool == use.own:
        rows.move_connection(tx, use.connection_id, after)  # it stays there when the old one comes back
    return f"now through {known[after].alias}"


def _tell_down(tx: Tx, down: Sequence[Proxy], became: dict[str, str], now: datetime) -> None:
    paused = sum(1 for words in became.values() if words == "paused")
    taken = [f"Connections paused until a proxy is healthy again: {paused}"] if paused else []
    if len(became) > paused:
        taken.append(f"Connections that go on another way: {len(became) - paused}")
    first = down[0]
    oks = [proxy.last_ok_at for proxy in down if proxy.last_ok_at]
    alerting.about_proxy(
        tx,
        AlertKind.PROXY_UNHEALTHY,
        proxy_id=first.id,
        alias=", ".join(proxy.alias for proxy in down),
        address=", ".join(proxy.address for proxy in down),
        now=now,
        once=now.isoformat(),
        failures=first.consecutive_failures,
        last_success_at=max(oks).isoformat() if oks else None,
        error="; ".join(dict.fromkeys(proxy.last_error or "" for proxy in down)),
        connections=[f"{name} ({words})" for name, words in became.items()],
        taken=taken,
    )
