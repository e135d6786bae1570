"""A core on a real PostgreSQL: one migrated database for all of these tests, emptied before each."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from forwarder_core.clock import ManualClock
from forwarder_core.services.context import Core
from tests.factories import core_on, emptied


@pytest.fixture
def core(shared_engine: Engine, clock: ManualClock, tmp_path: Path) -> Core:
    return core_on(emptied(shared_engine), clock, tmp_path)
