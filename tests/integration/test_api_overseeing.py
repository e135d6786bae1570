"""What the screens of overseeing show, over the API: the calendar, the audit log, challenges, causes, first steps."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.connectors import registry
from forwarder_core.db import accounts as account_rows
from forwarder_core.domain.accounts import AccountStatus
from forwarder_core.errors import MediaRejected
from forwarder_core.services import challenges, failing
from forwarder_core.services.context import Core
from tests import factories
from tests.integration.services.far_ends import Feed, Somebody
from tests.unit.admin_app.doorway import api_client

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


async def got(client: httpx.AsyncClient, path: str, **params: Any) -> dict[str, Any]:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_the_calendar_shows_what_failed_and_what_is_planned(core: Core, clock: ManualClock) -> None:
    connection = factories.add_connection(core)
    dead = factories.add_job(core, connection)
    failing.fail(core, factories.claimed(core, dead), MediaRejected("No."))
    today = clock.now().date().isoformat()
    async with api_client(core) as client:
        month = await got(client, "/api/calendar")
        assert month["first"] <= today <= month["last"] and month["zone"] == "UTC"
        assert [(entry["job_id"], entry["mark"]) for entry in month["entries"]] == [(dead, "failed")]
        day = await got(client, "/api/calendar", **{"from": today, "to": today, "connection": connection.id})
        assert [count["count"] for count in day["counts"]] == [1] and day["first"] == day["last"] == today
        bad: list[dict[str, str]] = [{"from": today}, {"from": "2026-01-01", "to": "2026-12-31"}, {"from": "x"}]
        for params in [*bad, {"from": "2026-02-02", "to": "2026-02-01"}, {"from": "0001-01-01", "to": "0001-01-02"}]:
            assert (await client.get("/api/calendar", params=params)).status_code == 422, params


async def test_the_audit_log_is_read_page_by_page_by_administrators(core: Core) -> None:
    async with api_client(core) as client:
        for delays in ([1], [2], [3]):
            await client.put("/api/settings", json={"retry.delays_s": delays})
        first = await got(client, "/api/audit-log", limit=2, q="settings")
        rest = await got(client, "/api/audit-log", q="settings", cursor=first["next_cursor"])
        deeds = first["items"] + rest["items"]
        assert len(deeds) == 3 and {deed["who"] for deed in deeds} == {"admin"} and rest["next_cursor"] is None
        assert deeds == sorted(deeds, key=lambda deed: -deed["id"])
        assert (await got(client, "/api/audit-log", who="nobody"))["items"] == []
        made = await client.post("/api/api-tokens", json={"name": "n8n", "scopes": ["write"]})
        headers = {"Authorization": f"Bearer {made.json()['token']}"}
        assert (await client.get("/api/audit-log", headers=headers)).status_code == 403


async def test_open_challenges_and_causes_of_dead_letters_are_listed(core: Core) -> None:
    account = factories.add_account(core)
    connection = factories.add_connection(core, account)
    for _ in range(2):
        failing.fail(core, factories.claimed(core, factories.add_job(core, connection)), MediaRejected("No."))
    factories.add_job(core, connection, status="captcha")
    with core.begin() as tx:
        challenges.raise_on(tx, account, "A check", core.clock.now())
        held = account_rows.get(tx, account.id)
    assert held is not None and held.status is AccountStatus.CAPTCHA_DETECTED
    async with api_client(core) as client:
        (shown,) = (await got(client, "/api/challenges"))["items"]
        assert shown["account_id"] == account.id and shown["connections"] == shown["pending_jobs"] == 1
        assert shown["detected_at"] and shown["reason"]
        (cause,) = (await got(client, "/api/jobs/dead-letter/causes"))["items"]
        assert cause["error"] == "media_rejected" and cause["count"] == 2 and cause["action"]


async def test_a_connection_is_rehearsed_before_it_is_made(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Feed()
    monkeypatch.setattr(registry, "source", lambda account, box, exit_: feed)
    monkeypatch.setattr(registry, "authenticator", lambda account, box, exit_: Somebody(account))
    source, destination = factories.add_account(core, rights="undeclared"), factories.add_account(core, "youtube")
    body = {"name": "New", "source_account_id": source.id, "destination_account_id": destination.id}
    async with api_client(core) as client:
        steps = await got(client, "/api/dashboard/first-steps")
        assert steps["has_source"] and steps["has_destination"] and not steps["has_connection"] | steps["is_done"]
        report = await client.post("/api/connections/rehearse", json=body)
        assert report.status_code == 200, report.text
        assert not report.json()["can_start"] and report.json()["connection_id"] == 0
        assert "rights" in {check["name"] for check in report.json()["checks"] if check["outcome"] == "failed"}
        assert (await got(client, "/api/connections"))["items"] == []
        bad = await client.post("/api/connections/rehearse", json={**body, "filters": {"x": 1}})
        assert bad.status_code == 422
