"""A core on a real PostgreSQL, emptied before each test; a source of the test's own, or the simulated platforms."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from forwarder_core.clock import ManualClock
from forwarder_core.platforms.instagram.client import Pace
from forwarder_core.platforms.instagram.source import InstagramSource
from forwarder_core.services.context import Core
from forwarder_core.simulator.testing import Simulator
from tests.factories import core_on, emptied, through


@pytest.fixture
def core(shared_engine: Engine, clock: ManualClock, tmp_path: Path) -> Core:
    return core_on(emptied(shared_engine), clock, tmp_path)


@pytest.fixture
def real_core(shared_engine: Engine, tmp_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Core:
    """A core whose calls go through the simulator's gateway with the real client libraries, at the present time.

    Instagram's client rests a second between two calls; against loopback that is only time lost.
    """
    monkeypatch.setattr(InstagramSource.__init__, "__kwdefaults__", {"pace": Pace(between_calls_s=0, configure_s=0)})
    simulator.disarm()
    clock = ManualClock(datetime.now(UTC))
    return core_on(emptied(shared_engine), clock, tmp_path, **through(simulator))
