"""The database goes away under the API and comes back: refused in the one form, and well again by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from forwarder_core import db
from forwarder_core.clock import ManualClock
from forwarder_core.embedded.postgres import Cluster, Server
from forwarder_core.services.context import Core
from tests import factories
from tests.unit.admin_app.doorway import api_client, core_with_admin

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
PROXY = {"alias": "one", "type": "http", "host": "8.8.4.4", "port": 8080}


@pytest.fixture
def cluster(open_folder: Path) -> Cluster:
    """A server of its own: the one of the other tests must not go away."""
    return Cluster(open_folder / "away", fast=True)


@pytest.fixture
def server(cluster: Cluster) -> Iterator[Server]:
    server = cluster.start()
    server.ensure_databases("forwarder")
    db.migrate(server.url("forwarder"))
    yield server
    cluster.remove()


async def asked(client: httpx.AsyncClient, job_id: int) -> list[httpx.Response]:
    key = {"Idempotency-Key": "while-it-is-away"}
    return [
        await client.get("/api/jobs", params={"q": "sunset"}),
        await client.get(f"/api/jobs/{job_id}"),
        await client.get("/api/health"),
        await client.get("/metrics"),
        await client.put("/api/settings", json={"retry.max_retries": 2}),
        await client.post("/api/proxies", json=PROXY, headers=key),
    ]


async def test_the_database_goes_away_and_comes_back(
    cluster: Cluster, server: Server, clock: ManualClock, tmp_path: Path
) -> None:
    with core_with_admin(server.url("forwarder"), clock, tmp_path) as core:
        job_id = factories.add_job(core, factories.add_connection(core))
        async with api_client(core) as client:
            assert (await client.get("/api/jobs")).status_code == 200
            server.stop()
            for answer in [answer for _ in range(2) for answer in await asked(client, job_id)]:
                assert answer.status_code == 503, answer.text
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.headers["retry-after"] == "5" and answer.json()["code"] == "unavailable"
            assert (await client.get("/api/health/simple")).status_code == 200, "the process itself is well"
            back = cluster.start()
            try:
                assert back.url("forwarder") == server.url("forwarder")
                again = await asked(client, job_id)
                assert [answer.status_code for answer in again] == [200, 200, 503, 200, 200, 201], "nobody beats"
                assert again[2].json()["checks"]["database"]["status"] == "ok"
                assert _proxies(core) == 1, "what was refused had no effect"
            finally:
                core.engine.dispose()
                back.stop()


def _proxies(core: Core) -> int:
    with core.engine.connect() as tx:
        return int(tx.exec_driver_sql("SELECT count(*) FROM proxies").scalar_one())
