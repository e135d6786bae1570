"""The control API and the life of the process: what is asked wrongly is refused, what was accepted survives."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from forwarder_core.simulator.testing import Simulator, eventually, running

ROOT = Path(__file__).resolve().parents[2]
BOT = "https://api.telegram.org/bot123:abcdef"


def ask(sim: Simulator, method: str, path: str, body: Any = None) -> httpx.Response:
    return httpx.request(method, sim.control_url + path, json=body, trust_env=False, timeout=60)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", "/accounts", {"platform": "telegram"}, 422, "username"),
        ("POST", "/accounts", {"platform": "nowhere", "username": "a"}, 422, "no simulated platform"),
        ("POST", "/accounts", {"platform": "telegram", "username": "a", "colour": 1}, 422, "colour"),
        ("POST", "/posts", {"platform": "telegram", "account": "nobody"}, 404, "nobody"),
        ("POST", "/posts", {"platform": "telegram", "account": "a", "file": "/no/such"}, 422, "not a file"),
        ("POST", "/posts", {"platform": "telegram", "account": "a", "width": 101}, 422, "width"),
        ("POST", "/posts", {"platform": "telegram", "account": "a", "codec": "x"}, 422, "codec must be one of"),
        ("POST", "/faults", {"fault": "earthquake"}, 422, "fault must be one of"),
        ("POST", "/faults", {"fault": "stall", "count": 0}, 422, "count"),
        ("POST", "/faults", {"fault": "latency", "seconds": "long"}, 422, "seconds must be a number"),
        ("POST", "/faults", {"fault": "quota", "match": {"planet": "x"}}, 422, "match.planet"),
        ("POST", "/faults", {"fault": "quota", "match": {"account": "x"}}, 422, "give match.platform too"),
        ("POST", "/faults", {"fault": "proxy_cut", "match": {"route": "/"}}, 422, "a proxy sees hosts"),
        ("DELETE", "/faults?id=x", None, 422, "number"),
        ("GET", "/publications?acount=x", None, 422, "unknown parameter: acount"),
        ("GET", "/publications?account=x", None, 422, "platform"),
        ("POST", "/proxies", {"username": "only"}, 422, "belong together"),
        ("DELETE", "/proxies/1", None, 404, "no proxy 1"),
        ("POST", "/telegram/updates", {"chat_id": 1}, 422, "text (a message) or data"),
        ("GET", "/nothing", None, 404, "Not Found"),
        ("POST", "/accounts", "text", 422, "object"),
    ],
)
def test_what_is_asked_wrongly_is_refused_with_the_reason(
    sim: Simulator, method: str, path: str, body: Any, status: int, words: str
) -> None:
    answer = ask(sim, method, path, body)

    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert words in answer.json()["detail"]


def test_it_says_when_it_is_well(sim: Simulator) -> None:
    health = sim.call("GET", "/health")

    assert health["status"] == "ok"
    assert "telegram" in health["platforms"]


def test_an_account_is_made_once_and_changed(sim: Simulator) -> None:
    made = sim.add_account("telegram", "ann", password="p", challenge="email")

    assert made["credentials"] == {"username": "ann", "password": "p"}
    assert ask(sim, "POST", "/accounts", {"platform": "telegram", "username": "ann"}).status_code == 409
    assert ask(sim, "PATCH", "/accounts/telegram/ann", {"challenge": None}).json()["challenge"] is None
    assert [each["username"] for each in sim.call("GET", "/accounts?platform=telegram")] == ["ann"]


def test_posts_are_made_each_with_a_clip_of_its_own(sim: Simulator) -> None:
    account = sim.add_account("telegram", "ann")
    first = sim.add_post("telegram", "ann", "one", seconds=0.5, width=96, height=160)
    second = sim.add_post("telegram", account["id"], "two", seconds=0.5, width=96, height=160)

    listed = sim.call("GET", f"/posts?platform=telegram&account={account['id']}")
    assert [post["caption"] for post in listed] == ["one", "two"]
    assert first["sha256"] != second["sha256"]
    assert (listed[0]["width"], listed[0]["height"]) == (96, 160)
    assert sim.publications("telegram") == []
    assert ask(sim, "DELETE", f"/posts/telegram/{first['id']}").status_code == 204
    assert ask(sim, "DELETE", f"/posts/telegram/{first['id']}").status_code == 404


def test_a_post_may_be_a_file_of_ones_own(sim: Simulator, tmp_path: Path) -> None:
    sim.add_account("telegram", "ann")
    text = tmp_path / "text.mp4"
    text.write_text("no video")

    answer = ask(sim, "POST", "/posts", {"platform": "telegram", "account": "ann", "file": str(text)})

    assert (answer.status_code, answer.json()["detail"]) == (422, "text.mp4 is not a playable video")


def test_faults_are_listed_and_deleted(sim: Simulator) -> None:
    first = sim.arm("quota", match={"platform": "telegram", "route": "/x"}, count=2, reason="r")
    sim.arm("stall")

    listed = sim.call("GET", "/faults")
    assert [(each["name"], each["remaining"], each["value"]) for each in listed] == [
        ("quota", 2, {"reason": "r"}),
        ("stall", 1, {}),
    ]
    assert ask(sim, "DELETE", f"/faults?id={first}").json() == {"deleted": 1}
    assert ask(sim, "DELETE", "/faults").json() == {"deleted": 1}


@pytest.mark.slow
def test_everything_accepted_survives_a_kill_on_the_same_ports(tmp_path: Path) -> None:
    with running(tmp_path) as before:
        before.add_account("telegram", "ann")
        post = before.add_post("telegram", "ann", "kept", seconds=0.5, width=96, height=160)
        proxy = before.open_proxy(username="u", password="p")
        with before.exit.http() as client:
            client.post(f"{BOT}/sendMessage", json={"chat_id": 1, "text": "kept"})
        before.process.kill()
        before.process.wait(10)
    ports = ("--gateway-port", _port(before.gateway_url), "--control-port", _port(before.control_url))

    with running(tmp_path, *ports) as after:
        assert (after.gateway_url, after.control_url) == (before.gateway_url, before.control_url)
        assert [each["id"] for each in after.call("GET", "/posts?platform=telegram&account=ann")] == [post["id"]]
        assert [message["text"] for message in after.telegram()] == ["kept"]
        assert len(after.requests()) == 1
        with after.exit_through(proxy["url"]).http() as client:  # the proxy and the CA are the same, too
            assert client.get(f"{BOT}/getMe").json()["ok"]


@pytest.mark.slow
def test_it_stops_cleanly_when_told_even_while_a_client_waits(tmp_path: Path) -> None:
    with running(tmp_path) as simulator:
        simulator.arm("stall", match={"platform": "telegram"})
        with simulator.exit.http() as client, pytest.raises(httpx.TimeoutException):
            client.get(f"{BOT}/getMe", timeout=0.2)
        assert eventually(lambda: simulator.requests())[0]["faults"] == ["stall"]

        simulator.process.send_signal(signal.SIGTERM)

        assert simulator.process.wait(5) == 0


@pytest.mark.slow
def test_it_does_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    start = "from pathlib import Path; from forwarder_core.simulator.testing import running; import sys, time\n"
    start += f"with running(Path({str(tmp_path)!r})) as s: print(s.process.pid, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", start], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()

    assert eventually(lambda: not _runs(child))


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--control-port", "--gateway-port"])
def test_a_taken_port_is_an_error(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = _start(tmp_path, option, port)

    assert (done.returncode, done.stdout) == (2, "")
    assert f"Port {port} is taken." in done.stderr


@pytest.mark.slow
def test_it_refuses_to_run_beside_real_credentials(tmp_path: Path) -> None:
    (tmp_path / "secret-keys").write_text("a real key ring")

    done = _start(tmp_path)

    assert done.returncode == 2
    assert "keys of a real installation" in done.stderr
    assert not (tmp_path / "simulator").exists()


def _start(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "forwarder_core.simulator", "--home", str(home), *options]
    return subprocess.run(
        command, cwd=ROOT, env={"PATH": os.defpath}, capture_output=True, text=True, timeout=20, check=False
    )


def _port(url: str) -> str:
    return str(urlsplit(url).port)


def _runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
