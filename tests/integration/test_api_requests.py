"""Rehearsal, run now, dry run and backfill over the API: answers in time, or 202 and an id to ask again under."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.connectors.base import Page
from forwarder_core.db import requests as rows
from forwarder_core.domain import dry_runs
from forwarder_core.domain.dry_runs import TriedPost
from forwarder_core.domain.requests import RequestState
from forwarder_core.services import connections, dry_running, polling, trying
from forwarder_core.services.context import Core
from forwarder_core.simulator.testing import eventually
from tests import factories
from tests.integration.services.far_ends import Feed
from tests.unit.admin_app.doorway import api_client

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


async def test_a_rehearsal_shows_every_check_and_a_create_says_every_reason(core: Core, feed: Feed) -> None:
    source = factories.add_account(core, rights="undeclared")
    destination = factories.add_account(core, "youtube", status="requires_reauth")
    ends = {"source_account_id": source.id, "destination_account_id": destination.id}
    async with api_client(core) as client:
        made = await client.post("/api/connections", json={"name": "New", "status": "active", **ends})
        assert made.status_code == 201 and len(made.json()["reasons"]) == 2
        path = f"/api/connections/{made.json()['connection']['id']}"
        report = (await client.post(f"{path}/rehearse")).json()
        assert not report["can_start"] and report["outcome"] == "failed"
        failed = {check["name"]: check for check in report["checks"] if check["outcome"] == "failed"}
        assert set(failed) == {"rights", "destination_account"} and all(c["action"] for c in failed.values())
        refused = await client.post(f"{path}/start")
        assert refused.status_code == 409 and refused.json()["code"] == "not_ready"
        assert refused.json()["detail"].startswith("Cannot start: ")
        assert (await client.post("/api/connections/999/rehearse")).status_code == 404


async def test_run_now_answers_the_jobs_and_is_found_again_under_its_id(
    core: Core, clock: ManualClock, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connections.start(core, factories.add_connection(core, status="stopped", started_at=None).id)
    clock.move(60)
    post = factories.seen_post(clock.now())
    feed.posts = [post]
    async with api_client(core) as client:
        ran = await client.post(f"/api/connections/{connection.id}/run")
        assert ran.status_code == 200, ran.text
        (job,) = ran.json()["jobs_created"]
        assert job["source_post_id"] == post.platform_post_id and job["status"] == "queued"
        poll = (await client.get(f"/api/polls/{ran.json()['poll_id']}")).json()
        assert poll["state"] == "done" and poll["jobs_created"] == [job]
        monkeypatch.setattr(connections, "RUN_NOW_S", 0.0)
        clock.move(60)
        slow = await client.post(f"/api/connections/{connection.id}/run")
        assert slow.status_code == 202 and slow.json()["poll_id"] != poll["poll_id"]
        assert (await client.get("/api/polls/99999")).status_code == 404
        eventually(lambda: polling.get(core, slow.json()["poll_id"]).state is RequestState.DONE)


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "run-1"}], ids=["without a key", "with one key"])
async def test_fifty_calls_at_once_are_one_look(
    core: Core, clock: ManualClock, feed: Feed, headers: dict[str, str]
) -> None:
    connection = connections.start(core, factories.add_connection(core, status="stopped", started_at=None).id)
    clock.move(60)
    feed.posts = [factories.seen_post(clock.now())]
    feed.asked.clear()
    listed = feed.list_posts

    def slowly(page: str | None = None) -> Page:
        time.sleep(1.0)
        return listed(page)

    feed.list_posts = slowly  # type: ignore[method-assign]
    async with api_client(core, timeout=60) as client:
        path = f"/api/connections/{connection.id}/run"
        told = await asyncio.gather(*(client.post(path, headers=headers) for _ in range(50)))
    assert {answer.status_code for answer in told} == {200}
    assert len({str(answer.json()) for answer in told}) == 1 and len(told[0].json()["jobs_created"]) == 1
    assert len(feed.asked) == 1


async def test_a_dry_run_is_202_until_it_is_done_and_then_has_the_keys_of_the_specification(
    core: Core, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = factories.add_connection(core)
    monkeypatch.setattr(dry_running.ask, "__kwdefaults__", {"patience_s": 0.0})
    async with api_client(core) as client:
        path = f"/api/connections/{connection.id}/dry-run"
        asked = await client.post(path)
        assert asked.status_code == 202 and asked.json()["status"] == "running"
        dry_run_id = asked.json()["dry_run_id"]
        assert (await client.post(path)).json()["dry_run_id"] == dry_run_id
        _finish(core, dry_run_id, connection.id)
        done = (await client.get(f"/api/dry-runs/{dry_run_id}")).json()
        results = done["dry_run_results"]
        assert done["status"] == "success"
        assert {
            "posts_found",
            "posts_tested",
            "videos_downloaded",
            "total_size_mb",
            "transformations",
            "destination_validation",
            "estimated_upload_time_minutes",
            "issues",
            "sample_posts",
        } <= set(results)
        (post,) = results["sample_posts"]
        assert {"source_id", "caption", "duration_sec", "size_mb", "transformation_result"} <= set(post)
        picture = await client.get(post["frames"]["before"])
        assert picture.status_code == 200 and picture.headers["content-type"] == "image/jpeg"
        for bad in ("/2/before", "/1/after", "/1/..%2f..%2fsource"):
            assert (await client.get(f"/api/dry-runs/{dry_run_id}/frames{bad}")).status_code in (404, 422)
        listed = (await client.get(f"/api/dry-runs?connection={connection.id}&limit=1")).json()
        assert [item["dry_run_id"] for item in listed["items"]] == [dry_run_id]
        assert (await client.post(f"/api/dry-runs/{dry_run_id}/cancel")).status_code == 409
        again = (await client.post(path)).json()["dry_run_id"]
        assert again != dry_run_id
        assert (await client.post(f"/api/dry-runs/{again}/cancel")).json()["status"] == "cancelled"
    async with api_client(core, signed_in=False) as stranger:
        assert (await stranger.get(post["frames"]["before"])).status_code == 401


async def test_a_backfill_makes_its_jobs_and_is_found_again(core: Core, clock: ManualClock, feed: Feed) -> None:
    feed.posts = [factories.seen_post(factories.later(core, -86_400 * n)) for n in range(1, 4)]
    connection = connections.start(core, factories.add_connection(core, status="stopped", started_at=None).id)
    clock.move(60)
    async with api_client(core) as client:
        path = f"/api/connections/{connection.id}/backfill"
        for bad in ({}, {"newest_n": 0}, {"newest_n": 1, "order": "by_mood"}, {"from": "yesterday"}, {"speed": 1}):
            assert (await client.post(path, json=bad)).status_code == 422
        made = await client.post(path, json={"newest_n": 2, "per_day": 1, "order": "newest_first"})
        assert made.status_code == 200, made.text
        assert made.json()["jobs"] == 2 and made.json()["first_at"] < made.json()["last_at"]
        again = (await client.get(f"/api/backfills/{made.json()['backfill_id']}")).json()
        assert again["jobs"] == 2 and again["asked"]["order"] == "newest_first"


def _finish(core: Core, dry_run_id: int, connection_id: int) -> None:
    """As a worker would: one post tried, with a picture of it."""
    folder = trying.store_of(core).open(f"{dry_run_id}-1")
    (folder.path / "before.jpg").write_bytes(b"\xff\xd8\xff")
    post = TriedPost(source_id="7", source_url="https://x.example/7", caption="Sunset", frames=("before",))
    report: dict[str, Any] = dry_runs.results(found=1, tested=[post], checks=[], issues=[], quota={})
    now = core.clock.now()
    with core.begin() as tx:
        hold = rows.claim(tx, dry_run_id, now=now, until=now, worker={})
        assert hold is not None
        assert rows.close(tx, hold, RequestState.DONE, now=now, report=report)


async def test_a_download_answers_as_a_backfill_and_refuses_what_is_no_archive(
    core: Core, feed: Feed, clock: ManualClock
) -> None:
    feed.posts = [factories.seen_post(factories.later(core, -86_400 * n)) for n in range(1, 6)]
    source = factories.add_account(core)
    path = f"/api/accounts/{source.id}/download"
    async with api_client(core) as client:
        new = {"type": "archive", "alias": "Films", "username": "films"}
        archive = (await client.post("/api/accounts", json=new)).json()["account"]["id"]
        done = await client.post(path, json={"archive_account_id": archive, "newest_n": 3})
        assert done.status_code == 200, done.text
        assert (done.json()["jobs"], done.json()["posts"]) == (3, 5)
        shown = await client.get(f"/api/backfills/{done.json()['backfill_id']}")
        assert shown.json() == done.json()
        waiting = await client.get("/api/jobs", params={"connection": done.json()["connection_id"]})
        assert [job["status"] for job in waiting.json()["items"]] == ["queued"] * 3
        for bad in (
            {"archive_account_id": source.id, "newest_n": 3},
            {"archive_account_id": archive},
            {"archive_account_id": archive, "newest_n": 0},
        ):
            refused = await client.post(path, json=bad)
            assert refused.status_code == 422 and refused.json()["errors"]
