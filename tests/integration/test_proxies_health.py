"""Proxies that are up and proxies that die, against the simulator's own: checks, moves, pauses, alerts, and no direct
call."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db import connections as connection_rows
from forwarder_core.db.tables import metadata
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.connections import Connection, ConnectionStatus
from forwarder_core.domain.proxies import Blame, Health, Proxy, ProxyType, Verdict
from forwarder_core.errors import Conflict, Invalid, ProxyFailed
from forwarder_core.services import exits, proxies, proxy_health, proxy_rules
from forwarder_core.services.context import Core
from forwarder_core.services.proxies import NewProxy
from forwarder_core.simulator.testing import Simulator
from tests import factories

pytestmark = pytest.mark.slow
WHO = "admin"


@pytest.fixture
def core(url: str, clock: ManualClock, tmp_path: Path, simulator: Simulator) -> Iterator[Core]:
    """On the simulated network, where a test asks the telegram fake and the echo of the control API."""
    simulator.disarm()
    simulator.reset()
    settings = {"ca_bundle": simulator.ca_path, "allow_private_networks": ("127.0.0.0/8",)}
    with factories.make_core(url, clock, tmp_path, **settings) as core:
        factories.emptied(core.engine)
        targets = ["https://www.instagram.com/", "https://www.youtube.com/"]
        proxy_health.change_targets(core, targets, f"{simulator.control_url}/ip", who=WHO)
        yield core


def add(core: Core, opened: dict[str, Any], alias: str, **new: Any) -> Proxy:
    said = {"type": ProxyType.HTTP, "host": "127.0.0.1", "port": opened["port"], "assignment": "per_connection"}
    return proxies.create(core, NewProxy(alias=alias, **(said | new)), who=WHO)


def kill(simulator: Simulator, opened: dict[str, Any]) -> None:
    simulator.call("DELETE", f"/proxies/{opened['port']}")


def state(core: Core, connection: Connection) -> Connection:
    with core.begin() as tx:
        found = connection_rows.get(tx, connection.id)
    assert found is not None
    return found


def exit_label(core: Core, account: Account, **more: Any) -> str:
    with core.begin() as tx:
        return exits.exit_of(core, tx, account, **more).label


def add_attempt(core: Core, job_id: int, address: str, **values: Any) -> None:
    """One that went through the proxy at this address."""
    used = next(proxy.id for proxy in proxies.page(core) if proxy.address == address)
    row = {"job_id": job_id, "n": 1, "proxy": address, "proxy_id": used, "started_at": core.clock.now()}
    with core.begin() as tx:
        tx.execute(metadata.tables["attempts"].insert().values(**row, **values))


def alerts(core: Core) -> list[dict[str, Any]]:
    return [dict(row) for row in factories.rows(core, metadata.tables["outbox"])]


def with_pool(core: Core, *pool: Proxy, **policy: Any) -> tuple[Connection, Account]:
    source = factories.add_account(core, "youtube", auth_method="oauth")
    connection = factories.add_connection(core, source, name=f"Pool of {len(pool)}")
    proxy_rules.set_policy(core, connection.id, {"pool": [proxy.id for proxy in pool], **policy}, who=WHO)
    return connection, source


@pytest.mark.parametrize("kind", [ProxyType.HTTP, ProxyType.HTTPS, ProxyType.SOCKS5])
@pytest.mark.parametrize("login", [{}, {"username": "ann", "password": "sword:fish"}])
def test_a_proxy_that_works_is_healthy_and_its_exit_address_known(
    core: Core, simulator: Simulator, kind: ProxyType, login: dict[str, str]
) -> None:
    opened = simulator.open_proxy(**login)
    proxy = add(core, opened, "US_01", type=kind, **login)
    assert proxy.health is Health.UNCHECKED and proxy.has_login == bool(login)

    checked = proxy_health.check(core, proxy.id)

    assert (checked.verdict, checked.proxy.health) == (Verdict.PASSED, Health.HEALTHY), checked.tests
    assert [test.endpoint for test in checked.tests] == ["https://www.instagram.com/", "https://www.youtube.com/"]
    assert checked.average_ms == checked.proxy.latency_ms and checked.proxy.exit_ip == opened["exit_ip"]
    assert len(factories.rows(core, metadata.tables["proxy_checks"])) == 2


@pytest.mark.parametrize("kind", [ProxyType.HTTP, ProxyType.SOCKS5])
def test_a_wrong_password_is_said_and_never_shown(core: Core, simulator: Simulator, kind: ProxyType) -> None:
    opened = simulator.open_proxy(username="ann", password="right")
    proxy = add(core, opened, "US_01", type=kind, username="ann", password="wrong-swordfish")

    checked = proxy_health.check(core, proxy.id)

    assert {(test.blame, test.code) for test in checked.tests} == {(Blame.PROXY, "login")}
    assert "swordfish" not in repr(checked) + str(factories.rows(core, metadata.tables["proxies"]))
    assert proxies.change(core, proxy.id, {"password": "right"}, who=WHO).health is Health.UNCHECKED
    assert proxy_health.check(core, proxy.id).verdict is Verdict.PASSED


@pytest.mark.parametrize("kind", [ProxyType.HTTP, ProxyType.SOCKS5])
@pytest.mark.parametrize(
    ("fault", "value", "code"), [("proxy_cut", {"after_bytes": 100}, "cut"), ("proxy_refuse", {"reset": True}, "cut")]
)
def test_a_proxy_that_breaks_off_is_to_blame(
    core: Core, simulator: Simulator, kind: ProxyType, fault: str, value: dict[str, Any], code: str
) -> None:
    opened = simulator.open_proxy()
    proxy = add(core, opened, "US_01", type=kind)
    simulator.arm(fault, count=None, match={"proxy": opened["id"]}, **value)

    checked = proxy_health.check(core, proxy.id)

    assert {(test.blame, test.code) for test in checked.tests} == {(Blame.PROXY, code)}


def test_three_failed_checks_pause_the_connection_with_one_alert_and_recovery_resumes_it(
    core: Core, simulator: Simulator
) -> None:
    opened = simulator.open_proxy()
    proxy = add(core, opened, "US_01")
    connection, source = with_pool(core, proxy)
    assert proxy_health.check(core, proxy.id).proxy.health is Health.HEALTHY
    kill(simulator, opened)

    seen = [proxy_health.check_all(core)[0].proxy.health for _ in range(4)]

    assert seen == [Health.HEALTHY, Health.HEALTHY, Health.UNHEALTHY, Health.UNHEALTHY]
    paused = state(core, connection)
    assert (paused.status, paused.status_reason) == (ConnectionStatus.PAUSED, "No healthy proxy is left (US_01)")
    (alert,) = alerts(core)
    facts = alert["payload"]
    assert (alert["kind"], facts["proxy"], facts["failures"]) == ("proxy_unhealthy", "US_01", 3)
    assert facts["connections"] == ["Pool of 1 (paused)"] and facts["error"] == "Connection refused"

    simulator.open_proxy(port=opened["port"])
    assert proxy_health.check_all(core)[0].proxy.health is Health.HEALTHY

    assert state(core, connection).status is ConnectionStatus.ACTIVE
    told = ["proxy_unhealthy", "proxy_exit_changed", "proxy_recovered"]  # it came back with another exit address
    assert [alert["kind"] for alert in alerts(core)] == told
    assert alerts(core)[2]["payload"]["connections"] == ["Pool of 1"]
    assert exit_label(core, source) == proxy.address


def test_a_connection_moves_to_a_healthy_proxy_of_its_pool_and_stays_there(core: Core, simulator: Simulator) -> None:
    opened = [simulator.open_proxy() for _ in range(3)]
    pool = [add(core, one, f"P{n}") for n, one in enumerate(opened)]
    connection, source = with_pool(core, *pool)
    proxy_health.check_all(core)
    before = next(i for i, proxy in enumerate(pool) if proxy.address == exit_label(core, source))
    kill(simulator, opened[before])

    for _ in range(3):
        proxy_health.check_all(core)

    after = exit_label(core, source)
    assert after in {proxy.address for proxy in pool} - {pool[before].address}
    assert state(core, connection).status is ConnectionStatus.ACTIVE
    (alert,) = alerts(core)
    assert alert["payload"]["connections"][0].startswith("Pool of 3 (now through P")
    simulator.open_proxy(port=opened[before]["port"])
    proxy_health.check_all(core)
    assert exit_label(core, source) == after


def test_a_pool_that_is_dead_as_a_whole_is_one_alert_and_not_one_direct_call(core: Core, simulator: Simulator) -> None:
    opened = [simulator.open_proxy() for _ in range(3)]
    pool = [add(core, one, f"P{n}") for n, one in enumerate(opened)]
    connection, source = with_pool(core, *pool)
    proxy_health.check_all(core)
    for one in opened:
        kill(simulator, one)
    simulator.reset()

    for _ in range(4):
        proxy_health.check_all(core)

    assert state(core, connection).status is ConnectionStatus.PAUSED
    (alert,) = alerts(core)
    assert alert["payload"]["proxy"] == "P0, P1, P2"
    with pytest.raises(ProxyFailed, match="is up") as refused:
        exit_label(core, source)
    assert "P0, P1, P2" in refused.value.message
    assert simulator.requests() == []


def test_going_out_directly_is_only_ever_the_written_wish_of_the_policy(core: Core, simulator: Simulator) -> None:
    opened = simulator.open_proxy()
    proxy = add(core, opened, "US_01")
    connection, source = with_pool(core, proxy, fallback_to_direct=True)
    kill(simulator, opened)
    for _ in range(3):
        proxy_health.check_all(core)

    assert state(core, connection).status is ConnectionStatus.ACTIVE
    assert exit_label(core, source) == core.settings.default_exit.label == "direct"
    assert alerts(core)[0]["payload"]["connections"] == ["Pool of 1 (goes out directly, as its policy allows)"]


def test_a_proxy_whose_jobs_fail_is_passed_over_before_its_checks_say_so(core: Core, simulator: Simulator) -> None:
    pool = [add(core, simulator.open_proxy(), f"P{n}") for n in range(2)]
    connection, source = with_pool(core, *pool)
    first = exit_label(core, source)
    for _ in range(2):
        job_id = factories.add_job(core, connection)
        add_attempt(core, job_id, first, error_code="proxy_error")

    assert exit_label(core, source) != first


@pytest.mark.parametrize("mode", ["round_robin", "random", "least_used"])
def test_the_steps_of_a_job_share_a_proxy_and_jobs_take_turns(core: Core, simulator: Simulator, mode: str) -> None:
    pool = [add(core, simulator.open_proxy(), f"P{n}") for n in range(3)]
    connection, source = with_pool(core, *pool, mode=mode)
    jobs = [factories.add_job(core, connection) for _ in range(12)]
    taken = []
    for job_id in jobs:
        label = exit_label(core, source, job_id=job_id)
        add_attempt(core, job_id, label)
        assert exit_label(core, source, job_id=job_id) == label
        taken.append(label)

    assert set(taken) == {proxy.address for proxy in pool}
    if mode != "random":
        assert [taken.count(proxy.address) for proxy in pool] == [4, 4, 4]


def test_precedence_and_the_one_exit_of_an_instagram_account(core: Core, simulator: Simulator) -> None:
    one, two, three = (add(core, simulator.open_proxy(), f"P{n}") for n in range(3))
    everybody = add(core, simulator.open_proxy(), "All", assignment="global")
    travel = factories.add_account(core)
    assert exit_label(core, travel) == everybody.address
    shorts = factories.add_account(core, "youtube", auth_method="oauth", proxy_id=one.id)
    assert exit_label(core, shorts) == one.address
    first = factories.add_connection(core, travel, shorts, proxy_id=two.id)
    second = factories.add_connection(core, travel, shorts)
    assert exit_label(core, shorts, connection_proxy_id=two.id) == two.address

    assert {exit_label(core, travel), exit_label(core, travel, connection_proxy_id=two.id)} == {two.address}
    job_id = factories.add_job(core, second)
    assert exit_label(core, travel, job_id=job_id) == two.address
    with core.begin() as tx, pytest.raises(Conflict, match="takes account"):
        proxy_rules.check_connection(tx, second.id, {"proxy_id": three.id})
    with core.begin() as tx, pytest.raises(Conflict, match="a proxy of its own"):
        proxy_rules.check_account(tx, travel.id, three.id)
    with core.begin() as tx, pytest.raises(Conflict, match="takes account"):
        proxy_rules.check_new_connection(tx, travel, shorts, None, {"pool": [one.id]})
    with core.begin() as tx, pytest.raises(Invalid, match="not there"):
        proxy_rules.check_connection(tx, first.id, {"proxy_policy": {"pool": [999_999]}})


@contextmanager
def echo() -> Iterator[tuple[str, dict[str, str]]]:
    """An address that answers with what the second says, as the IP echoes on the web do."""
    said: dict[str, str] = {}

    class Echo(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Not on the tests' output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/json", said
        server.shutdown()


def test_another_exit_address_is_told_once_a_day_and_another_country_each_time(
    core: Core, simulator: Simulator, clock: ManualClock
) -> None:
    proxy = add(core, simulator.open_proxy(), "US_01")
    with_pool(core, proxy)
    with echo() as (url, said):
        proxy_health.change_targets(core, ["https://www.instagram.com/"], url, who=WHO)
        for ip, country in (("8.8.8.8", "US"), ("8.8.4.4", "US"), ("8.8.8.8", "US"), ("9.9.9.9", "DE")):
            said.update(ip=ip, country=country)
            clock.move(1)
            checked = proxy_health.check(core, proxy.id)
            assert (checked.proxy.exit_ip, checked.proxy.exit_country) == (ip, country)
        said.clear()  # an echo that is down says nothing about the proxy
        proxy_health.check(core, proxy.id)

    moved, abroad = (alert["payload"] for alert in alerts(core))
    assert {alert["kind"] for alert in alerts(core)} == {"proxy_exit_changed"}
    assert (moved["was"], moved["exit"], moved["is_other_country"]) == ("8.8.8.8 (US)", "8.8.4.4 (US)", False)
    assert (abroad["was"], abroad["exit"], abroad["is_other_country"]) == ("8.8.8.8 (US)", "9.9.9.9 (DE)", True)
    assert abroad["connections"] == ["Pool of 1"]
    changed = proxies.change(core, proxy.id, {"host": "127.0.0.2"}, who=WHO)
    assert (changed.exit_ip, changed.exit_country) == (None, None)


def test_a_job_that_fails_at_a_proxy_our_own_check_finds_down_is_the_last_it_gets(
    core: Core, simulator: Simulator, clock: ManualClock
) -> None:
    opened = [simulator.open_proxy() for _ in range(2)]
    pool = [add(core, one, f"P{n}") for n, one in enumerate(opened)]
    connection, source = with_pool(core, *pool, max_retry_per_proxy=5)
    proxy_health.check_all(core)
    first = exit_label(core, source)
    dead = next(n for n, proxy in enumerate(pool) if proxy.address == first)
    clock.move(1)
    job_id = factories.add_job(core, connection)
    add_attempt(core, job_id, first, error_code="proxy_error")
    assert exit_label(core, source) == first, "one failed job alone is not enough"

    kill(simulator, opened[dead])
    for _ in range(5):  # as many jobs ask as will: their questions do not make it unhealthy
        assert proxy_health.look(core, pool[dead].id).verdict is Verdict.FAILED

    assert proxies.get(core, pool[dead].id).consecutive_failures == 0
    assert len(factories.rows(core, metadata.tables["proxy_checks"], proxy_id=pool[dead].id)) == 4, "two checks kept"
    assert exit_label(core, source) != first


def test_a_proxy_in_use_is_not_removed(core: Core, simulator: Simulator) -> None:
    named, pooled, everybody, idle = (add(core, simulator.open_proxy(), f"P{n}") for n in range(4))
    factories.add_account(core, proxy_id=named.id)
    connection, _ = with_pool(core, pooled)

    with pytest.raises(Conflict, match="used by account"):
        proxies.remove(core, named.id, who=WHO)
    with pytest.raises(Conflict, match="used by connection Pool of 1"):
        proxies.remove(core, pooled.id, who=WHO)
    factories.add_connection(core)
    proxies.change(core, everybody.id, {"assignment": "global"}, who=WHO)
    with pytest.raises(Conflict, match="only global one"):
        proxies.remove(core, everybody.id, who=WHO)
    with pytest.raises(Conflict, match="only global one"):
        proxies.change(core, everybody.id, {"assignment": "per_account"}, who=WHO)
    proxies.remove(core, idle.id, who=WHO)
    said = [row["what"] for row in factories.rows(core, metadata.tables["audit_log"])]
    assert said[-1] == "proxy_removed" and connection.id
