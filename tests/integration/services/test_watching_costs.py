"""What watching costs, counted where it is paid: a simulated day of looks at a channel, at a connection's interval.

The looks are the engine's own, over the real client; the judge is the simulated platform's log of requests.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.connectors import registry
from forwarder_core.db.tables.quotas import quota_ledger
from forwarder_core.domain.schedules import DEFAULT_INTERVAL_S
from forwarder_core.services import connections, detection
from forwarder_core.services.context import Core
from forwarder_core.simulator import clips
from forwarder_core.simulator.testing import Simulator
from tests.factories import add_account, add_connection, rows, simulated_account

pytestmark = pytest.mark.slow
DAY_S, SOURCES, NEW_A_DAY = 86_400, 100, 3


def test_a_channel_watched_for_a_day_costs_less_than_a_hundredth_of_one_projects_units(
    real_core: Core, simulator: Simulator, tmp_path: Path
) -> None:
    core, clock = real_core, real_core.clock
    assert isinstance(clock, ManualClock)
    channel, channel_id = simulated_account(core, simulator, "youtube")
    archive = add_account(core, "archive", auth_method="folder", credentials=core.vault.seal({}))
    made = add_connection(core, channel, archive, status="stopped", started_at=None)
    _post(simulator, channel_id, tmp_path, 0)
    detection.baseline(core, connections.get(core, made.id))
    looks, began = 0, clock.now()
    news = {round(DAY_S * n / (NEW_A_DAY + 1)) for n in range(1, NEW_A_DAY + 1)}
    while (spent_s := (clock.now() - began).total_seconds()) < DAY_S:
        if due := {at for at in news if at <= spent_s}:
            news -= due
            _post(simulator, channel_id, tmp_path, len(news) + 1)
        looked = detection.poll_due(core, shard=0, shards=1, budget_s=60)
        assert not [polled.error for polled in looked if polled.error]
        looks += len(looked)
        clock.move(DEFAULT_INTERVAL_S)
    assert looks >= 0.9 * DAY_S / DEFAULT_INTERVAL_S and not news
    paid = [call for call in simulator.requests() if _is_paid(call, channel_id)]
    assert 0 < len(paid) * SOURCES <= registry.limits("youtube").quotas["units"]
    counted = [row["used"] for row in rows(core, quota_ledger) if row["scope"].startswith("youtube:units:")]
    assert sum(counted) == len(paid), "the ledger has it as it was paid"


def _post(simulator: Simulator, channel_id: str, folder: Path, number: int) -> None:
    made = clips.Clip(seed=900 + number, seconds=1, width=144, height=256)
    file = clips.make(made, folder / f"{number}-{time.monotonic_ns()}.mp4")
    simulator.add_post("youtube", channel_id, f"Number {number}", file=str(file))


def _is_paid(call: dict[str, object], channel_id: str) -> bool:
    return str(call["path"]).startswith("/youtube/v3/") and call["account"] == channel_id
