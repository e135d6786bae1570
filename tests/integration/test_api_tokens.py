"""Credential files over the API, and the sign-in on a platform's page through the door: there, back, every refusal."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from starlette.applications import Starlette

from admin_app.door.guard import Guard
from admin_app.door.origins import Origins
from admin_app.door.pages import Pages
from forwarder_core.clock import ManualClock
from forwarder_core.db import people
from forwarder_core.db.tables import accounts as account_tables
from forwarder_core.services import accounts, signing_in
from forwarder_core.services.accounts import NewAccount
from forwarder_core.services.context import Core
from forwarder_core.simulator.testing import Simulator
from tests import factories
from tests.unit.admin_app.doorway import (
    BASE,
    CHEAP_HASH,
    CLIENT_JSON,
    PASSWORD,
    USER,
    api_client,
    core_with_admin,
)

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
SESSION_COOKIE = "forwarder_session"
_numbers = count(1)


@pytest.fixture
def core(url: str, clock: ManualClock, tmp_path: Path) -> Iterator[Core]:
    """No way out: a call that tries fails at once."""
    with core_with_admin(url, clock, tmp_path) as core:
        yield core


@pytest.fixture
def near(url: str, tmp_path: Path, simulator: Simulator) -> Iterator[Core]:
    """With the simulated platforms behind its exit."""
    clock = ManualClock(datetime.now(UTC))
    options = {**factories.through(simulator), "public_url": BASE}
    with factories.make_core(url, clock, tmp_path, **options) as core:
        factories.emptied(core.engine)
        with core.begin() as tx:
            people.add_user(tx, USER, CHEAP_HASH, clock.now())
        yield core


def zipped() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("client_secret.json", CLIENT_JSON)
    return made.getvalue()


def client_json(**more: Any) -> str:
    client = {"client_id": "1-a.apps.googleusercontent.com", "client_secret": "GOCSPX-swordfish", **more}
    return json.dumps({"web": client})


BAD_FILES: dict[str, tuple[str, bytes | str]] = {
    "foreign token_uri": ("c.json", client_json(token_uri="https://evil.example/token")),
    "foreign auth_uri": ("c.json", client_json(auth_uri="https://accounts.google.com.evil.example/")),
    "a zip": ("client_secret.zip", zipped()),
    "a zip named json": ("client_secret.json", zipped()),
    "50 MB": ("c.json", b" " * 50_000_000),
    "70 KB": ("c.json", client_json(padding="x" * 70_000)),
    "a path as name": ("../../x.json", CLIENT_JSON),
    "a Windows path as name": ("..\\x.json", CLIENT_JSON),
    "wrong types": ("c.json", client_json(client_id=7)),
    "a list": ("c.json", "[1]"),
    "NUL in a value": ("c.json", client_json(client_secret="a\x00b")),
    "NUL bytes": ("c.json", b"\x00" * 64),
    "nothing": ("c.json", b""),
    "service account": ("c.json", json.dumps({"type": "service_account"})),
    "redirects that are none": ("c.json", client_json(redirect_uris=[7])),
}


@pytest.mark.parametrize("what", BAD_FILES)
async def test_a_bad_client_file_is_refused_with_a_reason_and_leaves_nothing(
    near: Core, simulator: Simulator, what: str
) -> None:
    name, content = BAD_FILES[what]
    account = factories.add_account(near, "youtube", auth_method="oauth")
    stored = factories.rows(near, account_tables.accounts)
    before = len(simulator.requests())
    form = {"type": "youtube", "alias": "TechShorts_YT", "channel_id": "UCabcd1234567890xyz"}
    async with api_client(near) as client:
        files = {"oauth_client": (name, content, "application/json")}
        made = await client.post("/api/accounts", data=form, files=files)
        handed = await client.post("/api/tokens/upload", data={"account_id": str(account.id)}, files=files)
    for answer in (made, handed):
        assert answer.status_code == 422, answer.text
        assert answer.json()["detail"] and answer.json()["action"] and "swordfish" not in answer.text
    assert factories.rows(near, account_tables.accounts) == stored
    assert len(simulator.requests()) == before
    assert list(near.settings.home.rglob("*.json")) == []


async def test_a_form_that_is_none_is_refused_and_never_a_fault_of_ours(core: Core) -> None:
    files = {"oauth_client": ("c.json", CLIENT_JSON)}
    async with api_client(core) as client:
        for data in (
            {"type": "youtube", "alias": "a", "channel_id": "UC1", "credentials": "x"},
            {"type": "youtube", "alias": "a\x00b", "channel_id": "UC1"},
            {"type": "youtube", "alias": "a", "channel_id": "UC\x001"},
            {"type": "youtube", "alias": "a", "channel_id": "UC1", "rights_note": "\x00"},
            {"type": "youtube", "alias": "a", "channel_id": "UC1", "app_status": "perhaps"},
            {"type": ["x"], "alias": "a", "channel_id": "UC1", "surprise": "1"},
        ):
            answer = await client.post("/api/accounts", data=data, files=files)
            assert answer.status_code == 422, (data, answer.text)
        half = {"type": "youtube", "alias": "\ud800", "channel_id": "UC1", "credentials": {"oauth_client": CLIENT_JSON}}
        answer = await client.post("/api/accounts", content=json.dumps(half))
        assert answer.status_code == 422, answer.text
        for body in ({"account_id": "x"}, {"account_id": 10**30}, {"account_id": 1, "credentials": {"token": {}}}, {}):
            assert (await client.post("/api/tokens/upload", json=body)).status_code == 422
        assert (await client.post("/api/tokens/upload", json={"account_id": 9_999})).status_code == 404
        assert (await client.post("/api/tokens/upload", content=b"[" * 90_000)).status_code == 422
    assert factories.rows(core, account_tables.accounts) == []


async def test_a_client_file_makes_an_account_that_waits_for_its_sign_in(core: Core) -> None:
    form = {"type": "youtube", "alias": "TechShorts_YT", "channel_id": "UCabcd1234567890xyz"}
    files = {"oauth_client": ("client_secret.json", CLIENT_JSON, "application/json")}
    async with api_client(core) as client:
        made = (await client.post("/api/accounts", data={**form, "app_status": "testing"}, files=files)).json()
        account = made["account"]
        assert account["status"] == "requires_reauth" and account["token_ref"] == account["id"]
        assert made["authorization_url"] == f"{BASE}/api/oauth/youtube/start?account_id={account['id']}"
        waiting = (await client.get("/api/accounts?status=requires_reauth,token_expired")).json()["items"]
        assert [one["id"] for one in waiting] == [account["id"]]
        assert (await client.get("/api/accounts?status=active")).json()["items"] == []
        assert (await client.get("/api/accounts?status=asleep")).status_code == 422
        status = (await client.get(f"/api/tokens/{account['id']}/status")).json()
        assert status["status"] == "not_signed_in" and status["client_id"] == "1-a.apps.googleusercontent.com"
        started = await client.get(f"/api/oauth/youtube/start?account_id={account['id']}")
        begun = started.json()
        assert begun["redirect_uri"] == f"{BASE}/oauth2callback"
        query = dict(parse_qsl(urlsplit(begun["authorization_url"]).query))
        assert query["code_challenge_method"] == "S256" and query["redirect_uri"] == begun["redirect_uri"]
        browser = await client.get(
            f"/api/oauth/youtube/start?account_id={account['id']}", headers={"Accept": "text/html"}
        )
        assert browser.status_code == 303 and browser.headers["location"].startswith("https://accounts.google.com/")
        refused = await client.post(f"/api/tokens/{account['id']}/refresh")
        assert refused.status_code == 502 and refused.json()["action"]
        assert (await client.get("/api/tokens/424242/status")).status_code == 404
        assert (await client.get(f"/api/oauth/meta/start?account_id={account['id']}")).status_code == 409
        for word in ("GOCSPX-swordfish",):
            assert word not in json.dumps([made, status, begun])


async def test_alerts_of_an_account_take_one_number_or_several(core: Core) -> None:
    account = factories.add_account(core)
    async with api_client(core) as client:
        for days in (2, [7, 3, 1]):
            body: dict[str, Any] = {"alerts": {"enabled": True, "before_days": days, "channels": ["telegram"]}}
            answer = await client.put(f"/api/accounts/{account.id}", json=body)
            assert answer.json()["account"]["alerts"]["before_days"] == days
        for bad in (-1, "soon", [400], 2.5):
            refused = await client.put(f"/api/accounts/{account.id}", json={"alerts": {"before_days": bad}})
            assert refused.status_code == 422


# ---- through the door, with a browser's session -----------------------------------------------------------------


@asynccontextmanager
async def browser(core: Core) -> AsyncIterator[httpx.AsyncClient]:
    """The door's own pages, with the cookie of a fresh session."""
    app = Guard(Starlette(routes=Pages(core).routes()), core, Origins.of(core.settings))
    token = signing_in.sign_in(core, USER, PASSWORD, address="test").token
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE, cookies={SESSION_COOKIE: token}) as client:
        yield client


