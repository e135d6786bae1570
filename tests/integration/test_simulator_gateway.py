"""The gateway over real sockets: names lead to the simulated platforms by every protocol, and nowhere else."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import socks

from forwarder_core.simulator.testing import ControlFailed, Simulator, eventually

BOT = "https://api.telegram.org/bot123:abcdef"


def get_me(sim: Simulator, proxy_url: str) -> dict[str, Any]:
    with sim.exit_through(proxy_url).http() as client:
        return dict(client.get(f"{BOT}/getMe").raise_for_status().json())


def tunnels(sim: Simulator) -> list[dict[str, Any]]:
    return list(sim.call("GET", "/tunnels"))


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
@pytest.mark.parametrize("login", [{}, {"username": "ann", "password": "pass-1"}])
def test_a_real_name_leads_to_the_simulated_platform(sim: Simulator, scheme: str, login: dict[str, str]) -> None:
    proxy = sim.open_proxy(**login)

    assert get_me(sim, proxy["url"].replace("http", scheme, 1))["ok"]

    (entry,) = sim.requests()
    assert (entry["host"], entry["status"], entry["proxy"]) == ("api.telegram.org", 200, proxy["id"])
    assert (entry["proxy_user"], entry["exit_ip"]) == (login.get("username"), proxy["exit_ip"])
    assert entry["client"].startswith(f"127.0.0.1 via 127.0.0.1:{proxy['port']}")
    assert sim.failures() == []


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
@pytest.mark.parametrize("login", ["ann:wrong@", ""])
def test_a_wrong_or_missing_login_is_refused(sim: Simulator, scheme: str, login: str) -> None:
    port = sim.open_proxy(username="ann", password="right")["port"]

    with pytest.raises(httpx.ProxyError):
        get_me(sim, f"{scheme}://{login}127.0.0.1:{port}")

    assert sim.requests() == []


def test_the_lower_case_scheme_of_pysocks_is_taken(sim: Simulator) -> None:
    port = sim.open_proxy(username="ann", password="right")["port"]

    with socks.socksocket() as connection:
        connection.set_proxy(socks.HTTP, "127.0.0.1", port, username="ann", password="right")
        connection.connect(("api.telegram.org", 443))

    assert tunnels(sim)[-1]["user"] == "ann"


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_a_name_nobody_simulates_is_refused_and_recorded(sim: Simulator, scheme: str) -> None:
    url = sim.gateway_url.replace("http", scheme, 1)

    with sim.exit_through(url).http() as client, pytest.raises(httpx.ProxyError):
        client.get("https://example.com/")

    (failure,) = sim.failures()
    assert (failure["kind"], failure["host"]) == ("unknown_host", "example.com:443")


def test_an_address_in_place_of_a_name_is_refused_too(sim: Simulator) -> None:
    with sim.exit.http() as client, pytest.raises(httpx.ProxyError):
        client.get("https://203.0.113.7/")

    assert sim.failures()[0]["host"] == "203.0.113.7:443"


def test_plain_http_goes_the_same_way(sim: Simulator) -> None:
    with sim.exit.http() as client:
        assert client.get(f"{BOT.replace('https', 'http')}/getMe").json()["ok"]
        assert client.get("http://example.com/").status_code == 403


def test_each_proxy_has_an_exit_address_of_its_own(sim: Simulator) -> None:
    proxies = [sim.open_proxy(), sim.open_proxy()]
    seen = []
    for proxy in proxies:
        with sim.exit_through(proxy["url"]).http() as client:
            seen.append(client.get(f"{sim.control_url}/ip").json()["ip"])

    assert seen == [proxy["exit_ip"] for proxy in proxies]
    assert len({*seen, "127.0.0.1"}) == 3


def test_a_closed_proxy_refuses_connections_and_can_come_back(sim: Simulator) -> None:
    proxy = sim.open_proxy()
    sim.call("DELETE", f"/proxies/{proxy['id']}")

    with pytest.raises(httpx.ConnectError):
        get_me(sim, proxy["url"])

    again = sim.open_proxy(port=proxy["port"])
    assert get_me(sim, again["url"])["ok"]


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
@pytest.mark.parametrize("fault", ["proxy_407", "proxy_refuse"])
def test_a_proxy_that_refuses(sim: Simulator, scheme: str, fault: str) -> None:
    url = sim.gateway_url.replace("http", scheme, 1)
    sim.arm(fault)

    with pytest.raises(httpx.ProxyError):
        get_me(sim, url)

    assert get_me(sim, url)["ok"]


def test_a_proxy_fault_strikes_only_the_proxy_it_is_aimed_at(sim: Simulator) -> None:
    good, bad = sim.open_proxy(), sim.open_proxy()
    sim.arm("proxy_refuse", match={"proxy": bad["id"], "host": "*.telegram.org"}, count=None)

    assert get_me(sim, good["url"])["ok"]
    with pytest.raises(httpx.ProxyError):
        get_me(sim, bad["url"])


def test_a_proxy_that_hangs_says_nothing(sim: Simulator) -> None:
    sim.arm("proxy_hang")

    with sim.exit.http(read_timeout_s=0.3) as client, pytest.raises(httpx.TimeoutException):
        client.get(f"{BOT}/getMe", timeout=0.3)


def test_a_connection_is_cut_after_so_many_bytes(sim: Simulator) -> None:
    sim.arm("proxy_cut", after_bytes=200_000, direction="up")

    with sim.exit.http() as client:
        with pytest.raises((httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)):
            client.post(f"{BOT}/sendMessage", json={"chat_id": 1, "text": "x" * 2_000_000})
        assert client.get(f"{BOT}/getMe").json()["ok"]

    cut = eventually(lambda: [each for each in tunnels(sim) if each["outcome"] == "fault: cut"])[0]
    assert cut["sent"] == 200_000


def test_delay_and_throttle_take_their_time(sim: Simulator) -> None:
    sim.arm("proxy_delay", seconds=0.2)
    sim.arm("proxy_throttle", bytes_per_s=20_000)
    began = time.monotonic()

    with sim.exit.http() as client:
        client.post(f"{BOT}/sendMessage", json={"chat_id": 1, "text": "x" * 6_000})

    assert 0.4 < time.monotonic() - began < 5


def test_what_is_no_proxy_request_is_only_noted(sim: Simulator) -> None:
    where = urlsplit(sim.gateway_url)

    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://{where.netloc}/", trust_env=False)

    assert eventually(lambda: tunnels(sim))[-1]["outcome"].startswith("bad handshake")


def test_a_taken_port_cannot_be_a_proxy(sim: Simulator) -> None:
    with pytest.raises(ControlFailed, match="409"):
        sim.open_proxy(port=urlsplit(sim.gateway_url).port)


def test_a_client_that_gives_up_ends_its_tunnel_even_when_no_answer_ever_comes(sim: Simulator) -> None:
    sim.arm("stall")

    with sim.exit.http() as client, pytest.raises(httpx.TimeoutException):
        client.get(f"{BOT}/getMe", timeout=0.2)

    assert eventually(lambda: tunnels(sim)[-1]["outcome"] == "done")
