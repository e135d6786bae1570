"""Notifications over the API: what was said, whether it arrived, and Telegram set up, tested and kept secret."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from forwarder_core.alerts.telegram import TelegramSender
from forwarder_core.clock import ManualClock
from forwarder_core.db.tables.people import audit_log
from forwarder_core.errors import MediaRejected
from forwarder_core.services import failing, notifying
from forwarder_core.services.context import Core
from forwarder_core.services.notifying import Pace
from forwarder_core.simulator.testing import Simulator
from tests import factories
from tests.integration.alerts.outgoing import CHANNEL, TOKEN, tell
from tests.unit.admin_app.doorway import HOSTILE, api_client, core_with_admin

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
SECRET = TOKEN.partition(":")[2]
SETUP = {"bot_token": TOKEN, "channel_id": CHANNEL, "enabled": True}


@pytest.fixture
def core(url: str, clock: ManualClock, tmp_path: Path, simulator: Simulator) -> Iterator[Core]:
    """Whose Telegram is the simulated one."""
    with (
        core_with_admin(url, clock, tmp_path),
        factories.make_core(url, clock, tmp_path, **factories.through(simulator)) as core,
    ):
        yield core
    simulator.disarm()


def send(core: Core) -> None:
    with TelegramSender(core.settings.default_exit) as sender:
        notifying.send_due(core, sender, Pace())


async def test_notifications_say_what_became_of_them(core: Core, simulator: Simulator) -> None:
    tell(core, 2)
    connection = factories.add_connection(core)
    post = factories.add_post(core, connection.source_account_id, caption=HOSTILE)
    job_id = factories.add_job(core, connection, post)
    failing.fail(core, factories.claimed(core, job_id), MediaRejected("It has no video track."))
    async with api_client(core) as client:
        told = (await client.get("/api/notifications")).json()
        assert [item["delivery"] for item in told["items"]] == ["not_configured"] * 3
        assert told["delivery"] == {
            "is_configured": False,
            "waiting": 3,
            "failed": 0,
            "undelivered_elsewhere": 0,
            "is_ping_failing": False,
            "oldest_at": told["items"][-1]["created_at"],
            "problem": None,
        }
        newest = told["items"][0]
        assert newest["kind"] == "job_dead" and newest["job_id"] == job_id and "no video track" in newest["text"]
        page = (await client.get("/api/notifications?limit=2")).json()
        rest = (await client.get(f"/api/notifications?cursor={page['next_cursor']}")).json()
        assert [i["id"] for i in page["items"] + rest["items"]] == [i["id"] for i in told["items"]]
        assert (await client.get("/api/notifications?kind=job_dead,captcha")).json()["items"] == [newest]
        assert (await client.get("/api/notifications?state=sent")).json()["items"] == []
        for query in ("state=lost", "limit=0", "kinds=x"):
            assert (await client.get(f"/api/notifications?{query}")).status_code == 422, query


async def test_an_alert_that_could_not_be_sent_is_seen(core: Core, simulator: Simulator) -> None:
    simulator.arm("http_401", count=None, match={"platform": "telegram"})
    async with api_client(core) as client:
        assert (await client.put("/api/settings/telegram", json=SETUP)).status_code == 200
        tell(core)
        await asyncio.to_thread(send, core)
        told = (await client.get("/api/notifications")).json()
    assert told["items"][0]["delivery"] == "failed" and told["items"][0]["last_error"]
    assert "token" in told["delivery"]["problem"]["text"] and told["delivery"]["problem"]["action"]


async def test_telegram_is_set_up_and_its_token_never_comes_back(core: Core) -> None:
    path = "/api/settings/telegram"
    async with api_client(core) as client:
        assert (await client.get(path)).json()["enabled"] is False
        done = await client.put(path, json=SETUP)
        assert done.status_code == 200 and done.json()["settings"]["bot"] == "1234567890", done.text
        changed = await client.put(path, json={"kinds": {"job_succeeded": True}, "daily_at": "08:15"})
        shown = (await client.get(path)).json()
        assert shown == changed.json()["settings"]
        assert (shown["channel_id"], shown["daily_at"], shown["kinds"]) == (CHANNEL, "08:15", {"job_succeeded": True})
        for answer in (done, changed):
            assert SECRET not in answer.text
        removed = (await client.put(path, json={"bot_token": None, "enabled": False})).json()["settings"]
        assert removed["bot"] is None and removed["enabled"] is False
        bad = ({"bot_token": "x"}, {"channel_id": "?"}, {"kinds": {"nope": True}}, {"ping_url": "http://127.0.0.1/"})
        for body in (*bad, {"daily_at": "25:00"}, {"ping_every_s": 1}, {"enabled": True}, {"chat": "x"}):
            refused = await client.put(path, json=body)
            assert refused.status_code == 422 and refused.json()["errors"], body
        assert (await client.get(path)).json() == removed
    assert [row["what"] for row in factories.rows(core, audit_log)].count("telegram_settings") == 3
    assert SECRET not in str(factories.rows(core, audit_log))


async def test_the_test_message_arrives_or_says_why_not(core: Core, simulator: Simulator) -> None:
    path = "/api/settings/telegram/test"
    async with api_client(core) as client:
        assert (await client.post(path)).status_code == 422
        before = len(simulator.telegram())
        given = await client.post(path, json={"bot_token": TOKEN, "channel_id": CHANNEL})
        assert given.status_code == 200 and given.json()["message"] == "Test message sent successfully", given.text
        await client.put("/api/settings/telegram", json=SETUP)
        assert (await client.post(path)).json()["channel_id"] == CHANNEL
        assert len(simulator.telegram()) == before + 2
        simulator.arm("http_403", match={"platform": "telegram"})
        refused = await client.post(path)
        assert refused.status_code == 422 and "channel" in refused.json()["action"]
        assert (await client.post(path, json={"token": TOKEN})).status_code == 422
