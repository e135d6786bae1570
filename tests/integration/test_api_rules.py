"""Rules over the API: filters, windows, wording, dropped posts, limits, quotas and the pace of accounts."""

from __future__ import annotations

from typing import Any

import pytest

from forwarder_core.db import posts
from forwarder_core.db.tables import flow
from forwarder_core.domain.posts import Decision, Verdict
from forwarder_core.errors import Conflict
from forwarder_core.services import enqueueing, forwarding, limits
from forwarder_core.services.context import Core
from tests import factories
from tests.unit.admin_app.doorway import HOSTILE, api_client

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


async def test_every_rule_is_told_as_it_was_written(core: Core) -> None:
    source, destination = factories.add_account(core), factories.add_account(core, "youtube")
    rules: dict[str, Any] = {
        "filters": {
            "mode": "caption_keywords",
            "caption_keywords": ["tech", "AI"],
            "caption_pattern": r"\bml\b",
            "excluded_keywords": ["ad"],
            "hashtags": {"any": ["#travel"], "all": [], "none": ["spam"]},
            "duration": {"min_s": 3, "max_s": 60},
            "popularity": {"after_h": 12, "min_views": 1000},
            "has_audio": True,
            "licensed_music": "mute",
            "include_old_posts": True,
            "date_range": {"from": "2025-01-01", "to": "2025-10-17"},
            "old_posts": {"per_day": 3, "order": "top_first"},
        },
        "schedule": {
            "type": "scheduled",
            "check_interval_minutes": 10,
            "windows": [{"from": "09:00", "to": "12:00"}, {"start": "22:00", "end": "02:00"}],
            "windows_for": "old_posts",
            "timezone": "Asia/Kolkata",
        },
        "publish_options": {"title_template": "{title}", "credit_line": True, "mentions": "plain"},
    }
    named = {"name": "Rules", "source_account_id": source.id, "destination_account_id": destination.id}
    async with api_client(core) as client:
        made = await client.post("/api/connections", json=named | rules)
        assert made.status_code == 201, made.text
        told = (await client.get(f"/api/connections/{made.json()['connection']['id']}")).json()
    assert told["filters"]["caption_pattern"] == r"\bml\b" and told["filters"]["hashtags"]["any"] == ["travel"]
    assert told["filters"]["date_range"] == {"from": "2025-01-01", "to": "2025-10-17"}
    assert told["filters"]["old_posts"] == {"newest_n": None, "per_day": 3, "order": "top_first"}
    assert told["filters"]["popularity"] == {"after_h": 12, "min_views": 1000, "min_likes": None}
    assert told["schedule"]["type"] == "windows" and told["schedule"]["timezone"] == "Asia/Kolkata"
    assert told["schedule"]["windows"] == [{"start": "09:00", "end": "12:00"}, {"start": "22:00", "end": "02:00"}]
    assert told["publish_options"]["mentions"] == "plain" and told["next_posts"] == []


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"filters": {"date_range": {"from": "2025-10-17", "to": "2025-01-01"}}}, "filters"),
        ({"filters": {"caption_pattern": "(("}}, "filters"),
        ({"filters": {"duration": {"min_s": -1}}}, "filters.duration.min_s"),
        ({"filters": {"popularity": {"min_view": 1}}}, "filters.popularity.min_view"),
        ({"schedule": {"type": "windows", "windows": [{"start": "25:00", "end": "26:00"}]}}, "schedule"),
        ({"schedule": {"timezone": "Nowhere"}}, "schedule"),
        ({"publish_options": {"caption_template": "{secret}"}}, "publish_options"),
        ({"publish_options": {"add_hashtags": ["a b"]}}, "publish_options"),
    ],
)
async def test_a_rule_that_makes_no_sense_is_a_422_that_names_it(core: Core, rules: dict[str, Any], field: str) -> None:
    source, destination = factories.add_account(core), factories.add_account(core, "youtube")
    named = {"name": "Rules", "source_account_id": source.id, "destination_account_id": destination.id}
    async with api_client(core) as client:
        refused = await client.post("/api/connections", json=named | rules)
        assert refused.status_code == 422, refused.text
        assert [error["field"] for error in refused.json()["errors"]] == [field]
        assert (await client.get("/api/connections")).json()["items"] == []


async def test_a_waiting_post_says_when_it_goes_and_for_what_it_waits(core: Core) -> None:
    zone = {"type": "windows", "windows": [{"start": "03:00", "end": "03:30"}], "timezone": "America/New_York"}
    connection = factories.add_connection(core, schedule=zone)
    job = factories.add_job(core, connection)
    assert forwarding.dispatchable(core) == []
    async with api_client(core) as client:
        (told,) = (await client.get("/api/jobs?status=retrying")).json()["items"]
        (following,) = (await client.get(f"/api/connections/{connection.id}")).json()["next_posts"]
    assert (told["id"], told["wait_reason"]) == (job, "window") and told["next_retry_at"] > told["created_at"]
    assert following["job_id"] == job and following["at"] == told["next_retry_at"]


async def test_a_post_is_dropped_over_the_api(core: Core) -> None:
    connection = factories.add_connection(core)
    post = factories.add_post(core, connection.source_account_id)
    job = factories.add_job(core, connection, post)
    async with api_client(core) as client:
        dropped = await client.post(f"/api/posts/{post}/drop", json={"connection": connection.id})
        assert dropped.status_code == 200 and dropped.json()["decision"]["rule"] == "dropped"
        assert (await client.get(f"/api/jobs/{job}")).json()["status"] == "cancelled"
        gone = await client.post(f"/api/posts/{post + 1}/drop", json={"connection": connection.id})
        assert gone.status_code == 404


