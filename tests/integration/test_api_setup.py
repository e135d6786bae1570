"""Accounts, connections, settings, dashboard and health over the API, as the functional specification writes them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from forwarder_core.services import heartbeats
from forwarder_core.services.context import Core
from tests import factories
from tests.unit.admin_app.doorway import CLIENT_JSON, api_client

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
INSTAGRAM: dict[str, Any] = {
    "type": "instagram",
    "alias": "TravelReels_Insta",
    "username": "travel_reels_official",
    "auth_method": "private",
    "facebook_page_id": "109234567890123",
    "credentials": {"password": "swordfish-and-chips", "token_expiry": "2025-12-17T10:00:00Z"},
}
CONNECTION: dict[str, Any] = {
    "name": "Travel_Insta_to_TechShorts",
    "type": "instagram_to_youtube",
    "proxy_id": None,
    "filters": {
        "mode": "forward_all_new",
        "caption_keywords": [],
        "include_old_posts": False,
        "date_range": {"from": "2025-01-01", "to": "2025-10-17"},
    },
    "schedule": {"type": "continuous", "check_interval_minutes": 5},
    "transform_options": {"upscale": True, "greenscreen": False, "quality": "optimized"},
    "status": "active",
}


async def youtube(client: httpx.AsyncClient, content: str | bytes = CLIENT_JSON, **more: str) -> httpx.Response:
    data = {"type": "youtube", "alias": "TechShorts_YT", "channel_id": "UCabcd1234567890xyz", **more}
    files = {"oauth_client": ("client_secret.json", content, "application/json")}
    return await client.post("/api/accounts", data=data, files=files)


async def test_accounts_are_added_changed_and_deleted_and_never_tell_their_secrets(core: Core) -> None:
    async with api_client(core) as client:
        made = await client.post("/api/accounts", json=INSTAGRAM)
        assert made.status_code == 201, made.text
        account = made.json()["account"]
        assert account["username"] == "travel_reels_official" and account["status"] == "active"
        assert (await youtube(client)).json()["account"]["channel_id"] == "UCabcd1234567890xyz"
        listed = await client.get("/api/accounts?limit=1")
        assert listed.json()["next_cursor"] == str(account["id"])
        path = f"/api/accounts/{account['id']}"
        changed = await client.put(path, json={"alias": "Renamed", "rights": "own"})
        assert changed.json()["account"]["alias"] == "Renamed" and changed.json()["account"]["rights"] == "own"
        shown = await client.get(path)
        for answer in (made, listed, changed, shown):
            assert "swordfish" not in answer.text and "GOCSPX" not in answer.text
        assert (await client.delete(path)).status_code == 200
        assert (await client.get(path)).status_code == 404


async def test_an_account_takes_only_what_it_has(core: Core) -> None:
    account = factories.add_account(core)
    bad = {"id": 7, "status": "disabled", "created_at": "2020", "alias": " ", "rights": "stolen", "proxy_id": 99}
    async with api_client(core) as client:
        for field, value in [*bad.items(), ("alias", None)]:
            answer = await client.put(f"/api/accounts/{account.id}", json={field: value})
            assert answer.status_code == 422, field
            assert [e["field"] for e in answer.json()["errors"]] == [field], answer.text


async def test_bad_accounts_are_refused_without_repeating_what_was_sent(core: Core) -> None:
    async with api_client(core) as client:
        for body in (
            {**INSTAGRAM, "credentials": {"password": {"a": "swordfish"}}},
            {**INSTAGRAM, "credentials": {}},
            {**INSTAGRAM, "type": "myspace"},
            {**INSTAGRAM, "auth_method": "carrier_pigeon"},
            {**INSTAGRAM, "channel_id": "both"},
            {**INSTAGRAM, "password_hash": "x"},
        ):
            answer = await client.post("/api/accounts", json=body)
            assert answer.status_code == 422 and "swordfish" not in answer.text, answer.text
        evil = CLIENT_JSON.replace('"client_id"', '"token_uri": "http://127.0.0.1:9", "client_id"')
        for content in ("<html>", b"\xff\xfe{", "x" * 70_000, evil):
            assert (await youtube(client, content)).status_code == 422
        assert (await client.post("/api/accounts", content=b"{")).status_code == 422
        assert (await client.post("/api/accounts", content=b"x" * 1_100_000)).status_code == 413
        assert (await youtube(client)).status_code == 201
        taken = await youtube(client)
        assert taken.status_code == 409 and taken.json()["action"]


async def test_a_connection_that_cannot_start_is_stored_with_its_reasons(core: Core) -> None:
    source, destination = factories.add_account(core, rights="undeclared"), factories.add_account(core, "youtube")
    ends = {"source_account_id": source.id, "destination_account_id": destination.id}
    async with api_client(core) as client:
        made = await client.post("/api/connections", json={**CONNECTION, **ends})
        assert made.status_code == 201, made.text
        body = made.json()
        assert body["connection"]["status"] == "stopped" and "rights" in body["reasons"][0]
        shown = body["connection"]
        assert shown["source_account"] == {"id": source.id, "alias": source.alias}
        assert shown["filters"]["date_range"] == {"from": "2025-01-01", "to": "2025-10-17"}
        assert shown["total_forwarded"] == 0 and shown["last_run"] is None
        refused = await client.post(f"/api/connections/{shown['id']}/start")
        assert refused.status_code == 409 and source.alias in refused.json()["action"]
        listed = (await client.get("/api/connections?status=inactive&q=travel_")).json()["items"]
        assert [c["id"] for c in listed] == [shown["id"]]


async def test_a_connection_is_changed_paused_stopped_and_deleted(core: Core) -> None:
    connection = factories.add_connection(core)
    path = f"/api/connections/{connection.id}"
    factories.add_job(core, connection)
    async with api_client(core) as client:
        for change in (
            {"status": "active"},
            {"transform_options": {"greenscreen": {"template": "mosaic"}}},
            {"filters": {"x": 1}},
        ):
            assert (await client.put(path, json=change)).status_code == 422
        changed = await client.put(path, json={"name": "New name", "retry_policy": {"max_attempts": 5}})
        assert changed.json()["connection"]["retry_policy"] == {"max_attempts": 5}
        assert changed.json()["connection"]["filters"]["mode"] == "forward_all_new"
        assert (await client.post(f"{path}/pause")).json()["new_status"] == "paused"
        assert (await client.post(f"{path}/run")).status_code == 409
        assert (await client.post(f"{path}/stop")).json()["new_status"] == "stopped"
        assert (await client.post(f"{path}/resume")).status_code == 409
        assert (await client.get("/api/jobs")).json()["items"][0]["status"] == "cancelled"
        assert (await client.delete(path)).status_code == 200
        assert (await client.get(path)).status_code == 404
        assert (await client.get("/api/connections")).json()["items"] == []
        assert len((await client.get("/api/jobs")).json()["items"]) == 1


async def test_settings_are_taken_all_or_none(core: Core) -> None:
    async with api_client(core) as client:
        before = (await client.get("/api/settings")).json()
        bad = await client.put("/api/settings", json={"retry.max_retries": 5, "retry.delays_s": "soon", "no.such": 1})
        assert bad.status_code == 422 and len(bad.json()["errors"]) == 2
        assert (await client.get("/api/settings")).json() == before
        done = await client.put("/api/settings", json={"retry.delays_s": [1, 2, 3]})
        assert done.json()["settings"]["retry.delays_s"] == [1, 2, 3]


async def test_the_dashboard_counts_and_health_names_what_is_wrong(core: Core) -> None:
    factories.add_job(core, factories.add_connection(core))
    async with api_client(core) as client:
        told = (await client.get("/api/dashboard/summary")).json()
        assert told["connections"] == {"total": 1, "active": 1, "paused": 0, "stopped": 0}
        assert told["jobs_24h"]["total"] == told["queue"]["pending_jobs"] == len(told["recent_activity"]) == 1
        sick = await client.get("/api/health")
        assert sick.status_code == 503 and sick.json()["checks"]["keeper"]["status"] == "failing"
        heartbeats.beat(core, "keeper")
        well = await client.get("/api/health")
        assert well.status_code == 200, well.text
        checks = well.json()["checks"]
        assert checks["workers"]["facts"]["running"] == 0 and checks["yt_dlp"]["facts"]["version"]
        assert checks["daemon"]["status"] == "warning", "no sensor has ticked yet"
        heartbeats.beat(core, "watch_0_sensor", kind=heartbeats.SENSOR)
        factories.add_job(core, factories.add_connection(core), status="running", lease_until=factories.later(core, -1))
        checks = (await client.get("/api/health")).json()["checks"]
        assert checks["daemon"]["status"] == "ok" and checks["daemon"]["facts"]["sensors_age_s"] == {
            "watch_0_sensor": 0.0
        }
        assert checks["workers"]["status"] == "warning" and checks["workers"]["facts"]["silent"] == 1
        assert checks["redis"]["status"] == "not_used" and checks["migrations"]["status"] == "ok"
        assert (await client.get("/api/health/simple")).json() == {"status": "ok"}
        assert "cdn" not in (await client.get("/api/docs")).text


async def test_an_unexpected_error_says_bug_and_nothing_else(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Core) -> None:
        raise RuntimeError("swordfish in /srv/secret/path.py")

    monkeypatch.setattr("forwarder_core.services.overview.summary", broken)
    async with api_client(core) as client:
        answer = await client.get("/api/dashboard/summary")
        assert answer.status_code == 500 and answer.json()["code"] == "bug"
        assert "swordfish" not in answer.text and "Traceback" not in answer.text
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
