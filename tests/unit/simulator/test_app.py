"""The app around the fakes: routing by Host, the log, failures, and the faults it acts out itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from forwarder_core.connectors.base import World, WorldAccount
from forwarder_core.simulator.app import SimulatorApp
from forwarder_core.simulator.fakes import Fake
from forwarder_core.simulator.faults import Place
from forwarder_core.simulator.hosts import HostTable
from forwarder_core.simulator.passages import Passage, Passages
from forwarder_core.simulator.world import SimulatedWorld

CLIENT = ("127.0.0.1", 40_000)


def toy(world: SimulatedWorld) -> Starlette:
    """A fake of ten lines: it counts what it receives, knows one video, and can break."""

    async def count(request: Request) -> Response:
        world.saw("toy", request.query_params.get("who"))
        if world.take_fault("toy", request.url.path, None, "token_expired"):
            return JSONResponse({"error": "expired"}, 401)
        total = 0
        async for chunk in request.stream():
            total += len(chunk)
        return JSONResponse({"bytes": total})

    async def missing(request: Request) -> Response:
        return PlainTextResponse("no such video", 404)

    async def broken(request: Request) -> Response:
        raise ValueError("a mistake in the fake")

    async def dispatch(request: Request) -> Response:
        return PlainTextResponse("what?", 404, headers={"x-simulator-unknown": "no such app id"})

    routes = [
        Route("/count", count, methods=["GET", "POST"]),
        Route("/video", missing),
        Route("/broken", broken),
        Route("/dispatch", dispatch),
        Mount("/inner", routes=[Route("/known", missing)]),
    ]
    return Starlette(routes=routes)


def account_of(request: Request, world: World) -> str | None:
    return request.query_params.get("who")


def fault_response(name: str, value: Mapping[str, Any]) -> Response | None:
    return JSONResponse({"toy": "slow down"}, 429) if name == "http_429" else None


def credentials(world: World, account: WorldAccount) -> Mapping[str, str]:
    return {}


@pytest.fixture
def passages() -> Passages:
    return Passages()


@pytest.fixture
def client(world: SimulatedWorld, passages: Passages) -> httpx.AsyncClient:
    fake = Fake(
        platform="toy",
        hosts=("toy.example", "*.toy.example"),
        app=toy(world),
        credentials=credentials,
        account_of=account_of,
        fault_response=fault_response,
    )

    async def control(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("control")(scope, receive, send)

    app = SimulatorApp(world, HostTable({"toy": fake.hosts}), {"toy": fake}, passages, control)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False, client=CLIENT), base_url="https://toy.example"
    )


pytestmark = pytest.mark.anyio


async def test_the_host_decides_who_answers(client: httpx.AsyncClient) -> None:
    assert (await client.post("/count", content=b"12345")).json() == {"bytes": 5}
    assert (await client.post("https://a.toy.example/count", content=b"1")).json() == {"bytes": 1}
    assert (await client.get("http://127.0.0.1/count")).text == "control"


async def test_every_request_is_logged_with_its_account_and_way(
    client: httpx.AsyncClient, world: SimulatedWorld, passages: Passages
) -> None:
    way = Passage(
        proxy="8100",
        proxy_address="127.0.0.1:8100",
        user="u",
        client_ip="127.0.0.1",
        exit_ip="127.0.1.2",
        abort=lambda: None,
    )
    await client.get("/count?who=alice")
    passages.add(CLIENT, way)
    await client.get("/count")

    direct, through = world.journal.requests()
    assert (direct["method"], direct["path"], direct["host"]) == ("GET", "/count", "toy.example")
    assert (direct["account"], direct["status"], direct["client"]) == ("alice", 200, "127.0.0.1 direct")
    assert (through["client"], through["proxy"]) == ("127.0.0.1 via 127.0.0.1:8100 as u", "8100")
    assert world.journal.requests(account="alice") == [direct]


@pytest.mark.parametrize(
    ("method", "url", "kind"),
    [
        ("GET", "https://elsewhere.example/", "unknown_host"),
        ("GET", "/nothing", "unknown_path"),
        ("DELETE", "/count", "unknown_path"),
        ("GET", "/inner/nothing", "unknown_path"),
        ("GET", "/dispatch", "unknown_path"),
        ("GET", "/broken", "fake_error"),
    ],
)
async def test_what_nobody_simulates_is_a_failure(
    client: httpx.AsyncClient, world: SimulatedWorld, method: str, url: str, kind: str
) -> None:
    answer = await client.request(method, url)

    assert answer.status_code in (404, 405, 500)
    assert [failure["kind"] for failure in world.journal.failures()] == [kind]


@pytest.mark.parametrize("path", ["/video", "/inner/known"])
async def test_a_missing_thing_on_a_known_path_is_no_failure(
    client: httpx.AsyncClient, world: SimulatedWorld, path: str
) -> None:
    assert (await client.get(path)).status_code == 404
    assert world.journal.failures() == []


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        ("http_5xx", 503, '{"message":"simulated 503"}'),
        ("http_401", 401, '{"message":"simulated 401"}'),
        ("http_403", 403, '{"message":"simulated 403"}'),
        ("empty_200", 200, ""),
        ("wrong_json", 200, '{"unexpected":["shape"]}'),
        ("http_429", 429, '{"toy":"slow down"}'),
    ],
)
async def test_http_faults_answer_in_the_fakes_place(
    client: httpx.AsyncClient, world: SimulatedWorld, fault: str, status: int, text: str
) -> None:
    world.faults.arm(fault, Place(platform="toy", route="/count"), value={})

    struck, after = await client.post("/count", content=b"1"), await client.post("/count", content=b"1")

    assert (struck.status_code, struck.text) == (status, text)
    assert after.json() == {"bytes": 1}
    assert [entry["faults"] for entry in world.journal.requests()] == [[fault], []]


async def test_a_fault_may_bring_its_own_status_body_and_wait(client: httpx.AsyncClient, world: SimulatedWorld) -> None:
    value = {"status": 502, "body": {"e": 1}, "retry_after": 7}
    world.faults.arm("http_5xx", Place(), value=value)

    answer = await client.get("/count")

    assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (502, {"e": 1}, "7")


async def test_a_page_instead_of_json(client: httpx.AsyncClient, world: SimulatedWorld) -> None:
    world.faults.arm("html_200", Place(), value={})

    answer = await client.get("/count")

    assert answer.headers["content-type"].startswith("text/html")
    assert answer.status_code == 200


async def test_latency_comes_before_another_fault_and_before_the_answer(
    client: httpx.AsyncClient, world: SimulatedWorld
) -> None:
    world.faults.arm("latency", Place(), value={"seconds": 0})
    world.faults.arm("http_5xx", Place(), value={})

    assert (await client.get("/count")).status_code == 503
    assert world.journal.requests()[0]["faults"] == ["latency", "http_5xx"]


async def test_an_http_fault_strikes_only_the_account_it_is_aimed_at(
    client: httpx.AsyncClient, world: SimulatedWorld
) -> None:
    world.faults.arm("http_403", Place(platform="toy", account="alice"), value={})

    assert (await client.get("/count?who=bob")).status_code == 200
    assert (await client.get("/count?who=alice")).status_code == 403


async def test_a_fault_of_the_platforms_own_is_left_to_its_fake(
    client: httpx.AsyncClient, world: SimulatedWorld
) -> None:
    world.faults.arm("token_expired", Place(platform="toy"), value={})

    assert (await client.get("/count")).json() == {"error": "expired"}
