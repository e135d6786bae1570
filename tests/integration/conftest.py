"""What tests against real processes share: a core on a database of their module, a source of their own, a simulator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from forwarder_core.clock import ManualClock
from forwarder_core.connectors import registry
from forwarder_core.db.engine import connect
from forwarder_core.services.context import Core
from forwarder_core.simulator.testing import Simulator, running
from tests.integration.services.far_ends import Feed, Somebody
from tests.unit.admin_app.doorway import core_with_admin


@pytest.fixture
def core(url: str, clock: ManualClock, tmp_path: Path) -> Iterator[Core]:
    """On the emptied database of this module, with an administrator."""
    with core_with_admin(url, clock, tmp_path) as core:
        yield core


@pytest.fixture(scope="module")
def shared_engine(url: str) -> Iterator[Engine]:
    engine = connect(url, pool_size=10, name="test")
    yield engine
    engine.dispose()


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Feed:
    """The one source every account of this test shows; each account is who it says."""
    made = Feed()
    monkeypatch.setattr(registry, "source", lambda account, box, exit_: made)
    monkeypatch.setattr(registry, "authenticator", lambda account, box, exit_, **_: Somebody(account))
    return made


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """The simulated platforms for this module alone."""
    with running(tmp_path_factory.mktemp("simulator")) as simulator:
        yield simulator


@pytest.fixture
def sim(process: Simulator) -> Simulator:
    """That world, as if it had just begun."""
    process.reset()
    return process
