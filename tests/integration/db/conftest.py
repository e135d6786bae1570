"""A core on a real PostgreSQL: one migrated database for all of these tests, emptied before each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from forwarder_core.clock import ManualClock
from forwarder_core.db.engine import connect
from forwarder_core.embedded.postgres import Server
from forwarder_core.services.context import Core
from tests.factories import core_on, emptied


@pytest.fixture(scope="module")
def shared_engine(postgres: Server, migrated: str, request: pytest.FixtureRequest) -> Iterator[Engine]:
    name = request.module.__name__.rpartition(".")[2]
    postgres.address.clone(migrated, name)
    engine = connect(postgres.url(name), pool_size=10, name="test")
    yield engine
    engine.dispose()
    postgres.address.drop(name)


@pytest.fixture
def core(shared_engine: Engine, clock: ManualClock, tmp_path: Path) -> Core:
    return core_on(emptied(shared_engine), clock, tmp_path)
