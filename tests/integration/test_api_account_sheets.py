"""Accounts by the sheet: looked at first, taken all or none, the same sheet twice changes nothing, no secret leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db import proxies
from forwarder_core.services.context import Core
from tests import factories
from tests.unit.admin_app.doorway import api_client, core_with_admin

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
HEAD = "platform,username,alias,auth_method,rights,rights_note,proxy,credentials.password\n"


@pytest.fixture
def core(url: str, clock: ManualClock, tmp_path: Path) -> Iterator[Core]:
    with core_with_admin(url, clock, tmp_path) as core:
        with core.begin() as tx:
            values = {"alias": "US 1", "type": "http", "host": "8.8.4.4", "port": 8080, "created_at": clock.now()}
            proxies.add(tx, values)
        yield core


async def sent(client: httpx.AsyncClient, rows: str, *, dry_run: bool = False, head: str = HEAD) -> httpx.Response:
    params = {"dry_run": "true"} if dry_run else {}
    headers = {"content-type": "text/csv"}
    return await client.post("/api/accounts/import", content=(head + rows).encode(), params=params, headers=headers)


async def listed(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.get("/api/accounts")).json()["items"]
    return items


ROWS = "instagram,@one,First,private,own,,US 1,swordfish-1\ninstagram,two,=2+5,private,licensed,by mail,,swordfish-2\n"


async def test_a_sheet_is_looked_at_first_and_changes_nothing_the_second_time(core: Core) -> None:
    async with api_client(core) as client:
        looked = await sent(client, ROWS, dry_run=True)
        assert looked.status_code == 200, looked.text
        assert looked.json()["created"] == 2 and [row["line"] for row in looked.json()["rows"]] == [2, 3]
        assert await listed(client) == []
        made = await sent(client, ROWS)
        first, second = await listed(client)
        assert [row["account_id"] for row in made.json()["rows"]] == [first["id"], second["id"]], made.text
        assert first["username"] == "one" and first["proxy_id"] and first["rights"] == "own"
        again = await sent(client, ROWS)
        assert again.json()["unchanged"] == 2 and "credentials stay" in again.json()["rows"][0]["note"]
        exported = await client.get("/api/accounts/export")
        assert exported.headers["content-type"].startswith("text/csv") and "'=2+5" in exported.text
        for answer in (looked, made, again, exported):
            assert "swordfish" not in answer.text
        round_ = await client.post("/api/accounts/import", files={"file": ("a.csv", exported.content, "text/csv")})
        assert round_.json()["unchanged"] == 2 and await listed(client) == [first, second]


async def test_a_row_changes_only_what_it_names(core: Core) -> None:
    account = factories.add_account(core)
    head = "platform,username,alias,proxy\n"
    async with api_client(core) as client:
        row = f"instagram,{account.handle},Renamed,US 1\n"
        looked = (await sent(client, row, head=head, dry_run=True)).json()["rows"][0]
        assert looked["action"] == "change" and looked["account_id"] == account.id
        assert looked["changes"]["alias"] == {"now": account.alias, "then": "Renamed"}
        assert looked["changes"]["proxy"] == {"now": "none", "then": "US 1"}
        assert (await sent(client, row, head=head)).json()["changed"] == 1
        (shown,) = await listed(client)
        assert (shown["alias"], shown["rights"]) == ("Renamed", "own") and shown["proxy_id"]
        await sent(client, f"instagram,{account.handle},,none\n", head=head)
        (shown,) = await listed(client)
        assert (shown["alias"], shown["proxy_id"]) == ("Renamed", None)


BAD = {
    "myspace,a,A,private,own,,,x": "platform",
    "instagram,,A,private,own,,,x": "username",
    "instagram,a1,A,private,,,,x": "rights",
    "instagram,a2,A,private,undeclared,,,x": "rights",
    "instagram,a3,A,private,stolen,,,x": "rights",
    "instagram,a4,A,pigeon,own,,,x": "auth_method",
    "instagram,a5,A,private,own,,9999,x": "proxy",
    "instagram,a6,A,private,own,,,": "credentials",
    f"instagram,a7,{'x' * 121},private,own,,,x": "alias",
    "instagram,taken,A,graph_api,own,,,": "auth_method",
    "instagram,a8,Taken,private,own,,,x": "alias",
    "instagram,good,B,private,own,,,x": "username",
    "instagram,a9,A,private,own,,,x,y": "",
}


async def test_one_bad_row_takes_all_back_and_every_one_is_named(core: Core) -> None:
    factories.add_account(core, handle="taken", alias="Taken")
    rows = "instagram,good,Good,private,own,,,swordfish\n" + "".join(f"{row}\n" for row in BAD)
    async with api_client(core) as client:
        refused = await sent(client, rows)
        assert refused.status_code == 422 and "swordfish" not in refused.text
        said = [error["field"] for error in refused.json()["errors"]]
        for number, field in enumerate(BAD.values(), 3):
            assert any(one.startswith(f"line {number}: {field}" if field else f"line {number}") for one in said), number
        looked = (await sent(client, rows, dry_run=True)).json()
        assert looked["failed"] == len(BAD) and looked["created"] == 1 and looked["rows"][0]["errors"] == []
        assert len(await listed(client)) == 1


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"a\x00b", b"platform,username\n", b"alias\nx\n"])
async def test_what_is_no_sheet_is_refused(core: Core, body: bytes) -> None:
    async with api_client(core) as client:
        assert (await client.post("/api/accounts/import", content=body)).status_code == 422
        files = {"file": ("a.csv", body, "text/csv")}
        assert (await client.post("/api/accounts/import", files=files)).status_code == 422
        other = await client.post("/api/accounts/import", files={"sheet": ("a.csv", body, "text/csv")})
        assert other.status_code == 422


async def test_an_account_whose_connections_need_another_proxy_keeps_its_own(core: Core) -> None:
    with core.begin() as tx:
        other = proxies.add(
            tx, {"alias": "US 2", "type": "http", "host": "8.8.8.8", "port": 80, "created_at": core.clock.now()}
        )
    source = factories.add_account(core)
    factories.add_connection(core, source, proxy_id=other)
    async with api_client(core) as client:
        row = f"instagram,{source.handle},US 1\n"
        refused = await sent(client, row, head="platform,username,proxy\n")
        assert refused.status_code == 422 and refused.json()["errors"][0]["field"] == "line 2", refused.text
