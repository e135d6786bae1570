"""A core whose way out is the simulated world, with Telegram set up or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from forwarder_core.alerts.telegram import TelegramSender
from forwarder_core.clock import ManualClock
from forwarder_core.services import telegram_settings
from forwarder_core.services.context import Core
from forwarder_core.services.notifying import Pace
from forwarder_core.simulator.testing import Simulator
from tests import factories
from tests.integration.alerts.outgoing import CHANNEL, TOKEN


@pytest.fixture
def core(database_url: str, clock: ManualClock, tmp_path: Path, sim: Simulator) -> Iterator[Core]:
    with factories.make_core(database_url, clock, tmp_path, **factories.through(sim)) as core:
        yield core


@pytest.fixture
def ready(core: Core) -> Core:
    """With Telegram set up."""
    values = {"bot_token": TOKEN, "channel_id": CHANNEL, "enabled": True}
    telegram_settings.change(core, values, who="admin")
    return core


@pytest.fixture
def sender(core: Core) -> Iterator[TelegramSender]:
    with TelegramSender(core.settings.default_exit) as sender:
        yield sender


@pytest.fixture
def pace() -> Pace:
    return Pace()
