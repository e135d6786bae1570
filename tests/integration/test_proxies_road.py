"""The road of real calls, seen from the far end: they come out of the proxy, or where it is dead they do not come.

The installation's own way out leads to the simulator too, so a call that took it would show.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db import accounts as account_rows
from forwarder_core.errors import ProxyFailed
from forwarder_core.platforms.instagram.client import Pace
from forwarder_core.platforms.instagram.source import InstagramSource
from forwarder_core.services import accounts, detection, proxies, proxy_health, proxy_rules
from forwarder_core.services.context import Core
from forwarder_core.services.proxies import NewProxy
from forwarder_core.simulator.testing import Simulator
from tests import factories

pytestmark = pytest.mark.slow
WHO = "admin"


@pytest.fixture
def core(url: str, tmp_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Core]:
    monkeypatch.setattr(InstagramSource.__init__, "__kwdefaults__", {"pace": Pace(between_calls_s=0, configure_s=0)})
    simulator.disarm()
    simulator.reset()
    settings = {**factories.through(simulator), "allow_private_networks": ("127.0.0.0/8",)}
    with factories.make_core(url, ManualClock(datetime.now(UTC)), tmp_path, **settings) as core:
        factories.emptied(core.engine)
        proxy_health.change_targets(core, ["https://www.instagram.com/"], "", who=WHO)
        yield core


def watch(core: Core, account_id: int) -> None:
    with core.begin() as tx:
        account_rows.watch(tx, account_id, core.clock.now())


def exits_seen(simulator: Simulator) -> set[str]:
    return {str(request["exit_ip"]) for request in simulator.requests()}


@pytest.mark.parametrize("kind", ["http", "socks5"])
@pytest.mark.parametrize("login", [{}, {"username": "ann", "password": "p@ss:w/rd"}])
def test_both_client_libraries_come_out_of_the_proxy_of_the_connection_and_nowhere_else(
    core: Core, simulator: Simulator, kind: Any, login: dict[str, str]
) -> None:
    opened = simulator.open_proxy(**login)
    new = NewProxy(alias="P0", type=kind, host="127.0.0.1", port=opened["port"], assignment="per_connection", **login)  # type: ignore[arg-type]
    proxy = proxies.create(core, new, who=WHO)
    source, _ = factories.simulated_account(core, simulator, "instagram")
    channel, _ = factories.simulated_account(core, simulator, "youtube")
    factories.add_connection(core, source, channel, proxy_id=proxy.id)

    watch(core, source.id)
    detection.poll_now(core, source.id)
    assert accounts.test(core, channel.id)

    assert exits_seen(simulator) == {opened["exit_ip"]}


def test_a_look_that_fails_at_a_dead_proxy_of_a_pool_is_the_last_one_there(
    core: Core, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = [simulator.open_proxy() for _ in range(2)]
    pool = []
    for n, one in enumerate(opened):
        new = NewProxy(alias=f"P{n}", type="http", host="127.0.0.1", port=one["port"], assignment="per_connection")  # type: ignore[arg-type]
        pool.append(proxies.create(core, new, who=WHO))
    source, _ = factories.simulated_account(core, simulator, "instagram")
    connection = factories.add_connection(core, source)
    proxy_rules.set_policy(core, connection.id, {"pool": [proxy.id for proxy in pool]}, who=WHO)
    watch(core, source.id)
    detection.poll_now(core, source.id)
    (used,) = exits_seen(simulator)
    dead, alive = sorted(opened, key=lambda one: one["exit_ip"] != used)
    simulator.call("DELETE", f"/proxies/{dead['port']}")
    before = len(simulator.requests())
    assert isinstance(core.clock, ManualClock)
    core.clock.move(60)

    with pytest.raises(ProxyFailed, match=r"A probe through proxy P. at the same time failed: Connection refused"):
        detection.poll_now(core, source.id)
    detection.poll_now(core, source.id)

    assert {request["exit_ip"] for request in simulator.requests()[before:]} == {alive["exit_ip"]}


def test_when_every_proxy_of_the_pool_is_dead_the_poll_fails_before_any_call(core: Core, simulator: Simulator) -> None:
    opened = [simulator.open_proxy() for _ in range(2)]
    pool = [
        proxies.create(
            core,
            NewProxy(alias=f"P{n}", type="http", host="127.0.0.1", port=one["port"], assignment="per_connection"),  # type: ignore[arg-type]
            who=WHO,
        )
        for n, one in enumerate(opened)
    ]
    source, _ = factories.simulated_account(core, simulator, "instagram")
    connection = factories.add_connection(core, source)
    proxy_rules.set_policy(core, connection.id, {"pool": [proxy.id for proxy in pool]}, who=WHO)
    watch(core, source.id)
    detection.poll_now(core, source.id)
    (used,) = exits_seen(simulator)
    assert used in {one["exit_ip"] for one in opened}
    for one in opened:
        simulator.call("DELETE", f"/proxies/{one['port']}")
    before = len(simulator.requests())

    with pytest.raises(ProxyFailed):  # dead, and not yet known to be: still no other way is tried
        detection.poll_now(core, source.id)
    for _ in range(3):
        proxy_health.check_all(core)
    with pytest.raises(ProxyFailed, match="is up"):
        detection.poll_now(core, source.id)

    assert len(simulator.requests()) == before