async def test_a_post_left_out_is_forwarded_by_hand_once(core: Core) -> None:
    connection = factories.add_connection(core)
    post = factories.add_post(core, connection.source_account_id)
    (row,) = factories.rows(core, flow.source_posts, id=post)
    wanted = {"connection": connection.id, "post": row["platform_post_id"]}
    async with api_client(core) as client:
        answers = [await client.post("/api/jobs", json=wanted) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 409], answers[0].text
        assert answers[0].json()["job"]["status"] == "queued"
        assert "which is queued" in answers[1].json()["detail"]
        why = (await client.get(f"/api/posts/{post}/why")).json()["connections"]
        assert [each["decision"]["rule"] for each in why] == ["by_hand"]
        unknown = await client.post("/api/jobs", json={**wanted, "post": "https://www.instagram.com/reel/none/"})
        assert unknown.status_code == 404 and "backfill" in unknown.json()["action"]
        assert (await client.post("/api/jobs", json={**wanted, "connection": 10**9})).status_code == 404


async def test_what_we_published_ourselves_is_not_forwarded_by_hand(core: Core) -> None:
    connection = factories.add_connection(core)
    post = factories.add_post(core, connection.source_account_id)
    with core.begin() as tx:
        posts.decide(tx, connection.id, {post: Decision(Verdict.DUPLICATE, "echo", "")}, core.clock.now())
    (row,) = factories.rows(core, flow.source_posts, id=post)
    with pytest.raises(Conflict):
        enqueueing.enqueue(core, connection.id, row["platform_post_id"], who="admin")
    assert factories.rows(core, flow.jobs, source_post_id=post) == []


async def test_limits_are_told_with_their_source_changed_by_name_and_taken_back(core: Core) -> None:
    async with api_client(core) as client:
        known = {e["name"]: e for e in (await client.get("/api/limits")).json()["platforms"]["youtube"]}
        assert known["text.title_chars"]["value"] == 100 and known["text.title_chars"]["source"]
        body = {"platform": "youtube", "limits": {"text.title_chars": 60}, "why": "shorter reads better"}
        changed = await client.put("/api/limits", json=body)
        assert changed.status_code == 200, changed.text
        told = {e["name"]: e for e in changed.json()["limits"]}["text.title_chars"]
        assert (told["value"], told["usual"], told["source"]) == (60, 100, "shorter reads better")
        assert told["changed_by"] == "admin" and told["changed_at"]
        preview = {"caption": "word " * 40, "platform": "youtube"}
        assert len((await client.post("/api/captions/preview", json=preview)).json()["title"]) <= 60
        await client.put("/api/limits", json={"platform": "youtube", "limits": {"text.title_chars": None}})
    assert limits.of_platform(core, "youtube").text.title_chars == 100


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"platform": "youtube", "limits": {"media.colour": 3}}, "media.colour"),
        ({"platform": "youtube", "limits": {"media.max_bytes": "big"}}, "media.max_bytes"),
        ({"platform": "youtube", "limits": {"media.max_bytes": 1.5}}, "media.max_bytes"),
        ({"platform": "youtube", "limits": {"posts_per_day": -1}}, "posts_per_day"),
        ({"platform": "youtube", "limits": {"media.max_duration_s": 0.5}}, "limits"),
    ],
)
async def test_a_limit_that_cannot_be_is_refused_and_nothing_is_stored(
    core: Core, body: dict[str, Any], field: str
) -> None:
    async with api_client(core) as client:
        refused = await client.put("/api/limits", json=body)
        assert refused.status_code == 422, refused.text
        assert field in [error["field"] for error in refused.json()["errors"]]
    assert not any(view.is_changed for view in limits.views(core))


async def test_the_pace_of_an_account_and_what_is_left_of_its_day(core: Core) -> None:
    account = factories.add_account(core, "youtube")
    factories.add_connection(core, destination=account)
    async with api_client(core) as client:
        set_ = await client.put(f"/api/accounts/{account.id}/pace", json={"posts_per_day": 4, "ramp": [1, 2]})
        assert set_.status_code == 200, set_.text
        assert (
            set_.json()["pace"]["ramp_from"]
            and (await client.get(f"/api/accounts/{account.id}/pace")).json() == (set_.json()["pace"])
        )
        (quota,) = (await client.get("/api/quotas")).json()["items"]
        refused = await client.put(f"/api/accounts/{account.id}/pace", json={"ramp": [-1]})
    assert (quota["scope"], quota["used"], quota["limit"]) == (f"account:{account.id}", 0, 1)
    assert quota["resets_at"] and refused.status_code == 422


async def test_a_preview_is_what_would_be_sent_and_hostile_words_harm_nobody(core: Core) -> None:
    connection = factories.add_connection(core, publish_options={"credit_line": "From {source_handle}"})
    async with api_client(core) as client:
        own = {"caption": HOSTILE, "connection": connection.id}
        answer = await client.post("/api/captions/preview", json=own)
        assert answer.status_code == 200 and "\nFrom handle_" in answer.json()["caption"]
        tried = own | {"publish_options": {"caption_template": "{date}|{caption}"}, "posted_at": "2026-05-04T23:00:00Z"}
        assert (await client.post("/api/captions/preview", json=tried)).json()["caption"].startswith("2026-05-04|")
        nowhere = await client.post("/api/captions/preview", json={"caption": "x"})
        assert nowhere.status_code == 422
        bad = await client.post("/api/captions/preview", json=own | {"publish_options": {"title_template": "{x}"}})
        assert bad.status_code == 422 and "no variable {x}" in bad.text
