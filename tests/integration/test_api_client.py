"""The client of docs/examples does what it says, against the real door over a real socket."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.errors import MediaRejected
from forwarder_core.services import failing
from forwarder_core.services.context import Core
from tests import factories
from tests.unit.admin_app.doorway import PASSWORD, ROOT, USER, running_door

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example_client", ROOT / "docs" / "examples" / "client.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def core(database_url: str, tmp_path: Path) -> Iterator[Core]:
    with factories.make_core(database_url, ManualClock(datetime.now(UTC)), tmp_path) as core:
        yield core


def test_it_lists_retries_and_changes(example: ModuleType, core: Core, database_url: str, tmp_path: Path) -> None:
    connection = factories.add_connection(core)
    made = [factories.add_job(core, connection) for _ in range(3)]
    failing.fail(core, factories.claimed(core, made[0]), MediaRejected("No."))
    home = tmp_path / "door"
    home.mkdir()
    with running_door(database_url, home, "http://127.0.0.1:9/dagster") as base:
        login = {"username": USER, "password": PASSWORD}
        session = httpx.post(f"{base}/api/login", json=login, trust_env=False).json()["token"]
        token = httpx.post(
            f"{base}/api/api-tokens",
            json={"name": "example", "scopes": ["write"]},
            headers={"Authorization": f"Bearer {session}"},
            trust_env=False,
        ).json()["token"]
        forwarder = example.Forwarder(base, token)
        assert [job["id"] for job in forwarder.jobs(limit=2)] == made[::-1]
        assert [job["id"] for job in forwarder.jobs(status="failed")] == made[:1]
        assert forwarder.retry(made[0])["status"] == "queued"
        with pytest.raises(example.Refused) as refused:
            forwarder.retry(made[0])
        assert (refused.value.status, refused.value.code) == (409, "conflict")
        changed = forwarder.change(f"/api/connections/{connection.id}", name="Renamed by a program")
        assert changed["connection"]["name"] == "Renamed by a program"
        forwarder.close()