def simulated(core: Core, simulator: Simulator, **secrets: str) -> int:
    """A YouTube account with its client and no token."""
    known = simulator.add_account("youtube", f"door_channel_{next(_numbers)}", secrets=secrets)
    made = accounts.create(
        core,
        NewAccount(
            platform="youtube",
            alias=known["username"],
            handle=known["id"],
            auth_method="oauth",
            credentials={"oauth_client": known["credentials"]["oauth_client"]},
        ),
    )
    return made.id


def agree(simulator: Simulator, url: str) -> str:
    with simulator.exit.http() as person:
        answer = person.get(url, follow_redirects=False)
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


async def begun(client: httpx.AsyncClient, account_id: int) -> str:
    """The platform's address, past the page that says what to register first."""
    page = await client.get(f"/accounts/{account_id}/authorise")
    assert page.status_code == 200 and "/oauth2callback" in page.text, page.text
    start = page.text.index("https://accounts.google.com/")
    return page.text[start : page.text.index('"', start)].replace("&amp;", "&")


async def test_there_and_back_signs_the_account_in_and_says_so(near: Core, simulator: Simulator) -> None:
    account_id = simulated(near, simulator)
    async with browser(near) as client:
        address = agree(simulator, await begun(client, account_id))
        assert address.startswith(f"{BASE}/oauth2callback?")
        done = await client.get(address)
        assert done.status_code == 200 and "authorized successfully" in done.text and "Token expires" in done.text
        assert f'href="/accounts/{account_id}"' in done.text
        again = await client.get(address)
        assert again.status_code == 409 and "oauth_state_used" in again.text and "What to do" in again.text
    async with api_client(near) as api:
        status = (await api.get(f"/api/tokens/{account_id}/status")).json()
        assert status["status"] == "valid" and len(status["scopes"]) == 2 and status["can_refresh"]
        refreshed = (await api.post(f"/api/tokens/{account_id}/refresh")).json()
        assert refreshed["token"]["last_refreshed"] is not None and refreshed["token_id"] == account_id
        listed = (await api.get("/api/tokens")).json()
        assert [one["token_id"] for one in listed["items"]] == [account_id] and listed["next_cursor"] is None
        assert (await api.get("/api/tokens?within_days=7")).json()["items"] == []
        shown = (await api.get(f"/api/accounts/{account_id}")).json()
        assert shown["status"] == "active" and shown["token_expiry"] and shown["last_refreshed"]


