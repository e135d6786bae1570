"""What the tests of the door and the API share: an administrator, the API behind its guard, and hostile words.

Rows come from `tests.factories`. Only the far ends (the platforms, Dagster's web server) are not there.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from admin_app.api.main import create_api
from admin_app.door.guard import Guard
from admin_app.door.origins import Origins
from forwarder_core.clock import Clock
from forwarder_core.db import people
from forwarder_core.db.tables import metadata
from forwarder_core.embedded.ports import free_port
from forwarder_core.embedded.postgres import Server
from forwarder_core.services import journal, signing_in
from forwarder_core.services.context import Core
from forwarder_core.settings import Settings
from tests.factories import make_core

ROOT = Path(__file__).resolve().parents[3]
BASE = "http://127.0.0.1:8080"
USER, PASSWORD = "admin", "A-long-enough-password-1"
CHEAP_HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
CLIENT_JSON = '{"installed": {"client_id": "1-a.apps.googleusercontent.com", "client_secret": "GOCSPX-swordfish"}}'
HOSTILE = '<img src=x onerror="document.title=1"> **bold** [link](javascript:alert(1)) :red[x] $a$'


@contextmanager
def own_database(postgres: Server, migrated: str, name: str) -> Iterator[str]:
    """A migrated database for the tests of one module, because a clone for each would cost more than the tests."""
    postgres.address.clone(migrated, name)
    yield postgres.url(name)
    postgres.address.drop(name)


@contextmanager
def core_with_admin(database_url: str, clock: Clock, home: Path) -> Iterator[Core]:
    """On an emptied database. No way out to any network: a call that tries fails at once. The hash is a cheap one."""
    with make_core(database_url, clock, home, outbound_proxy="http://127.0.0.1:9") as core:
        with core.begin() as tx:
            for table in reversed(metadata.sorted_tables):
                if table.name != "workspaces":
                    tx.execute(table.delete())
            people.add_user(tx, USER, CHEAP_HASH, clock.now())
        yield core
        # A journal that a test installed would go on writing to this database.
        logger = logging.getLogger(journal.LOGGER)
        logger.handlers = [h for h in logger.handlers if not isinstance(h, journal.JournalHandler)]


@asynccontextmanager
async def api_client(core: Core, *, signed_in: bool = True, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The API behind the guard, without a socket; `signed_in` by a bearer token."""
    app = Guard(create_api(core), core, Origins.of(core.settings))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE, **options) as client:
        if signed_in:
            opened = signing_in.sign_in(core, USER, PASSWORD, address="test")
            client.headers["Authorization"] = f"Bearer {opened.token}"
        yield client


# ---- a door as a process, with a stand-in for Dagster's web server behind it -------------------------------------


@dataclass(slots=True)
class FakeDagster:
    """Answers what it is asked and keeps what reached it."""

    url: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)

    async def page(self, request: Request) -> Response:
        body = (await request.body()).decode()
        self.seen.append({"method": request.method, "path": request.url.path, "headers": dict(request.headers)})
        if request.url.path.endswith("/redirect"):
            return RedirectResponse(f"{self.url}/runs")
        headers = {"set-cookie": "dagster=1", "content-security-policy": "default-src 'self'"}
        return JSONResponse({"path": request.url.path, "body": body}, headers=headers)

    async def socket(self, socket: WebSocket) -> None:
        self.seen.append({"method": "WS", "path": socket.url.path, "headers": dict(socket.headers)})
        await socket.accept("graphql-ws")
        async for text in socket.iter_text():
            await socket.send_text(f"echo {text}")


@contextmanager
def fake_dagster() -> Iterator[FakeDagster]:
    fake = FakeDagster()
    routes = [
        WebSocketRoute("/dagster/graphql", fake.socket),
        Route("/{path:path}", fake.page, methods=["GET", "POST"]),
    ]
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=port, log_level="error", lifespan="off"))
    fake.url = f"http://127.0.0.1:{port}/dagster"
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    _await(f"http://127.0.0.1:{port}/")
    fake.seen.clear()
    yield fake
    server.should_exit = True
    thread.join(10)


@contextmanager
def running_door(database_url: str, home: Path, dagster_url: str, **more: Any) -> Iterator[str]:
    """The door as it is started for people; its address. The administrator is made by it. `more`: settings."""
    port = free_port()
    settings = Settings(
        home=home,
        database_url=database_url,
        bind=f"127.0.0.1:{port}",
        admin_password=PASSWORD,
        timezone="Asia/Kolkata",
        **{"outbound_proxy": "http://127.0.0.1:9", **more},
    )
    env = {"PATH": os.defpath, "DAGSTER_WEBSERVER_URL": dagster_url, "PYTHONPATH": str(ROOT), **settings.environment()}
    argv = [sys.executable, "-m", "uvicorn", "admin_app.asgi:app", "--port", str(port), "--no-access-log"]
    with (
        (home / "door.log").open("wb") as log,
        subprocess.Popen(argv, cwd=home, env=env, stdout=log, stderr=log) as door,
    ):
        try:
            _await(f"http://127.0.0.1:{port}/api/health/simple")
            yield f"http://127.0.0.1:{port}"
        finally:
            door.terminate()
            door.wait(15)


def sign_in_cookie(base: str) -> str:
    """A `Cookie` header of a fresh session."""
    answer = httpx.post(f"{base}/api/login", json={"username": USER, "password": PASSWORD}, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.headers["set-cookie"].partition(";")[0]


def _await(url: str, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while True:
        try:
            httpx.get(url, trust_env=False, timeout=5)
            return
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
