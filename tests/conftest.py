"""What every test may ask for. The far end is faked, our own code never: a real PostgreSQL, an injected clock.

`database_url` is a fresh, migrated database for one test: a clone of a template that is migrated once per worker.
A test that takes it (or `simulator`) should carry the mark `slow` unless it stays well under a second.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from forwarder_core import db
from forwarder_core.clock import ManualClock
from forwarder_core.embedded.postgres import Cluster, Server
from forwarder_core.settings import load
from forwarder_core.simulator.testing import Simulator, running

TEMPLATE = "template_migrated"
_numbers = count()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--api-calls", type=int, default=1_000, help="generated calls of test_api_generated.py")
    parser.addoption("--world", help="control address of a world that runs elsewhere, for the tests marked `roads`")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "roads: needs nothing of the simulated world that another one could not do")
    if config.getoption("--world") and "roads" not in (config.getoption("-m") or ""):
        raise pytest.UsageError("--world is for the tests marked `roads`: add -m roads")


@pytest.fixture(scope="session")
def browser_program() -> Path:
    """The Chromium of the browser tests, found by `./run test`. Without one they fail, never skip."""
    found = load().browser or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.fail("no browser: install chromium, or set FORWARDER_BROWSER to one", pytrace=False)
    return Path(found)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder every user can enter: pytest's own are closed to the unprivileged user PostgreSQL runs as."""
    folder = Path(tempfile.mkdtemp(prefix="forwarder-tests-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(open_folder: Path) -> Iterator[Server]:
    """A PostgreSQL of this worker, fast and forgetful."""
    server = Cluster(open_folder / "cluster", fast=True).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def migrated(postgres: Server) -> str:
    """Name of the database that has every table and no row."""
    postgres.ensure_databases(TEMPLATE)
    db.migrate(postgres.url(TEMPLATE))
    return TEMPLATE


@pytest.fixture
def empty_database_url(postgres: Server) -> Iterator[str]:
    """A database without a table."""
    name = f"empty_{next(_numbers)}"
    postgres.ensure_databases(name)
    yield postgres.url(name)
    postgres.address.drop(name)


@pytest.fixture
def database_url(postgres: Server, migrated: str) -> Iterator[str]:
    """postgresql+psycopg://… of a migrated, empty database of this test alone."""
    name = f"test_{next(_numbers)}"
    postgres.address.clone(migrated, name)
    yield postgres.url(name)
    postgres.address.drop(name)


@pytest.fixture(scope="module")
def url(postgres: Server, migrated: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """As `database_url`, for all tests of one module: a clone for each costs more than the tests. Empty it first."""
    name = request.module.__name__.rpartition(".")[2]
    postgres.address.clone(migrated, name)
    yield postgres.url(name)
    postgres.address.drop(name)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def simulator(open_folder: Path, request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """The simulated platforms, one world per worker: use accounts of your own in it. With `--world` the one it names,
    behind FORWARDER_OUTBOUND_PROXY, its certificates being FORWARDER_CA_BUNDLE's."""
    if control := request.config.getoption("--world"):
        known = load()
        assert known.outbound_proxy and known.ca_bundle, "set FORWARDER_OUTBOUND_PROXY and FORWARDER_CA_BUNDLE"
        yield Simulator(gateway_url=known.outbound_proxy, control_url=control, ca_path=known.ca_bundle)
        return
    with running(open_folder / "simulator") as simulator:
        yield simulator