async def test_every_way_a_sign_in_is_refused_is_a_page_with_code_and_action(near: Core, simulator: Simulator) -> None:
    account_id = simulated(near, simulator)
    denied = simulated(near, simulator, consent="denied")
    async with browser(near) as client, browser(near) as other:
        address = agree(simulator, await begun(client, account_id))
        late = agree(simulator, await begun(client, account_id))
        refusals = {
            "oauth_state_unknown": (client, "/oauth2callback?state=guessed&code=4/x"),
            "oauth_state_foreign": (other, address),
            "invalid": (client, agree(simulator, await begun(client, denied))),
        }
        for code, (asker, path) in refusals.items():
            page = await asker.get(path)
            assert page.status_code in (403, 422) and code in page.text and "What to do" in page.text, code
            assert page.headers["content-type"].startswith("text/html")
        assert isinstance(near.clock, ManualClock)
        near.clock.move(601)
        page = await client.get(late)
        assert page.status_code == 410 and "oauth_state_expired" in page.text
        stranger = await httpx.AsyncClient(transport=client._transport, base_url=BASE).get(address)
        assert stranger.status_code == 303 and stranger.headers["location"].startswith("/login?next=")
        assert (await client.get("/accounts/4242/authorise")).status_code == 404
    async with api_client(near) as api:
        assert (await api.get(f"/api/accounts/{account_id}")).json()["status"] == "requires_reauth"


async def test_a_page_repeats_nothing_a_stranger_wrote_as_html(core: Core) -> None:
    async with browser(core) as client:
        page = await client.get("/oauth2callback?error=<script>alert(1)</script>&state=<img>")
        assert "<script>" not in page.text and "<img>" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
