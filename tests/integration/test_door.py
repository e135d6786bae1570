"""The door as a process: nothing passes without a session, and what passes to Dagster is what may."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from forwarder_core.embedded.postgres import Server
from tests.unit.admin_app.doorway import PASSWORD, USER, FakeDagster, fake_dagster, running_door, sign_in_cookie

pytestmark = pytest.mark.slow
PAGES = ["/", "/overview", "/jobs", "/jobs/5", "/accounts", "/accounts/1", "/connections", "/connections/2", "/logs"]
NOT_PAGES = ["/_stcore/health", "/_stcore/metrics", "/_stcore/host-config", "/_stcore/agent", "/static/js/x.js"]
NOT_PAGES += ["/media/x", "/component/x", "/api", "/api/jobs", "/api/docs", "/dagster/graphql", "/dagster/runs"]


@dataclass(frozen=True, slots=True)
class Door:
    base: str
    home: Path
    dagster: FakeDagster

    def ask(self, method: str, path: str, *, cookie: str = "", **options: object) -> httpx.Response:
        headers = {**({"Cookie": cookie} if cookie else {}), **options.pop("headers", {})}  # type: ignore[dict-item]
        with httpx.Client(trust_env=False, timeout=30) as client:
            return client.request(method, self.base + path, headers=headers, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def door(postgres: Server, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    home = tmp_path_factory.mktemp("door")
    postgres.address.clone(migrated, "door_http")
    with fake_dagster() as dagster, running_door(postgres.url("door_http"), home, dagster.url) as base:
        yield Door(base, home, dagster)
    postgres.address.drop("door_http")


@pytest.fixture(scope="module")
def cookie(door: Door) -> str:
    return sign_in_cookie(door.base)


def socket(door: Door, path: str, cookie: str = "", origin: str | None = None, protocol: str = "graphql-ws"):  # type: ignore[no-untyped-def]
    return connect(
        door.base.replace("http", "ws") + path,
        additional_headers={"Cookie": cookie} if cookie else {},
        origin=origin,  # type: ignore[arg-type]
        subprotocols=[Subprotocol(protocol)],
        proxy=None,
    )


def test_without_a_session_nothing_is_shown(door: Door) -> None:
    for path in PAGES:
        answer = door.ask("GET", path)
        assert answer.status_code == 303 and answer.headers["location"].startswith("/login"), path
        assert not answer.content
    for path in NOT_PAGES:
        assert door.ask("GET", path).status_code == 401, path
    assert door.ask("POST", "/dagster/graphql", json={"query": "{ version }"}).status_code == 401
    page = door.ask("GET", "/dagster/runs", headers={"Accept": "text/html"})
    assert page.status_code == 303 and page.headers["location"] == "/login?next=/dagster/runs"
    assert door.ask("PUT", "/_stcore/upload_file/a/b").status_code == 401
    for path in ("/_stcore/stream", "/dagster/graphql", "/ws/jobs", "/api/jobs"):
        with pytest.raises(InvalidStatus):
            socket(door, path)
    assert door.dagster.seen == []


def test_the_sign_in_page_leads_back_to_where_one_wanted_to_go(door: Door) -> None:
    with httpx.Client(base_url=door.base, trust_env=False, timeout=30) as client:
        away = client.get("/jobs/5")
        assert away.headers["location"] == "/login?next=/jobs/5"
        page = client.get(away.headers["location"])
        form = dict(re.findall(r'name="(form|next)" value="([^"]*)"', page.text))
        assert form["next"] == "/jobs/5" and "script" not in page.text
        wrong = client.post("/login", data={**form, "username": USER, "password": "no"})
        assert wrong.status_code == 401 and "Invalid username or password" in wrong.text
        done = client.post("/login", data={**form, "username": USER, "password": PASSWORD})
        assert done.status_code == 303 and done.headers["location"] == "/jobs/5"
        there = client.get("/jobs/5")
        assert there.status_code == 302 and there.headers["location"] == "/jobs?id=5"
        assert "Streamlit" in client.get("/jobs?id=5").text
        assert client.get("/login").headers["location"] == "/"
        assert client.get("/dashboard").headers["location"] == "/"


def test_the_form_cannot_be_sent_by_another_page(door: Door) -> None:
    data = {"username": USER, "password": PASSWORD, "form": "x"}
    assert door.ask("POST", "/login", data=data).status_code == 403
    answer = door.ask(
        "POST", "/login", data=data, cookie="forwarder_form=x", headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 403 and "set-cookie" not in answer.headers


@pytest.mark.parametrize("wanted", ["//evil.example", "https:evil.example", "/\\evil", "/a%0d%0aSet-Cookie:%20x=y"])
def test_a_sign_in_never_leads_elsewhere(door: Door, wanted: str) -> None:
    data = {"username": USER, "password": PASSWORD, "form": "x", "next": wanted}
    answer = door.ask("POST", "/login", data=data, cookie="forwarder_form=x")
    assert answer.status_code == 303 and answer.headers["location"] == "/"


def test_a_copied_cookie_is_worthless_after_the_sign_out(door: Door) -> None:
    for way in ("/logout", "/api/logout"):
        cookie = sign_in_cookie(door.base)
        token = door.ask("GET", "/api/auth/check", cookie=cookie).json()["csrf_token"]
        if way == "/logout":
            asked = door.ask("GET", way, cookie=cookie, headers={"Sec-Fetch-Site": "cross-site"})
            assert asked.status_code == 200 and "Sign out?" in asked.text
            assert door.ask("POST", way, cookie=cookie, data={"csrf": "x"}).status_code == 403
            assert door.ask("GET", way, cookie=cookie).status_code == 303
        else:
            assert door.ask("POST", way, cookie=cookie, headers={"X-CSRF-Token": token}).status_code == 200
        assert door.ask("GET", "/api/jobs", cookie=cookie).status_code == 401
        assert door.ask("GET", "/jobs", cookie=cookie).headers["location"] == "/login?next=/jobs&expired=1"


def test_dagster_gets_what_it_needs_and_not_our_session(door: Door, cookie: str) -> None:
    door.dagster.seen.clear()
    answer = door.ask("GET", "/dagster/runs?cursor=a%2Fb", cookie=f"{cookie}; other=1", headers={"X-User": "root"})
    assert answer.json()["path"] == "/dagster/runs" and "set-cookie" not in answer.headers
    policies = answer.headers.get_list("content-security-policy")
    assert any("default-src 'self'" in p for p in policies) and any("frame-ancestors 'none'" in p for p in policies)
    asked = door.ask("POST", "/dagster/graphql", cookie=cookie, json={"query": "mutation { x }"})
    assert "mutation" in asked.json()["body"]
    for seen in door.dagster.seen:
        assert not {"cookie", "authorization", "x-user"} & seen["headers"].keys()
        assert seen["headers"]["host"] in door.dagster.url
    assert door.ask("GET", "/dagster/redirect", cookie=cookie).headers["location"] == "/dagster/runs"


def test_dagster_is_not_reached_by_what_any_web_page_could_send(door: Door, cookie: str) -> None:
    door.dagster.seen.clear()
    mutation = "/dagster/graphql?query=mutation%20%7Bx%7D"
    evil = {"Origin": "https://evil.example"}
    refused = [
        door.ask("GET", mutation, cookie=cookie),
        door.ask("POST", mutation, cookie=cookie, json={}),
        door.ask("POST", "/dagster/graphql", cookie=cookie, content="x", headers={"Content-Type": "text/plain"}),
        door.ask("POST", "/dagster/graphql", cookie=cookie, json={}, headers=evil),
        door.ask("POST", "/dagster/report_asset_materialization/x", cookie=cookie, json={}),
        door.ask("GET", "/dagster/notebook?path=/etc/x.ipynb", cookie=cookie),
        door.ask("GET", "/dagster/logs/%2e%2e/%2e%2e/etc/passwd", cookie=cookie),
        door.ask("GET", "/dagster/runs", cookie=cookie, headers={"Host": "evil.example"}),
        door.ask("DELETE", "/dagster/runs", cookie=cookie),
    ]
    assert [answer.status_code for answer in refused] == [403, 403, 403, 403, 404, 404, 404, 400, 405]
    with pytest.raises(InvalidStatus):
        socket(door, "/dagster/graphql", cookie, origin="https://evil.example")
    assert door.dagster.seen == []


def test_dagsters_websocket_passes_and_ends_with_the_session(door: Door) -> None:
    cookie = sign_in_cookie(door.base)
    with socket(door, "/dagster/graphql", cookie) as left_by_the_browser:
        left_by_the_browser.send("bye")
    with socket(door, "/dagster/graphql", cookie, origin=door.base) as ws:
        assert ws.subprotocol == "graphql-ws"
        ws.send("hello")
        assert ws.recv(5) == "echo hello"
        door.ask("GET", "/logout", cookie=cookie)
        with pytest.raises(ConnectionClosed):
            ws.recv(30)


def test_every_answer_carries_the_security_headers(door: Door, cookie: str) -> None:
    for path in ("/", "/login", "/api/jobs", "/dagster/runs", "/nothing/here", "/_stcore/metrics"):
        headers = door.ask("GET", path, cookie=cookie if path != "/login" else "").headers
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY", path
        assert "frame-ancestors 'none'" in headers["content-security-policy"] and headers["referrer-policy"]
    assert door.ask("GET", "/", headers={"Host": "evil.example"}).status_code == 400


def test_the_door_is_light_and_its_files_are_its_owners(door: Door, cookie: str) -> None:
    door.ask("GET", "/api/jobs", cookie=cookie)
    children = psutil.Process().children(recursive=True)
    ours = next(p for p in children if "admin_app.asgi:app" in p.cmdline())
    loaded = {Path(m.path).name for m in ours.memory_maps()}
    assert ours.memory_info().rss < 350e6  # with the first screen
    assert not [name for name in loaded if "grpc" in name], "Dagster is loaded"
    assert stat.S_IMODE((door.home / "secret-keys").stat().st_mode) == 0o600
    log = (door.home / "door.log").read_text()
    assert PASSWORD not in log and cookie.partition("=")[2] not in log and "Traceback" not in log
