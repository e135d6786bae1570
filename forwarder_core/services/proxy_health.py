"""Health checks: is each proxy up, how fast, and with which address does it come out?

What follows from a proxy going down or coming back is `proxy_moves`'. The fact to know: three failed checks in a row
make a proxy unhealthy, and only failures that are the proxy's own count: not our network, not one platform's trouble.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from forwarder_core.db import events, people
from forwarder_core.db import proxies as rows
from forwarder_core.db.engine import Tx
from forwarder_core.domain.proxies import (
    Blame,
    Health,
    Proxy,
    Test,
    Verdict,
    average_latency_ms,
    health_after,
    verdict,
)
from forwarder_core.egress import ProxyAddress
from forwarder_core.errors import FieldError, Invalid
from forwarder_core.proxies import targets
from forwarder_core.proxies.probe import probe
from forwarder_core.proxies.targets import Target
from forwarder_core.services import exits, proxies, proxy_moves
from forwarder_core.services.context import Core

TARGETS_SETTING, ECHO_SETTING = "proxies.targets", "proxies.echo"
DEFAULT_TARGETS = ("https://www.instagram.com", "https://www.youtube.com")
DEFAULT_ECHO = "https://ipinfo.io/json"
_MOST_TARGETS = 10
_AT_ONCE = 8
_KEPT = timedelta(days=30)
_ONE_LOOK = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Checked:
    """One proxy after its check. `tests` in the order of the targets."""

    proxy: Proxy
    tests: tuple[Test, ...]
    verdict: Verdict

    @property
    def average_ms(self) -> int | None:
        return average_latency_ms(self.tests)

    @property
    def error(self) -> str | None:
        """The proxy's own trouble first."""
        troubles = sorted((t for t in self.tests if not t.is_ok), key=lambda t: t.blame is not Blame.PROXY)
        return troubles[0].error if troubles else None

    @property
    def summary(self) -> str:
        status = str(self.proxy.health).capitalize()
        if self.verdict is Verdict.PASSED:
            return f"Health check completed. Status: {status}, Latency: {self.average_ms}ms"
        return (
            f"Health check failed: {self.error}. Status: {status}, failures in a row: {self.proxy.consecutive_failures}"
        )

    def said_after(self, done: str) -> str:
        """`done`: added, changed."""
        if self.verdict is Verdict.PASSED:
            return f"Proxy '{self.proxy.alias}' {done} successfully. Health check passed ({self.average_ms}ms)"
        return f"Proxy {done} but health check failed: {self.error}"


@dataclass(frozen=True, slots=True)
class Probed:
    """`proxy` as it was when it was probed: a result for another address is not written down."""

    proxy: Proxy
    tests: tuple[Test, ...]
    echo: Test | None


@dataclass(frozen=True, slots=True)
class Aims:
    """What a check asks for. `echo` answers with the caller's address; it counts for nothing else."""

    targets: tuple[Target, ...]
    echo: Target | None


def check(core: Core, proxy_id: int) -> Checked:
    """Now. Raises Invalid where its address may not be connected to, NotFound."""
    return _write_down(core, [_probed_now(core, proxy_id, read_aims(core))])[0]


def look(core: Core, proxy_id: int) -> Checked:
    """What a check says at this moment. A failure of the proxy's own is kept with its tests, one a minute at most, and
    does not count towards the three: jobs that ask are many. Raises as `check`."""
    probed = _probed_now(core, proxy_id, replace(read_aims(core), echo=None))
    found, now = Checked(probed.proxy, probed.tests, verdict(probed.tests)), core.clock.now()
    if found.verdict is Verdict.FAILED:
        with core.begin() as tx:
            if rows.get(tx, proxy_id, lock=True) and proxy_id not in rows.found_down(tx, now - _ONE_LOOK):
                rows.keep_tests(tx, proxy_id, probed.tests, now)
    return found


def _probed_now(core: Core, proxy_id: int, aims: Aims) -> Probed:
    with core.begin() as tx:
        address = exits.address_of(core, tx, known := proxies.of(tx, proxy_id))
    return _probe(known, address, aims, core.settings.default_exit.tls())


def check_all(core: Core) -> list[Checked]:
    """Every proxy, several at once; what follows is decided when all are known."""
    ready: list[tuple[Proxy, ProxyAddress | Test]] = []
    for known in proxies.page(core):
        try:
            with core.begin() as tx:
                ready.append((known, exits.address_of(core, tx, known)))
        except Invalid as e:
            ready.append((known, Test(endpoint=known.address, blame=Blame.PROXY, code="address", error=e.message)))
    if not ready:
        return []
    aims, tls = read_aims(core), core.settings.default_exit.tls()

    def run(one: tuple[Proxy, ProxyAddress | Test]) -> Probed:
        proxy, way = one
        return Probed(proxy, (way,), None) if isinstance(way, Test) else _probe(proxy, way, aims, tls)

    with ThreadPoolExecutor(_AT_ONCE, "proxy-check") as pool:
        probed = list(pool.map(run, ready))
    return _write_down(core, probed)


