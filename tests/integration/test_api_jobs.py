"""Jobs, posts and logs over the API: the contract's fields, the client's words, retry and cancel."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.domain.jobs import Step
from forwarder_core.errors import MediaRejected, QuotaExhausted
from forwarder_core.services import failing, journal
from forwarder_core.services.context import Core
from forwarder_core.services.journal import about
from tests import factories
from tests.unit.admin_app.doorway import HOSTILE, api_client

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
FIELDS = """id connection_id source_post_id source_media_url caption duration_s priority status wait_reason step
progress attempts error next_retry_at destination_post_id destination_url run_id created_at started_at completed_at"""


async def found(client: httpx.AsyncClient, query: str = "") -> list[int]:
    answer = await client.get(f"/api/jobs{query}")
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["items"]]


async def test_a_job_has_the_fields_of_the_contract_and_its_story(core: Core) -> None:
    connection = factories.add_connection(core)
    post = factories.add_post(core, connection.source_account_id, "3141592653589793238", caption=HOSTILE)
    job_id = factories.add_job(core, connection, post)
    journal.install(core)
    failing.fail(core, factories.claimed(core, job_id), MediaRejected("The file has no video track."))
    about(job_id=job_id).info("One more line")
    async with api_client(core) as client:
        job = (await client.get(f"/api/jobs/{job_id}")).json()
    assert set(FIELDS.split()) <= job.keys()
    assert job["source_post_id"] == "3141592653589793238" and job["caption"] == HOSTILE
    assert job["status"] == "dead" and job["error"]["code"] == "media_rejected" and job["error"]["action"]
    assert [a["state"] for a in job["attempts_made"]] == ["failed"]
    assert job["timeline"][-1]["text"] == "One more line"
    assert job["links"]["run"].startswith("/dagster/runs/")


async def test_the_list_is_filtered_and_paged(core: Core, clock: ManualClock) -> None:
    one, two = factories.add_connection(core), factories.add_connection(core)
    old = factories.add_job(core, one)
    clock.move(3_600)
    failed = factories.add_job(core, two)
    failing.fail(core, factories.claimed(core, failed), MediaRejected("No."))
    newest = factories.add_job(core, one)
    at = (clock.now() - timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
    async with api_client(core) as client:
        assert await found(client) == [newest, failed, old]
        assert await found(client, "?status=queued,failed&status=running") == [newest, failed, old]
        assert await found(client, "?status=failed") == await found(client, "?error=media_rejected") == [failed]
        assert await found(client, f"?connection={one.id}") == [newest, old]
        assert await found(client, f"?account={two.destination_account_id}") == [failed]
        assert await found(client, f"?from={at}") == [newest, failed] and await found(client, f"?to={at}") == [old]
        page = (await client.get("/api/jobs?limit=2")).json()
        assert [job["id"] for job in page["items"]] == [newest, failed]
        last = (await client.get(f"/api/jobs?limit=2&cursor={page['next_cursor']}")).json()
        assert [job["id"] for job in last["items"]] == [old] and last["next_cursor"] is None
        letters = (await client.get("/api/jobs/dead-letter")).json()
        assert letters["total_count"] == 1 and letters["jobs"][0]["job_id"] == failed
        assert letters["jobs"][0]["final_error"] == "media_rejected" and letters["jobs"][0]["can_retry"]


async def test_what_the_list_does_not_know_is_422(core: Core) -> None:
    async with api_client(core) as client:
        for query in ("statsu=dead", "status=nope", "limit=0", "cursor=;drop", "from=x", "sort=;drop"):
            answer = await client.get(f"/api/jobs?{query}")
            assert answer.status_code == 422 and answer.json()["errors"], query
        assert (await client.get("/api/dashboard/summary?x=1")).status_code == 422


async def test_a_dead_job_is_retried_from_the_start_and_a_waiting_one_at_once(core: Core) -> None:
    dead = factories.add_job(core, factories.add_connection(core))
    failing.fail(core, factories.claimed(core, dead), MediaRejected("No."))
    waiting = factories.add_job(core, factories.add_connection(core))
    failing.fail(core, factories.claimed(core, waiting), QuotaExhausted("Used up.", retry_after_s=9_000))
    async with api_client(core) as client:
        for job_id in (dead, waiting):
            answer = await client.post(f"/api/jobs/{job_id}/retry")
            assert answer.status_code == 200 and answer.json()["job"]["status"] == "queued", answer.text
        again = await client.post(f"/api/jobs/{dead}/retry")
        assert again.status_code == 409 and "starts by itself" in again.json()["action"]
        assert (await client.post("/api/jobs/999/retry")).status_code == 404
    assert factories.job_of(core, dead).retries_used == 0 and factories.job_of(core, dead).failure is None


async def test_cancelling_takes_a_running_job_from_its_worker(core: Core) -> None:
    queued = factories.add_job(core, factories.add_connection(core))
    running = factories.add_job(core, factories.add_connection(core))
    lease = factories.claimed(core, running)
    async with api_client(core) as client:
        for job_id in (queued, running):
            answer = await client.post(f"/api/jobs/{job_id}/cancel")
            assert answer.status_code == 200 and answer.json()["job"]["status"] == "cancelled"
        assert (await client.post(f"/api/jobs/{queued}/cancel")).status_code == 409
    with core.begin() as tx:
        assert not factories.jobs.report(tx, lease, step=Step.FETCH, progress=0.5, note="", now=core.clock.now())


@pytest.mark.parametrize("state", ["committing", "published"])
async def test_what_may_be_live_is_not_cancelled(core: Core, state: str) -> None:
    job_id = factories.add_job(core, factories.add_connection(core))
    factories.claimed(core, job_id)
    factories.add_publication(core, job_id, state=state)
    async with api_client(core) as client:
        answer = await client.post(f"/api/jobs/{job_id}/cancel")
    assert (answer.status_code == 409 and "live" in answer.text) or "already" in answer.text
    assert factories.job_of(core, job_id).status == "running"


async def test_posts_and_logs_are_listed(core: Core) -> None:
    connection = factories.add_connection(core)
    journal.install(core)
    about(connection_id=connection.id, code="network_error").error("It broke: 100%_done")
    async with api_client(core) as client:
        assert (await client.get(f"/api/posts?connection={connection.id}")).json() == {"items": [], "next_cursor": None}
        assert (await client.get("/api/posts")).status_code == 422
        assert (await client.get("/api/posts?connection=999")).status_code == 404
        for query in (f"connection={connection.id}", "level=error", "error=network_error", "q=broke"):
            rows = (await client.get(f"/api/logs?{query}")).json()["items"]
            assert [row["text"] for row in rows] == ["It broke: 100%_done"], query
        assert (await client.get(f"/api/logs/{rows[0]['id']}")).json()["code"] == "network_error"
        assert (await client.get("/api/logs/999999")).status_code == 404
