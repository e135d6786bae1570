"""Webhooks, e-mail, approvals and Telegram's call over the API: what is refused says which field and what to do."""

from __future__ import annotations

import pytest

from forwarder_core.db import events
from forwarder_core.db.tables.roads import telegram_updates
from forwarder_core.errors import AwaitingAnswer
from forwarder_core.services import approving, telegram_settings
from forwarder_core.services.context import Core
from tests import factories
from tests.integration.alerts.outgoing import CHANNEL, TOKEN
from tests.integration.alerts.receivers import receiver
from tests.integration.alerts.test_roads import SPELLINGS
from tests.unit.admin_app.doorway import HOSTILE, api_client

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
HOOKS = "/api/webhooks"
CALL = "/api/webhook/telegram"
HEADER = "X-Telegram-Bot-Api-Secret-Token"


def reaching_here(core: Core) -> Core:
    allowed = core.settings.model_copy(update={"allow_private_networks": ("127.0.0.0/8",), "outbound_proxy": None})
    return Core(allowed, core.engine, core.vault, core.clock)


async def test_a_private_address_is_422_with_its_field_and_what_to_do(core: Core) -> None:
    async with api_client(core) as client:
        for spelling in SPELLINGS:
            refused = await client.post(HOOKS, json={"name": "x", "url": spelling.format(port=9)})
            problem = refused.json()
            assert (refused.status_code, problem["code"]) == (422, "invalid"), spelling
            assert problem["errors"][0]["field"] == "url" and problem["action"], spelling
        assert (await client.get(HOOKS)).json() == {"items": []}


async def test_a_webhook_is_made_changed_tested_and_deleted_and_its_secret_is_told_once(core: Core) -> None:
    with receiver() as there:
        async with api_client(reaching_here(core)) as client:
            made = await client.post(HOOKS, json={"name": HOSTILE, "url": there.url, "kinds": ["disk"]})
            assert made.status_code == 201 and made.json()["secret"].startswith("whsec_"), made.text
            path = f"{HOOKS}/{made.json()['webhook']['id']}"
            tested = await client.post(f"{path}/test")
            assert tested.json().get("status_code") == 204, tested.text
            changed = await client.put(path, json={"enabled": False})
            assert changed.json()["webhook"]["kinds"] == ["disk"] and changed.json()["webhook"]["enabled"] is False
            renewed = await client.post(f"{path}/secret")
            assert renewed.json()["secret"] != made.json()["secret"]
            shown = [(await client.get(one)).text for one in (HOOKS, path, f"{path}/deliveries")]
            assert not any("whsec_" in text for text in shown)
            again = await client.post(HOOKS, json={"name": HOSTILE, "url": there.url})
            assert again.status_code == 409
            for body in ({"kinds": ["nope"]}, {"name": " "}, {"secret": "mine"}, {"url": "http://127.0.0.1:0/"}):
                assert (await client.put(path, json=body)).status_code == 422, body
            assert (await client.delete(path)).status_code == 200
            assert (await client.get(path)).status_code == 404


async def test_mail_settings_never_tell_the_password(core: Core) -> None:
    path = "/api/settings/email"
    setup = {"host": "127.0.0.1", "port": 2525, "tls": "starttls", "username": "bot", "password": "s3cr3t-pw"}
    setup |= {"sender": "bot@example.com", "recipients": ["ops@example.com"], "enabled": True}
    async with api_client(core) as client:
        refused = await client.put(path, json=setup)
        assert refused.status_code == 422 and refused.json()["errors"][0]["field"] == "host"
    async with api_client(reaching_here(core)) as client:
        saved = await client.put(path, json=setup)
        assert saved.json()["settings"]["has_password"] is True and "s3cr3t-pw" not in saved.text
        assert "s3cr3t-pw" not in (await client.get(path)).text
        assert (await client.post(f"{path}/test")).status_code == 503, "nobody listens there"
        cleared = await client.put(path, json={"password": "", "enabled": False})
        assert cleared.json()["settings"]["has_password"] is False


async def test_a_question_is_shown_and_answered(core: Core) -> None:
    job = factories.add_job(core, factories.add_connection(core, publish_options={"approval": True}))
    with pytest.raises(AwaitingAnswer):
        approving.ask_before_publishing(core, factories.claimed(core, job), factories.errand_of(core, job))
    async with api_client(core) as client:
        (waiting,) = (await client.get("/api/approvals")).json()["items"]
        assert (waiting["job_id"], [c["word"] for c in waiting["choices"]]) == (job, ["approve", "reject"])
        path = f"/api/jobs/{job}/approve"
        assert (await client.post(path, json={"choice": "perhaps"})).status_code == 422
        done = await client.post(path, json={"choice": "approve"})
        assert done.status_code == 200 and done.json()["job"]["status"] == "queued", done.text
        assert (await client.post(path)).status_code == 200, "the same answer again"
        assert (await client.post(path, json={"choice": "reject"})).status_code == 409
        assert (await client.get("/api/approvals")).json()["items"] == []
        assert (await client.get(f"/api/jobs/{job}/approval")).json()["answer"] == "approve"
        assert (await client.post("/api/jobs/999999/approve")).status_code == 404


async def test_telegrams_call_passes_without_a_session_and_not_without_its_secret(core: Core) -> None:
    telegram_settings.change(
        core, {"bot_token": TOKEN, "channel_id": CHANNEL, "commands": "webhook", "users": [42]}, who="admin"
    )
    sealed = core.vault.seal({"secret": "the-secret-of-this-bot"}).decode()
    with core.begin() as tx:
        known = {"bot": TOKEN.partition(":")[0], "url": "https://x", "secret": sealed}
        events.keep_setting(tx, telegram_settings.WEBHOOK, known, core.clock.now())
    message = {"text": "/status", "from": {"id": 42}, "chat": {"id": int(CHANNEL)}}
    update = {"update_id": 5, "message": message, "anything_else": [1]}
    async with api_client(core, signed_in=False) as client:
        for headers in ({}, {HEADER: "wrong"}, {HEADER: "the-secret-of-this-bo"}, {HEADER: "ä"}):
            sent = {name: value.encode() for name, value in headers.items()}
            refused = 403 if sent else 401
            assert (await client.post(CALL, json=update, headers=sent)).status_code == refused, headers
        right = {HEADER: "the-secret-of-this-bot"}
        for _ in range(100):
            assert (await client.post(CALL, json=update, headers=right)).json() == {"ok": True}
        for odd in ([], "x", None):
            assert (await client.post(CALL, json=odd, headers=right)).status_code == 422
        assert (await client.post(CALL, json={"update_id": "x"}, headers=right)).status_code == 200
    assert [row["update_id"] for row in factories.rows(core, telegram_updates)] == [5]
