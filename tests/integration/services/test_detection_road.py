"""Looking at Instagram with the real client library: its odd answers are failures, never “no new posts”."""

from __future__ import annotations

from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db.tables import accounts as account_tables
from forwarder_core.db.tables import flow
from forwarder_core.errors import Conflict
from forwarder_core.services import connections, detection
from forwarder_core.services.connections import NewConnection
from forwarder_core.services.context import Core
from forwarder_core.simulator.testing import Simulator
from tests.factories import rows, simulated_account

pytestmark = pytest.mark.slow
LISTING = "/api/v1/clips/user/"


def test_a_reel_is_found_and_an_odd_answer_before_it_hid_nothing(real_core: Core, simulator: Simulator) -> None:
    core, clock = real_core, real_core.clock
    assert isinstance(clock, ManualClock)
    source, person = simulated_account(core, simulator, "instagram")
    channel, _ = simulated_account(core, simulator, "youtube")
    new = NewConnection(name="road", source_account_id=source.id, destination_account_id=channel.id)
    connection = connections.create(core, new)

    def odd(fault: str, **value: Any) -> str | None:
        simulator.arm(fault, count=None, match={"platform": "instagram", "route": LISTING}, **value)
        clock.move(5_000)
        (polled,) = detection.poll_due(core, shard=0, shards=1, budget_s=60)
        simulator.disarm()
        return polled.error

    simulator.arm("http_429", count=None, match={"platform": "instagram", "route": LISTING})
    with pytest.raises(Conflict):
        connections.start(core, connection.id)
    assert connections.get(core, connection.id).started_at is None
    simulator.disarm()

    connections.start(core, connection.id)
    reel = simulator.add_post("instagram", person, "Sunset #travel", seconds=1, width=144, height=256)
    errors = [odd("html_200"), odd("empty_200"), odd("wrong_json"), odd("http_429", retry_after=7_200)]
    assert all(errors), errors
    assert errors[3] == "rate_limited"
    (watch,) = rows(core, account_tables.watches)
    assert watch["failures"] == 4 and (watch["next_poll_at"] - clock.now()).total_seconds() >= 7_200
    assert rows(core, flow.source_posts) == [] == rows(core, flow.jobs)

    clock.move(7_200)
    ran = connections.run_now(core, connection.id)
    (seen,) = rows(core, flow.source_posts)
    assert (seen["platform_post_id"], seen["caption"]) == (reel["id"], "Sunset #travel")
    assert len(ran.jobs) == 1
