"""Whatever a proxy does wrong, it costs a job one attempt: our own probe says whose fault it was, the next goes another
way, and the attempt keeps the proxy's name for good.

The installation's own way out leads to the simulator too, so a call that took it would show.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db import attempts
from forwarder_core.db.tables import metadata
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.domain.proxies import Assignment, Proxy, ProxyType
from forwarder_core.egress import Exit
from forwarder_core.errors import NetworkFailed
from forwarder_core.proxies.probe import probe
from forwarder_core.services import exits, failing, forwarding, jobs, proxies, proxy_health, proxy_rules
from forwarder_core.services.context import Core
from forwarder_core.services.proxies import NewProxy
from forwarder_core.simulator.testing import Simulator
from tests import factories
from tests.integration.other_proxies import FAULTS, behind_gateway, faulty

pytestmark = pytest.mark.slow
WHO = "admin"
LOGINS = ("wrong password", "login wanted")


@pytest.fixture
def core(
    url: str, clock: ManualClock, tmp_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Core]:
    simulator.disarm()
    simulator.reset()
    monkeypatch.setitem(probe.__kwdefaults__, "timeout_s", 0.5)
    settings = {**factories.through(simulator), "allow_private_networks": ("127.0.0.0/8",)}
    with factories.make_core(url, clock, tmp_path, **settings) as core:
        factories.emptied(core.engine)
        proxy_health.change_targets(core, ["https://www.instagram.com/"], "", who=WHO)
        yield core


def add(core: Core, alias: str, port: int, kind: str = "http", **login: str) -> Proxy:
    new = NewProxy(
        alias=alias, type=ProxyType(kind), host="127.0.0.1", port=port, assignment=Assignment.PER_CONNECTION, **login
    )
    return proxies.create(core, new, who=WHO)


@contextmanager
def bad(core: Core, simulator: Simulator, kind: str, fault: str) -> Iterator[Proxy]:
    """A proxy that is up as far as anybody knows, and has this fault."""
    if fault in LOGINS:
        opened = simulator.open_proxy(username="ann", password="right")
        said = {"username": "ann", "password": "wrong"} if fault == "wrong password" else {}
        yield add(core, "Bad", opened["port"], kind, **said)
        return
    behind = simulator.open_proxy()
    with faulty(kind, fault, behind_gateway(behind["port"])) as port:
        yield add(core, "Bad", port, kind)


def with_pool(core: Core, first: Proxy, second: Proxy) -> Connection:
    """That takes `first` as long as nothing speaks against it."""
    connection = factories.add_connection(core, proxy_id=first.id)
    proxy_rules.set_policy(core, connection.id, {"pool": [first.id, second.id], "max_retry_per_proxy": 5}, who=WHO)
    return connection


def exit_of(core: Core, connection: Connection, job_id: int) -> Exit:
    with core.begin() as tx:
        account = factories.accounts.get(tx, connection.source_account_id)
        assert account is not None
        return exits.exit_of(core, tx, account, connection.proxy_id, job_id=job_id)


def fail_on_the_way(core: Core, job_id: int, way: Exit) -> None:
    """An attempt that went this way and met what a library calls a failure of the network."""
    lease = factories.claimed(core, job_id)
    assert way.proxy is not None
    with core.begin() as tx:
        attempts.note(tx, lease, proxy=way.label, proxy_id=way.proxy.id)
    failing.fail(core, lease, NetworkFailed("The connection failed (Timeout)."))


@pytest.mark.parametrize("kind", ["http", "socks5"])
@pytest.mark.parametrize("fault", [*LOGINS, *FAULTS])
def test_a_bad_proxy_is_named_as_the_cause_and_costs_one_attempt(
    core: Core, simulator: Simulator, clock: ManualClock, kind: str, fault: str
) -> None:
    good = add(core, "Good", simulator.open_proxy()["port"])
    with bad(core, simulator, kind, fault) as proxy:
        connection = with_pool(core, proxy, good)
        job_id = factories.add_job(core, connection)
        way = exit_of(core, connection, job_id)
        assert way.label == proxy.address
        clock.move(1)
        fail_on_the_way(core, job_id, way)

        assert exit_of(core, connection, job_id).label == good.address
    (row,) = factories.rows(core, metadata.tables["jobs"], id=job_id)
    assert (row["status"], row["error_code"]) == (JobStatus.RETRY_WAIT, "proxy_error")
    (made,) = jobs.story(core, job_id).attempts
    assert "A probe through proxy Bad at the same time failed" in made["error_message"]
    assert row["error_action"] == "Test or replace the proxy under Proxies."
    assert simulator.requests() == [], "neither the probe nor anything else came out another way"


def test_proxies_behind_one_address_are_told_apart_by_their_logins(
    core: Core, simulator: Simulator, clock: ManualClock
) -> None:
    """As providers sell them: one host and port, the user's name picks the way out."""
    opened = simulator.open_proxy(username="session-1", password="right")
    dead = add(core, "Session 2", opened["port"], username="session-2", password="right")
    alive = add(core, "Session 1", opened["port"], username="session-1", password="right")
    connection = with_pool(core, dead, alive)
    job_id = factories.add_job(core, connection)
    clock.move(1)
    fail_on_the_way(core, job_id, exit_of(core, connection, job_id))

    chosen = exit_of(core, connection, job_id).proxy
    assert chosen is not None and (chosen.id, chosen.username) == (alive.id, "session-1")
    clock.move(60)
    lease = factories.claimed(core, job_id)
    with core.begin() as tx:
        attempts.note(tx, lease, proxy=alive.address, proxy_id=alive.id)
    forwarding.succeed(core, lease)
    told = [row for row in factories.rows(core, metadata.tables["outbox"]) if row["kind"] == "job_recovered"]
    assert [row["payload"]["failover"] for row in told] == ["Session 1"]


def test_an_attempt_keeps_its_proxy_through_a_change_of_name_and_address(core: Core, simulator: Simulator) -> None:
    proxy = add(core, "US_01", simulator.open_proxy()["port"])
    connection = factories.add_connection(core, proxy_id=proxy.id)
    job_id = factories.add_job(core, connection)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        fail_on_the_way(core, job_id, exit_of(core, connection, job_id))
        proxies.change(core, proxy.id, {"alias": "US East", "port": taken.getsockname()[1]}, who=WHO)

    (made,) = jobs.story(core, job_id).attempts
    assert (made["proxy_id"], made["proxy_alias"], made["proxy"]) == (proxy.id, "US East", proxy.address)

    with core.begin() as tx:
        tx.execute(metadata.tables["connections"].update().values(proxy_id=None))
    proxies.remove(core, proxy.id, who=WHO)
    (made,) = jobs.story(core, job_id).attempts
    assert (made["proxy_id"], made["proxy_alias"], made["proxy"]) == (None, None, proxy.address)
