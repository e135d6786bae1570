"""What programs rely on in every route: tokens with scopes, keys for repetition, tags for changes, and limits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from admin_app.api.describing import examples, operations
from forwarder_core.clock import ManualClock
from forwarder_core.db.tables.people import audit_log
from forwarder_core.errors import MediaRejected
from forwarder_core.services import failing, idempotency, retention, tunables
from forwarder_core.services.context import Core
from tests import factories
from tests.unit.admin_app.doorway import api_client

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


async def made(client: httpx.AsyncClient, name: str, **more: object) -> dict[str, str]:
    answer = await client.post("/api/api-tokens", json={"name": name, **more})
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


PROXY = {"alias": "one", "type": "http", "host": "8.8.4.4", "port": 8080}


# ---- tokens -----------------------------------------------------------------------------------------------------


async def test_a_token_does_what_its_scope_says_and_no_more(core: Core) -> None:
    async with api_client(core) as client:
        read = await made(client, "grafana")
        write = await made(client, "n8n", scopes=["write"])
        admin = await made(client, "terraform", scopes=["read", "admin"])
        for scope, headers, proxies, settings, tokens in (
            ("read", read, 403, 403, 403),
            ("write", write, 201, 403, 403),
            ("admin", admin, 409, 200, 200),
        ):
            assert (await client.get("/api/proxies", headers=headers)).status_code == 200, scope
            assert (await client.post("/api/proxies", json=PROXY, headers=headers)).status_code == proxies, scope
            assert (await client.put("/api/settings", json={}, headers=headers)).status_code == settings, scope
            assert (await client.get("/api/api-tokens", headers=headers)).status_code == tokens, scope
        refused = (await client.post("/api/proxies", json=PROXY, headers=read)).json()
        assert refused["code"] == "scope_missing" and "write" in refused["detail"]


async def test_a_token_is_shown_once_and_ends_when_it_is_revoked(core: Core, clock: ManualClock) -> None:
    async with api_client(core) as client:
        headers = await made(client, "grafana")
        assert (await client.post("/api/api-tokens", json={"name": "grafana"})).status_code == 409
        assert (await client.get("/api/jobs", headers=headers)).status_code == 200
        listed = (await client.get("/api/api-tokens")).json()["items"]
        assert [t["name"] for t in listed] == ["grafana"] and listed[0]["scopes"] == ["read"]
        assert listed[0]["last_used_at"] is not None and listed[0]["used_from"] == "127.0.0.1"
        token = headers["Authorization"].partition(" ")[2]
        assert token not in (await client.get("/api/api-tokens")).text and token.endswith(listed[0]["hint"])
        assert (await client.delete(f"/api/api-tokens/{listed[0]['id']}")).status_code == 200
        assert (await client.get("/api/jobs", headers=headers)).status_code == 401
        assert (await client.delete(f"/api/api-tokens/{listed[0]['id']}")).status_code == 404
        ending = await made(client, "for an hour", expires_at=(clock.now() + timedelta(hours=1)).isoformat())
        clock.move(3_601)
        assert (await client.get("/api/jobs", headers=ending)).status_code == 401
        past = {"name": "past", "expires_at": clock.now().isoformat()}
        assert (await client.post("/api/api-tokens", json=past)).status_code == 422


async def test_bearers_come_from_allowed_networks_only(core: Core) -> None:
    async with api_client(core) as client:
        bad = await client.put("/api/settings", json={"api.allowed_networks": ["everywhere"]})
        assert bad.status_code == 422 and bad.json()["errors"][0]["field"] == "api.allowed_networks"
        tunables.change(core, {"api.allowed_networks": ["203.0.113.0/24"]})
        assert (await client.get("/api/jobs")).status_code == 403
        tunables.change(core, {"api.allowed_networks": ["203.0.113.0/24", "127.0.0.0/8"]})
        assert (await client.get("/api/jobs")).status_code == 200


async def test_a_token_in_a_cookie_opens_nothing(core: Core) -> None:
    async with api_client(core) as client:
        token = (await made(client, "x"))["Authorization"].partition(" ")[2]
    async with api_client(core, signed_in=False) as client:
        assert (await client.get("/api/jobs", headers={"Cookie": f"forwarder_session={token}"})).status_code == 401
        for bearer in ("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "fwd_", "x" * 10_000, "é"):
            answer = await client.get("/api/jobs", headers={"Authorization": f"Bearer {bearer}".encode()})
            assert answer.status_code == 401, bearer
        large = await client.get("/api/jobs", headers={"Cookie": f"forwarder_session={'x' * 10_000}"})
        assert large.status_code == 431 and large.json()["code"] == "headers_too_large"


# ---- repetition -------------------------------------------------------------------------------------------------


async def test_fifty_at_once_with_one_key_have_one_effect_and_one_answer(core: Core) -> None:
    job_id = factories.add_job(core, factories.add_connection(core))
    failing.fail(core, factories.claimed(core, job_id), MediaRejected("No."))
    async with api_client(core) as client:
        headers = {"Idempotency-Key": "retry-1"}
        answers = await asyncio.gather(*(client.post(f"/api/jobs/{job_id}/retry", headers=headers) for _ in range(50)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        assert sum("idempotency-replayed" in answer.headers for answer in answers) == 49


async def test_fifty_retries_at_once_without_a_key_are_one(core: Core) -> None:
    job_id = factories.add_job(core, factories.add_connection(core))
    failing.fail(core, factories.claimed(core, job_id), MediaRejected("No."))
    async with api_client(core) as client:
        answers = await asyncio.gather(*(client.post(f"/api/jobs/{job_id}/retry") for _ in range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 49
    assert len(factories.rows(core, audit_log, what="job_retried")) == 1


async def test_a_key_belongs_to_one_request_for_a_day(core: Core, clock: ManualClock) -> None:
    async with api_client(core) as client:
        key = {"Idempotency-Key": "create-1"}
        first = await client.post("/api/proxies", json=PROXY, headers=key)
        again = await client.post("/api/proxies", json=PROXY, headers=key)
        assert first.status_code == again.status_code == 201 and first.json() == again.json()
        assert again.headers["content-type"] == first.headers["content-type"]
        other = await client.post("/api/proxies", json={**PROXY, "alias": "two"}, headers=key)
        assert other.status_code == 422 and other.json()["code"] == "idempotency_key_reused"
        elsewhere = await client.post("/api/proxies/test-all", headers=key)
        assert elsewhere.status_code == 422
        refused = await client.post("/api/proxies", json=PROXY, headers={"Idempotency-Key": "create-2"})
        assert refused.status_code == 409
        for bad in ("x" * 201, "two words"):
            assert (await client.post("/api/proxies", json=PROXY, headers={"Idempotency-Key": bad})).status_code == 422
    clock.move(idempotency.KEPT.total_seconds() + 1)
    async with api_client(core) as client:
        late = await client.post("/api/proxies", json=PROXY, headers=key)
        assert late.status_code == 409, "the key is free again; the name is not"
    retention.sweep(core)


async def test_the_answer_that_shows_a_secret_is_kept_sealed(core: Core) -> None:
    async with api_client(core) as client:
        headers = {"Idempotency-Key": "token-1"}
        first = await client.post("/api/api-tokens", json={"name": "x"}, headers=headers)
        again = await client.post("/api/api-tokens", json={"name": "x"}, headers=headers)
    assert first.json() == again.json() and first.json()["token"].startswith("fwd_")
    with core.engine.connect() as tx:
        kept = tx.exec_driver_sql("SELECT response FROM idempotency_keys").scalar_one()
    assert first.json()["token"].encode() not in bytes(kept)


# ---- changes ----------------------------------------------------------------------------------------------------


async def test_a_change_is_made_to_what_its_sender_saw(core: Core) -> None:
    async with api_client(core) as client:
        proxy = (await client.post("/api/proxies", json=PROXY)).json()["proxy"]
        path = f"/api/proxies/{proxy['id']}"
        seen = (await client.get(path)).headers["etag"]
        both = await asyncio.gather(
            *(client.put(path, json={"port": port}, headers={"If-Match": seen}) for port in (3128, 8888))
        )
        assert sorted(answer.status_code for answer in both) == [200, 412]
        refused = next(answer for answer in both if answer.status_code == 412)
        assert refused.json()["code"] == "precondition_failed"
        assert (await client.put(path, json={"port": 1}, headers={"If-Match": "*"})).status_code == 200
        fresh = (await client.get(path)).headers["etag"]
        assert fresh != seen
        assert (await client.put(path, json={"port": 2}, headers={"If-Match": f'"x", {fresh}'})).status_code == 200
        missing = await client.put("/api/proxies/999", json={"port": 2}, headers={"If-Match": fresh})
        assert missing.status_code == 404
        assert "etag" not in (await client.get("/api/proxies")).headers
        assert "etag" in (await client.get("/api/settings")).headers


# ---- limits and what cannot be stored ---------------------------------------------------------------------------


async def test_too_many_calls_are_told_when_to_come_again(core: Core) -> None:
    tunables.change(core, {"api.calls_per_minute": 10})
    async with api_client(core) as client:
        told = [await client.get("/api/jobs") for _ in range(12)]
        assert [answer.status_code for answer in told] == [200] * 10 + [429] * 2
        assert 1 <= int(told[-1].headers["retry-after"]) <= 6
    async with api_client(core) as client:
        assert (await client.get("/api/jobs")).status_code == 200, "another session, other door"


async def test_what_is_too_long_is_refused(core: Core) -> None:
    async with api_client(core) as client:
        large = await client.post(
            "/api/proxies", content=b" " * 1_000_001, headers={"Content-Type": "application/json"}
        )
        assert large.status_code == 413 and large.json()["code"] == "too_large"


async def test_nul_is_refused_in_every_text_of_every_body(core: Core) -> None:
    async with api_client(core) as client:
        for path, method, operation in operations((await client.get("/api/openapi.json")).json()):
            example = examples().get(operation["operationId"], {})
            for spoilt in with_nul(example):
                answer = await client.request(method, path.replace("{", "").replace("}", ""), json=spoilt)
                assert 400 <= answer.status_code < 500, (path, spoilt)


def with_nul(value: Any) -> Iterator[Any]:
    """The value once for each text in it, with that text spoilt."""
    if isinstance(value, str):
        yield f"{value}\x00"
    elif isinstance(value, dict):
        yield from ({**value, name: bad} for name, inner in value.items() for bad in with_nul(inner))
    elif isinstance(value, list):
        yield from ([*value[:n], bad, *value[n + 1 :]] for n, inner in enumerate(value) for bad in with_nul(inner))


async def test_nul_and_half_characters_are_refused_wherever_they_stand(core: Core) -> None:
    async with api_client(core) as client:
        for body in ('{"alias": "a\\u0000b"}', '{"retry.strategy": "\\ud800"}', '{"a\\u0000": 1}', '["\\u0000"]'):
            for path in ("/api/proxies", "/api/jobs/bulk-retry", "/api/webhooks"):
                answer = await client.post(path, content=body, headers={"Content-Type": "application/json"})
                assert answer.status_code == 422, (path, body)
            answer = await client.put("/api/settings", content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code == 422, body
        literal = await client.post("/api/jobs/bulk-retry", json={"error": "\\u0000"})
        assert literal.status_code == 200, "a backslash and some letters are no NUL"
        assert (await client.get("/api/jobs?q=a%00b")).status_code == 422
        assert (await client.get("/api/templates/a%00b")).status_code == 422
        for big in (10**19, 10**30, -1, 0):
            for noun in ("jobs", "accounts", "connections", "proxies", "logs", "webhooks", "incidents", "api-tokens"):
                answer = await client.get(f"/api/{noun}/{big}")
                assert answer.status_code in (404, 422), (noun, big)
