"""The desk over the API: CAPTCHA, codes, unconfirmed posts, dead letters. Said twice, nothing happens twice."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from forwarder_core.db import jobs as jobs_db
from forwarder_core.db.tables import flow
from forwarder_core.db.tables.people import audit_log
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.incidents import blamed
from forwarder_core.domain.publications import PublicationState
from forwarder_core.errors import ChallengeRequired, MediaRejected
from forwarder_core.services import failing, forwarding, interactive_login
from forwarder_core.services.context import Core
from tests import factories
from tests.unit.admin_app.doorway import HOSTILE, api_client

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
NOTES = {"resolved": True, "resolution_notes": "Done in the browser", "resume_connections": True}


def challenged(core: Core) -> tuple[Account, int, int]:
    """An account in a challenge; its connection and the job that met it."""
    connection = factories.add_connection(core)
    job_id = factories.add_job(core, connection)
    lease = factories.claimed(core, job_id)
    failing.fail(core, lease, ChallengeRequired("Instagram wants to see a person."))
    with core.begin() as tx:
        errand = jobs_db.errand(tx, job_id)
    return blamed(errand), connection.id, job_id


def dead(core: Core, n: int = 1, **values: Any) -> list[int]:
    connection = factories.add_connection(core)
    made = [factories.add_job(core, connection, **values) for _ in range(n)]
    for job_id in made:
        failing.fail(core, factories.claimed(core, job_id), MediaRejected(HOSTILE))
    return made


def unconfirmed(core: Core) -> int:
    job_id = factories.add_job(core, factories.add_connection(core), status="unconfirmed")
    factories.add_publication(core, job_id, state=PublicationState.UNCONFIRMED)
    return job_id


def audited(core: Core) -> list[str]:
    return [row["what"] for row in factories.rows(core, audit_log) if row["what"] != "signed_in"]


async def refused(client: httpx.AsyncClient, method: str, path: str, status: int, body: object = None) -> Any:
    answer = await client.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert problem["code"] and problem["action"]
    return problem


async def test_a_solved_captcha_answers_as_the_specification_has_it(core: Core) -> None:
    account, connection_id, job_id = challenged(core)
    path = f"/api/accounts/{account.id}/captcha-resolve"
    async with api_client(core) as client:
        for body in ({}, {"resolved": False}, {**NOTES, "resume": True}, {**NOTES, "resolution_notes": "\x00"}):
            await refused(client, "POST", path, 422, body)
        assert (await client.post(path, json=NOTES)).json() == {
            "status": "success",
            "message": f"CAPTCHA marked as solved for {account.alias}",
            "account_status": "active",
            "connections_resumed": [connection_id],
            "jobs_requeued": [job_id],
        }
        again = (await client.post(path, json=NOTES)).json()
        assert again["connections_resumed"] == again["jobs_requeued"] == []
        assert again["message"].startswith("No CAPTCHA is open")
        await refused(client, "POST", "/api/accounts/999/captcha-resolve", 404, NOTES)
    assert audited(core) == ["captcha_resolved"]
    assert factories.rows(core, audit_log)[-1]["details"] == {"notes": "Done in the browser"}
    assert [d.job_id for d in forwarding.dispatchable(core)] == [job_id]


async def test_connections_stay_paused_where_that_is_wanted(core: Core) -> None:
    account, connection_id, job_id = challenged(core)
    async with api_client(core) as client:
        body = {**NOTES, "resume_connections": False}
        told = (await client.post(f"/api/accounts/{account.id}/captcha-resolve", json=body)).json()
        assert told["connections_resumed"] == [] and told["jobs_requeued"] == [job_id]
        assert (await client.get(f"/api/connections/{connection_id}")).json()["status"] == "paused"
    assert forwarding.dispatchable(core) == []


async def test_a_code_goes_only_to_a_sign_in_that_waits_for_it(core: Core) -> None:
    account = factories.add_account(core)
    base = f"/api/accounts/{account.id}"
    async with api_client(core) as client:
        assert (await client.get(f"{base}/sign-in")).json()["state"] == "none"
        told = await refused(client, "POST", f"{base}/challenge-code", 409, {"code": "314159"})
        assert "Sign in again" in told["action"]
        for body in ({"code": "12"}, {"code": "x" * 50}, {"code": 314159}, {"code": "314159", "id": 1}, {}):
            await refused(client, "POST", f"{base}/challenge-code", 422, body)
        for _ in range(2):
            begun = await client.post(f"{base}/sign-in")
            assert begun.status_code == 202 and begun.json()["sign_in"]["state"] == "requested"
        (held,) = interactive_login.take(core, 5)
        prompt = interactive_login._Prompt(core, held, lambda: True)
        assert prompt.ask() == ""  # asked, and left waiting
        assert (await client.get(f"{base}/sign-in")).json()["state"] == "waiting_for_code"
        for _ in range(2):
            given = await client.post(f"{base}/challenge-code", json={"code": "314 159"})
            assert given.status_code == 202 and "314159" not in given.text
        ended = await client.delete(f"{base}/sign-in")
        assert ended.json()["sign_in"]["state"] == "failed" and "admin" in ended.json()["sign_in"]["reason"]
        for path in ("sign-in", "challenge-code"):
            await refused(client, "POST", f"/api/accounts/999/{path}", 404, {"code": "314159"})
        youtube = factories.add_account(core, "youtube", auth_method="oauth")
        await refused(client, "POST", f"/api/accounts/{youtube.id}/sign-in", 409)
    assert audited(core) == ["sign_in_requested", "sign_in_code_given", "sign_in_given_up"]


async def test_a_post_seen_at_its_destination_is_confirmed_once(core: Core) -> None:
    job_id = unconfirmed(core)
    path = f"/api/jobs/{job_id}/confirm"
    live = {"answer": "live", "remote_id": "dQw4w9WgXcQ", "url": "https://youtu.be/dQw4w9WgXcQ"}
    async with api_client(core) as client:
        bad: tuple[dict[str, Any], ...] = (
            {},
            {"answer": "yes"},
            {**live, "url": "javascript:alert(1)"},
            {**live, "answer": "again"},
        )
        for body in (*bad, {**live, "x": 1}):
            await refused(client, "POST", path, 422, body)
        for _ in range(2):
            job = (await client.post(path, json=live)).json()["job"]
            assert job["status"] == "success" and job["destination_post_id"] == "dQw4w9WgXcQ"
        await refused(client, "POST", path, 409, {"answer": "again"})
        other = unconfirmed(core)
        told = await refused(client, "POST", f"/api/jobs/{other}/confirm", 409, live)
        assert "another job" in told["detail"]
        await refused(client, "POST", "/api/jobs/999/confirm", 404, live)
    assert audited(core) == ["confirmed_live"]


async def test_a_post_that_is_not_there_is_published_again_once(core: Core) -> None:
    job_id = unconfirmed(core)
    async with api_client(core) as client:
        for _ in range(2):
            done = await client.post(f"/api/jobs/{job_id}/confirm", json={"answer": "again"})
            assert done.json()["job"]["status"] == "queued", done.text
    assert audited(core) == ["publish_again"]
    assert [row["state"] for row in factories.rows(core, flow.publications)] == ["abandoned"]


async def test_all_dead_letters_of_one_cause_are_retried_together(core: Core) -> None:
    first, second = dead(core, 3), dead(core, 2)
    connection = factories.job_of(core, first[0]).connection_id
    async with api_client(core) as client:
        for body in ({}, {"error": ""}, {"error": "x", "jobs": [1]}, {"error": "x", "connection": 0}):
            await refused(client, "POST", "/api/jobs/bulk-retry", 422, body)
        none = (await client.post("/api/jobs/bulk-retry", json={"error": "no_such"})).json()
        assert none["count"] == 0 and none["jobs_requeued"] == []
        one = await client.post("/api/jobs/bulk-retry", json={"error": "media_rejected", "connection": connection})
        assert one.json()["jobs_requeued"] == first and one.json()["count"] == 3
        rest = await client.post("/api/jobs/bulk-retry", json={"error": "media_rejected"})
        assert rest.json()["jobs_requeued"] == second and rest.json()["message"] == "2 jobs queued for retry"
        assert (await client.post("/api/jobs/bulk-retry", json={"error": "media_rejected"})).json()["count"] == 0
        story = (await client.get(f"/api/jobs/{first[0]}")).json()
        assert story["status"] == "queued" and "with all that failed" in story["timeline"][-1]["text"]
    assert audited(core) == ["jobs_retried", "jobs_retried"]


async def test_a_job_is_given_up_by_hand_with_its_reason(core: Core) -> None:
    queued = factories.add_job(core, factories.add_connection(core))
    running = factories.add_job(core, factories.add_connection(core))
    lease = factories.claimed(core, running)
    async with api_client(core) as client:
        await refused(client, "POST", f"/api/jobs/{queued}/dead-letter", 422, {"reason": ""})
        await refused(client, "POST", f"/api/jobs/{queued}/dead-letter", 422, {"reason": "   "})
        for job_id in (queued, running, queued):
            job = (await client.post(f"/api/jobs/{job_id}/dead-letter", json={"reason": HOSTILE})).json()["job"]
            assert job["status"] == "dead" and job["error"]["code"] == "given_up" and HOSTILE in job["error"]["message"]
        letters = (await client.get("/api/jobs/dead-letter?error=given_up")).json()
        assert letters["total_count"] == 2
        waiting = unconfirmed(core)
        await refused(client, "POST", f"/api/jobs/{waiting}/dead-letter", 409, {"reason": "x"})
    with core.begin() as tx:
        assert not jobs_db.is_held(tx, lease)
    assert audited(core) == ["job_given_up", "job_given_up"]


async def test_what_may_be_live_is_not_given_up(core: Core) -> None:
    job_id = factories.add_job(core, factories.add_connection(core))
    factories.claimed(core, job_id)
    factories.add_publication(core, job_id, state=PublicationState.COMMITTING)
    async with api_client(core) as client:
        await refused(client, "POST", f"/api/jobs/{job_id}/dead-letter", 409, {"reason": "x"})
    assert factories.job_of(core, job_id).status == "running"


async def test_a_deleted_dead_letter_is_on_no_list_and_its_history_stays(core: Core) -> None:
    gone, kept = dead(core, 2)
    factories.add_publication(core, gone, state=PublicationState.PUBLISHED)
    living = factories.add_job(core, factories.add_connection(core))
    async with api_client(core) as client:
        told = await refused(client, "DELETE", f"/api/jobs/{living}", 409)
        assert "dead letter" in told["detail"]
        for _ in range(2):
            assert (await client.delete(f"/api/jobs/{gone}")).json()["status"] == "success"
        letters = (await client.get("/api/jobs/dead-letter")).json()
        assert letters["total_count"] == 1 and [j["id"] for j in letters["jobs"]] == [kept]
        listed = (await client.get("/api/jobs")).json()["items"]
        assert [job["id"] for job in listed] == [living, kept]
        for method, path in (("GET", ""), ("POST", "/retry"), ("POST", "/confirm")):
            await refused(client, method, f"/api/jobs/{gone}{path}", 404, {"answer": "live"} if path else None)
        again = await client.post("/api/jobs/bulk-retry", json={"error": "media_rejected"})
        assert again.json()["jobs_requeued"] == [kept]
        await refused(client, "DELETE", "/api/jobs/999", 404)
        await refused(client, "DELETE", "/api/jobs/99999999999999999999", 422)
    (row,) = factories.rows(core, flow.jobs, id=gone)
    assert row["status"] == "dead" and row["deleted_at"] is not None
    assert len(factories.rows(core, flow.publications, job_id=gone)) == 1
    assert len(factories.rows(core, flow.attempts, job_id=gone)) == 1
    assert audited(core) == ["job_deleted", "jobs_retried"]
