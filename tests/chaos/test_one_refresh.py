"""Fifteen processes need one expired credential at the same moment: one of them renews it, and all of them use that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forwarder_core.db import accounts
from forwarder_core.services.credentials import StoredCredentials
from forwarder_core.simulator.testing import Simulator
from tests.chaos import processes
from tests.chaos.processes import FORKS, Installation
from tests.factories import simulated_account

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
MANY = 15
TOKENS = "oauth2.googleapis.com"


def test_fifteen_processes_and_one_expired_credential_make_one_refresh(
    database_url: str, simulator: Simulator, tmp_path: Path
) -> None:
    where = Installation(home=tmp_path, database_url=database_url, gateway=simulator.gateway_url, ca=simulator.ca_path)
    core = where.open()
    channel, channel_id = simulated_account(core, simulator, "youtube")
    box = StoredCredentials(core, channel.id)
    over = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    stale = box.change(lambda secrets: {**secrets, "access_token": "ya29.stale", "access_token_expiry": over})
    video = simulator.add_post("youtube", channel_id, "Sunset", seconds=1, width=144, height=256)["id"]
    asked = {"platform": "youtube"}
    before = len(simulator.call("GET", "/requests", params=asked))

    together = FORKS.Barrier(MANY)
    workers = [processes.start(processes.ask_the_channel, where, channel.id, video, together) for _ in range(MANY)]
    assert [worker.end() for worker in workers] == [0] * MANY

    calls = simulator.call("GET", "/requests", params=asked)[before:]
    refreshed = [call for call in calls if call["host"] == TOKENS]
    answered = [call for call in calls if call["host"] != TOKENS and call["account"] == channel_id]
    assert [call["status"] for call in refreshed] == [200], "one call for a new token"
    assert [call["status"] for call in answered] == [200] * MANY, "and everybody could go on with it"
    assert box.read()["access_token"] != stale["access_token"]
    with core.begin() as tx:
        assert accounts.get(tx, channel.id) is not None
    core.engine.dispose()
