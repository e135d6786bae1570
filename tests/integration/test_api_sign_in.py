"""The API at its border: who is let in, what is refused, and that a refusal says how to go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.services.context import Core
from tests.factories import make_core
from tests.unit.admin_app.doorway import BASE, PASSWORD, USER, api_client

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
LOGIN = {"username": USER, "password": PASSWORD}
PROBLEM = {"type", "title", "status", "detail", "instance", "code", "action", "request_id", "errors"}


async def test_login_gives_a_token_and_a_cookie_and_both_end_with_logout(core: Core) -> None:
    async with api_client(core, signed_in=False) as client:
        answer = await client.post("/api/login", json=LOGIN)
        body = answer.json()
        assert answer.status_code == 200 and body["status"] == "success" and body["user"]["username"] == USER
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" not in cookie
        bearer = {"Authorization": f"Bearer {body['token']}"}
        client.cookies.clear()
        assert (await client.get("/api/auth/check", headers=bearer)).status_code == 200
        assert (await client.post("/api/logout", headers=bearer)).status_code == 200
        copied = {"Cookie": cookie.partition(";")[0]}
        for headers in (bearer, copied):
            assert (await client.get("/api/auth/check", headers=headers)).status_code == 401


async def test_behind_https_the_cookie_is_secure(core: Core) -> None:
    async with api_client(core, signed_in=False) as client:
        answer = await client.post(BASE.replace("http:", "https:") + "/api/login", json=LOGIN)
        assert "Secure" in answer.headers["set-cookie"] and "strict-transport-security" in answer.headers


async def test_every_route_without_a_session_is_401(core: Core) -> None:
    async with api_client(core) as client:
        paths = (await client.get("/api/openapi.json")).json()["paths"]
    open_ones = {("post", "/api/login"), ("get", "/api/health/simple")}
    async with api_client(core, signed_in=False) as client:
        asked = 0
        for path, operations in paths.items():
            for method in operations:
                if (method, path) in open_ones:
                    continue
                answer = await client.request(method, path.replace("{", "").replace("}", ""))
                assert answer.status_code == 401, (method, path)
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json().keys() == PROBLEM
                asked += 1
        assert asked >= 30
        for path in ("/api/docs", "/api/openapi.json", "/api", "/api/nothing"):
            assert (await client.get(path)).status_code == 401


async def test_with_the_cookie_a_change_needs_the_csrf_token(core: Core) -> None:
    async with api_client(core, signed_in=False) as client:
        await client.post("/api/login", json=LOGIN)
        change = {"retry.max_retries": 2}
        assert (await client.put("/api/settings", json=change)).status_code == 403
        token = (await client.get("/api/auth/check")).json()["csrf_token"]
        assert (await client.put("/api/settings", json=change, headers={"X-CSRF-Token": "x"})).status_code == 403
        done = await client.put("/api/settings", json=change, headers={"X-CSRF-Token": token})
        assert done.status_code == 200 and done.json()["settings"]["retry.max_retries"] == 2


async def test_another_site_changes_nothing(core: Core) -> None:
    async with api_client(core) as client:
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = await client.put("/api/settings", json={"retry.max_retries": 2}, headers=headers)
            assert answer.status_code == 403 and answer.json()["code"] == "forbidden"
            assert (await client.post("/api/login", json=LOGIN, headers=headers)).status_code == 403


async def test_a_request_that_hides_its_length_is_not_read(core: Core) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"x"
        raise AssertionError("it was read")

    async with api_client(core, signed_in=False) as client:
        for path in ("/api/login", "/login"):
            assert (await client.post(path, content=endless())).status_code == 411
            assert (await client.post(path, content=b"x" * 1_000_001)).status_code == 413


async def test_a_foreign_host_is_refused(core: Core) -> None:
    async with api_client(core) as client:
        answer = await client.get("/api/health/simple", headers={"Host": "evil.example"})
        assert answer.status_code == 400 and answer.json()["code"] == "foreign_host"


async def test_wrong_logins_end_in_429_with_the_time_to_wait(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bcrypt.checkpw", lambda password, hashed: False)
    async with api_client(core, signed_in=False) as client:
        told = [await client.post("/api/login", json={**LOGIN, "password": "no"}) for _ in range(12)]
        assert [answer.status_code for answer in told] == [401] * 10 + [429] * 2
        assert told[0].json()["detail"] == "Invalid username or password"
        assert int(told[-1].headers["retry-after"]) > 800


async def test_a_changed_password_ends_the_session_that_changed_it(core: Core) -> None:
    async with api_client(core) as client:
        new = "Another-Password-2"
        body = {"current_password": PASSWORD, "new_password": new, "confirm_password": "x"}
        refused = await client.put("/api/admin/password", json=body)
        assert refused.status_code == 422 and refused.json()["errors"][0]["field"] == "confirm_password"
        done = await client.put("/api/admin/password", json={**body, "confirm_password": new})
        assert done.status_code == 200 and "login again" in done.json()["message"]
        assert (await client.get("/api/auth/check")).status_code == 401


async def test_a_database_that_is_away_is_503_and_says_when_to_come_back(tmp_path: Path, clock: ManualClock) -> None:
    nowhere = "postgresql+psycopg://forwarder:swordfish@127.0.0.1:9/forwarder"
    with make_core(nowhere, clock, tmp_path) as core:
        async with api_client(core, signed_in=False) as client:
            for answer in (
                await client.get("/api/jobs", headers={"Authorization": "Bearer something"}),
                await client.post("/api/login", json=LOGIN),
            ):
                assert answer.status_code == 503 and answer.json()["code"] == "unavailable"
                assert answer.headers["retry-after"] and "swordfish" not in answer.text
