"""Proxies over the API, as the functional specification writes them; and addresses that must not be reached."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from forwarder_core.clock import ManualClock
from forwarder_core.db import people
from forwarder_core.services import proxy_health
from forwarder_core.services.context import Core
from forwarder_core.simulator.testing import Simulator
from tests import factories
from tests.unit.admin_app.doorway import CHEAP_HASH, USER, api_client

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
PROXY: dict[str, Any] = {
    "alias": "US_Proxy_01",
    "type": "http",
    "host": "127.0.0.1",
    "username": "proxyuser",
    "password": "proxypass123-swordfish",
    "assignment": "global",
}
SPELLINGS = [
    "169.254.169.254",
    "127.0.0.1",
    "127.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0.0.0.0",
    "192.168.1.100",
    "::1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "64:ff9b::7f00:1",
    "localhost",
    "localhost.",
    "rebind.example.com",
]


@pytest.fixture
def allowed() -> tuple[str, ...]:
    return ("127.0.0.0/8",)


@pytest.fixture
def core(
    url: str, clock: ManualClock, tmp_path: Path, simulator: Simulator, allowed: tuple[str, ...]
) -> Iterator[Core]:
    simulator.disarm()
    settings = {"ca_bundle": simulator.ca_path, "allow_private_networks": allowed}
    with factories.make_core(url, clock, tmp_path, **settings) as core:
        factories.emptied(core.engine)
        with core.begin() as tx:
            people.add_user(tx, USER, CHEAP_HASH, clock.now())
        if allowed:
            targets = ["https://www.instagram.com", "https://www.youtube.com"]
            proxy_health.change_targets(core, targets, f"{simulator.control_url}/ip", who=USER)
        yield core


@pytest.fixture
def opened(simulator: Simulator) -> dict[str, Any]:
    return simulator.open_proxy(username=PROXY["username"], password=PROXY["password"])


async def test_a_new_proxy_is_stored_and_tested_and_its_login_never_shown(
    core: Core, opened: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with api_client(core) as api:
        made = await api.post("/api/proxies", json={**PROXY, "port": opened["port"]})
        assert made.status_code == 201, made.text
        body = made.json()
        proxy = body["proxy"]
        assert body["status"] == "success"
        assert body["message"].startswith("Proxy 'US_Proxy_01' added successfully. Health check passed (")
        shown = {name: proxy[name] for name in ("alias", "type", "host", "port", "assignment", "health_status")}
        assert shown == {
            "alias": "US_Proxy_01",
            "type": "http",
            "host": "127.0.0.1",
            "port": opened["port"],
            "assignment": "global",
            "health_status": "healthy",
        }
        assert isinstance(proxy["response_time_ms"], int) and proxy["last_health_check"] and proxy["created_at"]
        assert proxy["has_credentials"] and proxy["exit_ip"] == opened["exit_ip"]

        checked = (await api.post(f"/api/proxies/{proxy['id']}/health-check")).json()
        assert (checked["status"], checked["proxy_id"], checked["health_status"]) == ("success", proxy["id"], "healthy")
        endpoints = [(test["endpoint"], test["result"]) for test in checked["tests"]]
        assert endpoints == [("https://www.instagram.com", "success"), ("https://www.youtube.com", "success")]
        latencies = [test["latency_ms"] for test in checked["tests"]]
        assert checked["average_latency_ms"] == round(sum(latencies) / 2) and checked["last_checked"]

        every = (await api.post("/api/proxies/test-all")).json()
        assert (every["status"], every["total"], every["passed"]) == ("success", 1, 1)
        listed = (await api.get("/api/proxies")).json()
        assert [item["id"] for item in listed["items"]] == [proxy["id"]] and listed["next_cursor"] is None
        one = await api.get(f"/api/proxies/{proxy['id']}")
        assert one.json()["alias"] == "US_Proxy_01"
    said = made.text + one.text + str(listed) + str(every) + caplog.text
    assert "swordfish" not in said and "proxyuser" not in said


async def test_a_proxy_is_changed_in_part_and_deleted(core: Core, opened: dict[str, Any]) -> None:
    async with api_client(core) as api:
        made = (await api.post("/api/proxies", json={**PROXY, "port": opened["port"], "test": False})).json()["proxy"]
        assert made["health_status"] == "unchecked" and made["last_health_check"] is None
        path = f"/api/proxies/{made['id']}"
        renamed = (await api.put(path, json={"alias": "EU_Proxy_01"})).json()
        assert (renamed["proxy"]["alias"], renamed["proxy"]["health_status"]) == ("EU_Proxy_01", "unchecked")
        wrong = (await api.put(path, json={"password": "wrong"})).json()
        assert wrong["message"].startswith("Proxy changed but health check failed: The proxy refused the login")
        assert wrong["proxy"]["last_error"] and wrong["proxy"]["consecutive_failures"] == 1
        assert (await api.put(path, json={"password": PROXY["password"]})).json()["proxy"]["health_status"] == "healthy"
        taken = await api.post("/api/proxies", json={**PROXY, "alias": "EU_Proxy_01", "port": 9})
        assert (taken.status_code, taken.json()["code"]) == (409, "conflict")
        assert (await api.delete(path)).json()["status"] == "success"
        assert (await api.get(path)).status_code == 404


async def test_the_examples_of_the_specification_are_taken_and_answered_word_for_word(
    core: Core, simulator: Simulator
) -> None:
    """001 §4.4.1 to §4.4.3; the private address of the example is this machine's, its port the proxy's."""
    example = {"alias": "US_Proxy_01", "type": "http", "host": "127.0.0.1", "port": 8080}
    example |= {"username": "proxyuser", "password": "proxypass123", "assignment": "global"}
    said = example | {"port": simulator.open_proxy(username="proxyuser", password="proxypass123")["port"]}
    async with api_client(core) as api:
        made = (await api.post("/api/proxies", json=said)).json()
        shown = {"id", "alias", "type", "host", "port", "assignment", "health_status", "last_health_check"}
        assert made["proxy"].keys() >= shown | {"response_time_ms", "created_at"}
        latency = made["proxy"]["response_time_ms"]
        assert made["message"] == f"Proxy 'US_Proxy_01' added successfully. Health check passed ({latency}ms)"
        assert made["proxy"]["last_health_check"].endswith("Z") and "proxypass123" not in str(made)

        path = f"/api/proxies/{made['proxy']['id']}"
        checked = (await api.post(f"{path}/health-check")).json()
        asked = {"status", "proxy_id", "health_status", "tests", "average_latency_ms", "last_checked"}
        assert checked.keys() >= asked and checked["tests"][0].keys() >= {"endpoint", "result", "latency_ms"}
        average = checked["average_latency_ms"]
        assert checked["message"] == f"Health check completed. Status: Healthy, Latency: {average}ms"

        closed = simulator.open_proxy()
        simulator.call("DELETE", f"/proxies/{closed['port']}")
        failed = (await api.post("/api/proxies", json=said | {"alias": "Gone", "port": closed["port"]})).json()
        assert failed["message"] == "Proxy added but health check failed: Connection refused"

        connection = factories.add_connection(core)
        pool = [made["proxy"]["id"], failed["proxy"]["id"]]
        policy = {"mode": "round_robin", "pool": pool, "fallback_to_direct": False, "max_retry_per_proxy": 2}
        kept = await api.put(f"/api/connections/{connection.id}", json={"proxy_policy": policy})
        assert kept.status_code == 200, kept.text
        assert (await api.get(f"/api/connections/{connection.id}")).json()["proxy_policy"] == policy
        assert (await api.get(path)).json()["used_by"] == [f"connection {connection.name}"]
        kept = await api.delete(path)
        assert kept.status_code == 409 and connection.name in kept.json()["detail"]
        refused = await api.put(f"/api/connections/{connection.id}", json={"proxy_policy": policy | {"pool": [10**6]}})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "proxy_policy.pool")


async def test_a_proxy_that_wants_tls_to_itself_is_refused_plainly_at_save(core: Core) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("proxy.example.com").configure_cert(context)

    def serve(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = server.accept()
                with client, suppress(OSError):
                    context.wrap_socket(client, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        async with api_client(core) as api:
            body = PROXY | {"type": "https", "port": server.getsockname()[1]}
            refused = await api.post("/api/proxies", json=body)
            plain = (await api.post("/api/proxies", json=body | {"type": "http"})).json()
            edited = await api.put(f"/api/proxies/{plain['proxy']['id']}", json={"type": "https"})
            kept = (await api.get("/api/proxies")).json()["items"]
        server.shutdown(socket.SHUT_RDWR)

    for answer in (refused, edited):
        said = answer.json()
        assert (answer.status_code, said["code"], said["errors"][0]["field"]) == (422, "invalid", "type")
        assert "wants TLS to itself" in said["detail"] and "SOCKS5 port" in said["action"]
    assert [one["type"] for one in kept] == ["http"]
    assert "health check failed: The proxy wants TLS to itself" in plain["message"]


@pytest.mark.parametrize(
    "bad",
    [
        {"type": "ftp"},
        {"port": 0},
        {"port": 65_536},
        {"alias": " "},
        {"alias": "a\x00b"},
        {"host": "http://proxy.example.com"},
        {"host": ""},
        {"username": "", "password": "x"},
        {"username": "a\r\nb"},
        {"assignment": "everywhere"},
        {"health": "healthy"},
    ],
)
async def test_what_cannot_be_a_proxy_is_refused_by_field(core: Core, bad: dict[str, Any]) -> None:
    async with api_client(core) as api:
        answer = await api.post("/api/proxies", json={**PROXY, "port": 8080, **bad})

    assert answer.status_code == 422, answer.text
    named = {error["field"] for error in answer.json()["errors"]}
    assert named & ({*bad} | {"username"}) and answer.json()["action"]


@pytest.mark.parametrize("allowed", [()])
async def test_no_spelling_of_a_private_address_is_stored_or_reached(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo

    def rebinding(host: Any, *more: Any, **options: Any) -> Any:
        return resolve("127.0.0.1" if host == "rebind.example.com" else host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        listener.setblocking(False)
        async with api_client(core) as api:
            for host in SPELLINGS:
                answer = await api.post("/api/proxies", json={**PROXY, "host": host, "port": port})
                problem = answer.json()
                assert (answer.status_code, problem["code"], problem["errors"][0]["field"]) == (422, "invalid", "host")
                assert problem["action"]
                literal = f"[{host}]" if ":" in host and not host.startswith("[") else host
                aimed = await api.put("/api/proxies/targets", json={"targets": [f"https://{literal}:{port}/"]})
                assert aimed.status_code == 422, host
            assert (await api.get("/api/proxies")).json()["items"] == []
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize("allowed", [()])
async def test_a_name_that_was_public_when_stored_is_not_followed_inside(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["8.8.8.8"])

    def rebinding(host: str, port: int, **_: Any) -> list[Any]:
        ip = next(answers, "127.0.0.1") if host == "rebind.example.com" else "8.8.8.8"
        return [(2, 1, 6, "", (ip, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        body = {**PROXY, "host": "rebind.example.com", "port": listener.getsockname()[1], "test": False}
        listener.setblocking(False)
        async with api_client(core) as api:
            made = await api.post("/api/proxies", json=body)
            assert made.status_code == 201, made.text
            path = f"/api/proxies/{made.json()['proxy']['id']}"
            assert (await api.post(f"{path}/health-check")).status_code == 422
            every = (await api.post("/api/proxies/test-all")).json()
        assert every["results"][0]["tests"][0]["error_code"] == "address"
        with pytest.raises(BlockingIOError):
            listener.accept()
