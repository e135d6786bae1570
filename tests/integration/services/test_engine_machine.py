"""The engine as a whole under whatever order of events; the events and what must stay true are in `engine_machine`."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Engine

from forwarder_core.clock import ManualClock
from forwarder_core.connectors import registry
from tests.factories import core_on
from tests.integration.services.engine_machine import EngineMachine
from tests.integration.services.far_ends import Feed, Somebody

pytestmark = pytest.mark.slow


def test_whatever_happens_in_whatever_order(
    shared_engine: Engine, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Feed()
    monkeypatch.setattr(registry, "source", lambda account, box, exit_: feed)
    monkeypatch.setattr(registry, "authenticator", lambda account, box, exit_: Somebody(account))
    machine = type(
        "Machine", (EngineMachine,), {"core": core_on(shared_engine, clock, tmp_path), "clock": clock, "feed": feed}
    )
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=10,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
