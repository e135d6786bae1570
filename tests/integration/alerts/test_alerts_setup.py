"""Telegram as the admin sets it up: kept secret, tested, switched by kind, and its troubles shown."""

from __future__ import annotations

import pytest

from forwarder_core.alerts.pace import Pace
from forwarder_core.alerts.telegram import TelegramSender
from forwarder_core.clock import ManualClock
from forwarder_core.db import waiting
from forwarder_core.db.tables.system import outbox, settings
from forwarder_core.errors import Invalid, Unavailable
from forwarder_core.services import notifying, telegram_settings
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core
from forwarder_core.services.notifying import Outcome
from forwarder_core.simulator.testing import Simulator
from tests import factories
from tests.integration.alerts.outgoing import CHANNEL, TOKEN, tell, texts

pytestmark = pytest.mark.slow


def test_a_token_telegram_does_not_know_is_shown_until_it_is_mended(
    ready: Core, sim: Simulator, clock: ManualClock, sender: TelegramSender, pace: Pace
) -> None:
    sim.arm("http_401", count=None, match={"platform": "telegram"})
    tell(ready)
    notifying.send_due(ready, sender, pace)

    state = notifying.undelivered(ready)
    assert state.problem is not None and "token" in state.problem.text and "Settings" in state.problem.action
    assert [n.delivery for n in notifying.notifications(ready)] == ["failed"]
    with pytest.raises(Invalid, match="token"):
        telegram_settings.test(ready)

    sim.disarm()
    telegram_settings.change(ready, {"bot_token": "987654321:ABCdefGHIjklMNOpqrsTUVwxyz"}, who="admin")
    assert notifying.send_due(ready, sender, pace).sent == 1
    assert not notifying.undelivered(ready).is_trouble


def has_due(core: Core) -> bool:
    """As the keeper asks it, and not a second old."""
    with core.begin() as tx:
        return waiting.for_keeper(tx, core.clock.now(), signing_in=()).messages


def test_without_telegram_alerts_are_kept_and_put_off(
    core: Core, sim: Simulator, clock: ManualClock, sender: TelegramSender, pace: Pace
) -> None:
    assert not has_due(core)
    tell(core, 3)
    assert has_due(core)
    assert notifying.send_due(core, sender, pace).outcome is Outcome.NOT_CONFIGURED
    assert not has_due(core)
    assert {row["next_at"] for row in factories.rows(core, outbox)} == {factories.later(core, 60)}
    assert {n.delivery for n in notifying.notifications(core)} == {"not_configured"}

    telegram_settings.change(core, {"bot_token": TOKEN, "channel_id": CHANNEL, "enabled": True}, who="admin")
    clock.move(5)
    assert notifying.send_due(core, sender, pace).sent == 3


def test_kinds_switched_off_are_muted_and_stay_in_the_history(
    ready: Core, sim: Simulator, sender: TelegramSender, pace: Pace
) -> None:
    telegram_settings.change(ready, {"kinds": {"census": False, "job_succeeded": True}}, who="admin")
    tell(ready)
    notifying.send_due(ready, sender, pace)

    (kept,) = notifying.notifications(ready)
    assert (kept.delivery, kept.alert.kind) == ("muted", "census") and "CENSUS" in kept.text
    assert sim.telegram() == []
    on = {p.kind: p.is_on for p in telegram_settings.preferences(ready)}
    assert on["job_succeeded"] and not on["census"] and on["captcha"]


def test_the_token_is_sealed_and_never_shown_back(ready: Core) -> None:
    shown = telegram_settings.get(ready)

    assert (shown.bot, shown.channel_id, shown.is_configured) == ("1234567890", CHANNEL, True)
    assert TOKEN.partition(":")[2] not in f"{shown} {factories.rows(ready, settings)}"
    with pytest.raises(Invalid) as told:
        telegram_settings.change(ready, {"bot_token": "", "enabled": True}, who="admin")
    assert [problem.field for problem in told.value.fields] == ["bot_token"]


def test_the_test_message_says_what_telegram_said(core: Core, sim: Simulator) -> None:
    with pytest.raises(Invalid, match="not set up"):
        telegram_settings.test(core)
    tested = telegram_settings.test(core, bot_token=TOKEN, channel_id="@your_channel")
    assert "TEST MESSAGE" in texts(sim)[0] and tested.message_id == sim.telegram()[0]["message_id"]

    sim.arm("http_403", match={"platform": "telegram"})
    with pytest.raises(Invalid, match="blocked") as told:
        telegram_settings.test(core, bot_token=TOKEN, channel_id=CHANNEL)
    assert "channel" in told.value.action
    sim.arm("proxy_refuse")
    with pytest.raises(Unavailable):
        telegram_settings.test(core, bot_token=TOKEN, channel_id=CHANNEL)


def test_a_test_that_arrives_ends_the_pause(
    ready: Core, sim: Simulator, clock: ManualClock, sender: TelegramSender, pace: Pace
) -> None:
    sim.arm("http_403", count=6, match={"platform": "telegram"})
    tell(ready)
    for _ in range(6):
        notifying.send_due(ready, sender, pace)
        clock.move(80)
    assert notifying.send_due(ready, sender, pace).outcome is Outcome.PAUSED

    telegram_settings.test(ready)
    assert notifying.send_due(ready, sender, pace).sent == 1


def test_severity_decides_who_is_mentioned(ready: Core, sim: Simulator, sender: TelegramSender, pace: Pace) -> None:
    telegram_settings.change(ready, {"mention": {"high": "@ops_team"}}, who="admin")
    tell(ready)
    tell(ready, kind=AlertKind.QUOTA)
    notifying.send_due(ready, sender, pace)

    assert [said.endswith("\n\n@ops_team") for said in texts(sim)] == [True, False]


def test_the_sign_of_life_comes_once_a_day(ready: Core, clock: ManualClock, pace: Pace) -> None:
    for _ in range(48):
        clock.move(1_800)
        notifying.keep_pulse(ready, pace)

    (beat,) = notifying.notifications(ready)
    assert beat.alert.kind == "heartbeat" and beat.alert.created_at.hour == 9