def _probe(proxy: Proxy, address: ProxyAddress, aims: Aims, tls: ssl.SSLContext) -> Probed:
    with ThreadPoolExecutor(len(aims.targets) + 1, "proxy-probe") as pool:
        waiting = [pool.submit(probe, address, target, tls=tls) for target in aims.targets]
        echo = pool.submit(probe, address, aims.echo, tls=tls, wants_body=True) if aims.echo else None
        return Probed(proxy, tuple(one.result() for one in waiting), echo.result() if echo else None)


def _write_down(core: Core, probed: Sequence[Probed]) -> list[Checked]:
    now = core.clock.now()
    checked, down, up, was_down = [], [], [], set()
    with core.begin() as tx:
        for one in sorted(probed, key=lambda p: p.proxy.id):
            before = rows.get(tx, one.proxy.id, lock=True)
            if before is None:
                continue
            after = _kept(tx, before, one, now)
            checked.append(Checked(after, one.tests, verdict(one.tests)))
            if after.health is Health.UNHEALTHY and before.health is not Health.UNHEALTHY:
                down.append(after)
            if after.health is Health.HEALTHY and before.health is not Health.HEALTHY:
                up.append(after)
            if before.health is Health.UNHEALTHY:
                was_down.add(before.id)
            proxy_moves.came_out_elsewhere(tx, before, after, now)
        rows.forget_tests(tx, now - _KEPT)
        if down:
            proxy_moves.went_down(tx, down, now)
        if up:
            proxy_moves.recovered(tx, up, was_down, now)
    for one_checked in checked:
        _say(one_checked)
    return checked


def _kept(tx: Tx, before: Proxy, one: Probed, now: datetime) -> Proxy:
    """Write one proxy's result; the proxy as it is now."""
    asked = one.proxy
    if (before.type, before.address, before.has_login) != (asked.type, asked.address, asked.has_login):
        return before  # it was edited meanwhile
    found = verdict(one.tests)
    values: dict[str, Any] = {"checked_at": now}
    if found is Verdict.PASSED:
        values |= {"latency_ms": average_latency_ms(one.tests), "last_ok_at": now, "last_error": None}
        values |= _exit_facts(one.echo)
    else:
        values["last_error"] = Checked(before, one.tests, found).error
    if found is not Verdict.UNKNOWN:
        values["health"], values["consecutive_failures"] = health_after(before, found is Verdict.PASSED)
    rows.change(tx, before.id, values)
    rows.keep_tests(tx, before.id, one.tests, now)
    return rows.get(tx, before.id) or before


def _exit_facts(echo: Test | None) -> dict[str, str]:
    if echo is None or not echo.is_ok:
        return {}
    facts = {"exit_ip": targets.address_in(echo.body), "exit_country": targets.country_in(echo.body)}
    return {name: value for name, value in facts.items() if value}


def _say(checked: Checked) -> None:
    words = f"{checked.average_ms} ms" if checked.verdict is Verdict.PASSED else checked.error
    logging.getLogger(__name__).info("Proxy '%s': check %s (%s)", checked.proxy.alias, checked.verdict, words)


# ---- what is asked for ------------------------------------------------------------------------------------------


def read_targets(core: Core) -> tuple[tuple[str, ...], str]:
    """The addresses a check asks for, and the IP echo ("" = none)."""
    with core.begin() as tx:
        said = events.setting_values(tx)
    simulated = core.settings.simulator_url
    echo = said.get(ECHO_SETTING, f"{simulated}/ip" if simulated else DEFAULT_ECHO)
    return tuple(said.get(TARGETS_SETTING) or DEFAULT_TARGETS), str(echo)


def read_aims(core: Core) -> Aims:
    """The targets, looked at again: a name may lead elsewhere than on the day it was stored. Raises Invalid."""
    urls, echo = read_targets(core)
    allowed = core.settings.allow_private_networks
    aims = tuple(targets.checked(url, allowed) for url in urls)
    return Aims(aims, targets.checked(echo, allowed, field="echo") if echo else None)


def change_targets(core: Core, urls: Sequence[str], echo: str, *, who: str) -> None:
    """Raises Invalid for what is no address, or lies in a private network."""
    wanted = list(dict.fromkeys(url.strip() for url in urls if url.strip()))
    if not 1 <= len(wanted) <= _MOST_TARGETS:
        raise Invalid("A check needs a target.", FieldError("targets", f"give 1 to {_MOST_TARGETS} addresses"))
    allowed = core.settings.allow_private_networks
    for url in wanted:
        targets.checked(url, allowed)
    if echo.strip():
        targets.checked(echo.strip(), allowed, field="echo")
    now = core.clock.now()
    with core.begin() as tx:
        events.keep_setting(tx, TARGETS_SETTING, wanted, now)
        events.keep_setting(tx, ECHO_SETTING, echo.strip(), now)
        people.audit(tx, who=who, what="proxy_targets_changed", now=now, details={"targets": wanted})
