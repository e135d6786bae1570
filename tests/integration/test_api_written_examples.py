"""The functional specification's own examples: its requests work as they are written, its answers' keys are there.

`WRITTEN` holds its answers word for word, and `missing` asks for their keys only. What is different on purpose:
- 192.168.1.100 of its proxy is a private address, which is taken by a setting only: a public one stands in its place.
- A connection whose rights nobody stated is stored inactive, with `reasons` (rights are required at start).
- The retry of a dead letter is a new attempt of the same job, so its id stays.
- The token of the answer to a sign-in is a session of the server, not a JWT.
- Encrypted tokens are shown nowhere: of its “token storage” the parts that are no secret are answered by the status.
- Reasons in analytics are codes of our error classes (`rate_limited` for its `api_rate_limit` …).
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import update

from forwarder_core.clock import ManualClock
from forwarder_core.db.tables import flow
from forwarder_core.errors import MediaRejected, NetworkFailed
from forwarder_core.services import analytics_days, challenges, failing
from forwarder_core.services.context import Core
from tests import factories
from tests.integration.services.far_ends import Feed
from tests.unit.admin_app.doorway import PASSWORD, USER, api_client

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
INSTAGRAM = {
    "type": "instagram",
    "alias": "TravelReels_Insta",
    "username": "travel_reels_official",
    "auth_method": "graph_api",
    "facebook_page_id": "109234567890123",
    "credentials": {"access_token": "EAAG...Zc9Q", "token_expiry": "2025-12-17T10:00:00Z"},
}
CLIENT_JSON = """{
  "installed": {
    "client_id": "123456789-abcdefg.apps.googleusercontent.com",
    "client_secret": "GOCSPX-abcd1234_efgh5678",
    "redirect_uris": ["http://localhost:8080/oauth2callback"]
  }
}"""
CONNECTION = {
    "name": "Travel_Insta_to_TechShorts",
    "type": "instagram_to_youtube",
    "filters": {
        "mode": "forward_all_new",
        "caption_keywords": [],
        "include_old_posts": False,
        "date_range": None,
    },
    "schedule": {"type": "continuous", "check_interval_minutes": 5},
    "transform_options": {"upscale": True, "greenscreen": False, "quality": "optimized"},
    "status": "active",
}
PROXY = {
    "alias": "US_Proxy_01",
    "type": "http",
    "host": "8.8.4.4",
    "port": 8080,
    "username": "proxyuser",
    "password": "proxypass123",
    "assignment": "global",
}
RETRY_POLICY = {
    "max_attempts": 3,
    "backoff_strategy": "exponential",
    "backoff_multiplier": 6,
    "initial_delay_seconds": 10,
    "max_delay_seconds": 600,
    "retry_on_errors": ["network_timeout", "proxy_error", "api_temporary_error", "rate_limit_exceeded"],
    "no_retry_on_errors": ["invalid_credentials", "account_suspended", "video_too_large", "copyright_violation"],
}
SOLVED = {
    "resolved": True,
    "resolution_notes": "Manually completed CAPTCHA via web browser",
    "resume_connections": True,
}
NAMED = ("id", "alias")
WRITTEN: dict[str, Any] = {
    "login": {"status": 0, "token": 0, "user": {"id": 0, "username": 0}, "expires_at": 0},
    "account": {
        "status": 0,
        "account": dict.fromkeys(
            ("id", "type", "alias", "username", "auth_method", "status", "token_expiry", "created_at")
        ),
    },
    "connection": {
        "status": 0,
        "connection": {
            **dict.fromkeys(("id", "name", "type", "status", "created_at", "last_run")),
            **dict.fromkeys(("total_forwarded", "success_count", "failure_count")),
            "source_account": dict.fromkeys(NAMED),
            "destination_account": dict.fromkeys(NAMED),
            "proxy": dict.fromkeys(NAMED),
        },
    },
    "start": dict.fromkeys(("status", "message", "connection_id", "new_status", "next_check")),
    "run": {"status": 0, "message": 0, "jobs_created": [dict.fromkeys(("job_id", "source_post_id", "status"))]},
    "proxy": {
        "status": 0,
        "proxy": {
            **dict.fromkeys(("id", "alias", "type", "host", "port", "assignment", "health_status")),
            **dict.fromkeys(("last_health_check", "response_time_ms", "created_at")),
        },
    },
    "health-check": {
        **dict.fromkeys(("status", "proxy_id", "health_status", "average_latency_ms", "last_checked")),
        "tests": [dict.fromkeys(("endpoint", "result", "latency_ms"))],
    },
    "job": dict.fromkeys(
        ("job_id", "connection_id", "source_post_id", "source_media_url", "status", "attempts", "created_at")
    ),
    "retrying": dict.fromkeys(("job_id", "status", "attempts", "last_error", "last_error_message", "next_retry_at")),
    "dead-letter": {
        "total_count": 0,
        "jobs": [
            dict.fromkeys(
                (
                    *("job_id", "connection_id", "connection_name", "source_post_id", "final_error"),
                    *("error_message", "attempts", "failed_at", "can_retry"),
                )
            )
        ],
    },
    "captcha": dict.fromkeys(("status", "message", "account_status", "connections_resumed", "jobs_requeued")),
    "token": dict.fromkeys(("account_id", "token_type", "client_id", "token_expiry", "scopes", "last_refreshed")),
    "summary": {
        "connections": dict.fromkeys(("total", "active", "paused", "stopped")),
        "jobs_24h": dict.fromkeys(("total", "succeeded", "failed", "retrying", "success_rate")),
        "workers": dict.fromkeys(("active", "total_capacity", "utilization_percent")),
        "queue": dict.fromkeys(("pending_jobs", "avg_wait_time_seconds")),
        "recent_activity": [dict.fromkeys(("timestamp", "job_id", "connection_name", "status"))],
    },
    "connection analytics": {
        **dict.fromkeys(("connection_id", "connection_name")),
        "period": dict.fromkeys(("start", "end")),
        "metrics": {
            **dict.fromkeys(("total_jobs", "succeeded", "failed", "success_rate")),
            **dict.fromkeys(("avg_retry_count", "avg_job_duration_seconds")),
        },
        "failure_breakdown": [dict.fromkeys(("reason", "count", "percent"))],
        "daily_stats": [dict.fromkeys(("date", "total", "succeeded", "failed"))],
    },
    "account analytics": {
        **dict.fromkeys(("account_id", "account_alias", "account_type", "health_score")),
        "metrics": dict.fromkeys(("total_forwarded", "as_source", "as_destination", "success_rate", "uptime_percent")),
        "connections": [dict.fromkeys(("connection_id", "name", "role", "status", "success_rate"))],
        "token_status": dict.fromkeys(("valid", "expires_at", "days_until_expiry")),
    },
}


def missing(wanted: Any, got: Any, at: str = "") -> list[str]:
    """The keys of `wanted` that `got` has not, by their place; of a list the first element speaks for all."""
    if isinstance(wanted, list):
        return missing(wanted[0], got[0], f"{at}[0]") if got else [f"{at} is empty"]
    if not isinstance(wanted, dict):
        return []
    if not isinstance(got, dict):
        return [f"{at} is no object"]
    lost = [f"{at}.{name}" for name in wanted if name not in got]
    return lost + [one for name in wanted if name in got for one in missing(wanted[name], got[name], f"{at}.{name}")]


def told(answer: httpx.Response, written: str, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    assert missing(WRITTEN[written], answer.json()) == [], answer.text
    return answer.json()


async def test_signing_in_and_another_password(core: Core) -> None:
    async with api_client(core, signed_in=False) as client:
        said = told(await client.post("/api/login", json={"username": USER, "password": PASSWORD}), "login")
        client.headers["Authorization"] = f"Bearer {said['token']}"
        new = "NewSecureP@ss456"
        body = {"current_password": PASSWORD, "new_password": new, "confirm_password": new}
        answer = await client.put("/api/admin/password", json=body)
        assert answer.json()["message"] == "Password updated successfully. Please login again."


async def test_from_two_accounts_to_a_run(core: Core, clock: ManualClock, feed: Feed) -> None:
    async with api_client(core) as client:
        source = told(await client.post("/api/accounts", json=INSTAGRAM), "account", 201)["account"]
        form = {"type": "youtube", "alias": "TechShorts_YT", "channel_id": "UCabcd1234567890xyz"}
        files = {"oauth_client": ("client_secret.json", CLIENT_JSON, "application/json")}
        made = await client.post("/api/accounts", data=form, files=files)
        assert made.status_code == 201 and made.json()["account"]["channel_id"] == "UCabcd1234567890xyz"
        destination = made.json()["account"]["id"]
        token = told(await client.get(f"/api/tokens/{destination}/status"), "token")
        assert token["client_id"].startswith("123456789-") and "GOCSPX" not in str(token)
        proxy = told(await client.post("/api/proxies", json=PROXY), "proxy", 201)["proxy"]
        told(await client.post(f"/api/proxies/{proxy['id']}/health-check"), "health-check")
        ends = {"source_account_id": source["id"], "destination_account_id": destination, "proxy_id": proxy["id"]}
        body = told(await client.post("/api/connections", json={**CONNECTION, **ends}), "connection", 201)
        assert body["connection"]["status"] == "stopped" and any("rights" in one for one in body["reasons"])
        path = f"/api/connections/{body['connection']['id']}"
        pool = {"mode": "round_robin", "pool": [proxy["id"]], "fallback_to_direct": False, "max_retry_per_proxy": 2}
        for change in ({"proxy_policy": pool}, {"retry_policy": RETRY_POLICY}):
            assert (await client.put(path, json=change)).status_code == 200, change


async def test_start_run_now_and_the_job_that_comes_of_it(core: Core, clock: ManualClock, feed: Feed) -> None:
    path = f"/api/connections/{factories.add_connection(core, status='stopped', started_at=None).id}"
    async with api_client(core) as client:
        told(await client.post(f"{path}/start"), "start")
        clock.move(60)
        feed.posts = [factories.seen_post(clock.now(), "C2xYz12345_AaBbCc")]
        (job,) = told(await client.post(f"{path}/run"), "run")["jobs_created"]
        assert job["source_post_id"] == "C2xYz12345_AaBbCc" and job["status"] == "queued"
        told(await client.get(f"/api/jobs/{job['job_id']}"), "job")
        polled = await client.get("/api/jobs?status=running,queued")
        assert missing(WRITTEN["job"], polled.json()["items"][0]) == []
        lease = factories.claimed(core, job["job_id"])
        failing.fail(core, lease, NetworkFailed("Connection timeout during upload to YouTube"))
        (retrying,) = (await client.get("/api/jobs?status=retrying")).json()["items"]
        assert missing(WRITTEN["retrying"], retrying) == []


async def test_dead_letters_the_dashboard_and_the_figures(core: Core, clock: ManualClock) -> None:
    connection = factories.add_connection(core)
    job_id = factories.add_job(core, connection)
    failing.fail(core, factories.claimed(core, job_id), MediaRejected("Too long."))
    analytics_days.refresh_due(core)
    async with api_client(core) as client:
        told(await client.get("/api/dashboard/summary"), "summary")
        told(await client.get(f"/api/analytics/connection/{connection.id}?period=30days"), "connection analytics")
        account = f"/api/analytics/account/{connection.source_account_id}?period=90days"
        told(await client.get(account), "account analytics")
        (letter,) = told(await client.get("/api/jobs/dead-letter"), "dead-letter")["jobs"]
        assert (await client.post(f"/api/jobs/{letter['job_id']}/retry")).json()["job"]["job_id"] == job_id


async def test_a_captcha_is_marked_as_solved(core: Core) -> None:
    account = factories.add_account(core)
    connection = factories.add_connection(core, account)
    job_id = factories.add_job(core, connection, status="captcha")
    with core.begin() as tx:
        challenges.raise_on(tx, account, "A check", core.clock.now())
        tx.execute(update(flow.connections).values(status="paused", status_reason="CAPTCHA"))
    async with api_client(core) as client:
        said = told(await client.post(f"/api/accounts/{account.id}/captcha-resolve", json=SOLVED), "captcha")
    assert said["message"] == f"CAPTCHA marked as solved for {account.alias}" and said["jobs_requeued"] == [job_id]
