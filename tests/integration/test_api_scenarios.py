"""Scenarios over the API: every trouble of the screen, ended by one call; nothing of it where platforms are real."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forwarder_core.services.context import Core
from forwarder_core.simulator.testing import Simulator
from tests import factories
from tests.unit.admin_app.doorway import api_client

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


async def test_every_trouble_is_made_and_ended(core: Core, simulator: Simulator) -> None:
    values = {**factories.through(simulator), "simulator_url": simulator.control_url}
    values["allow_private_networks"] = ("127.0.0.0/8",)
    there = replace(core, settings=core.settings.model_copy(update=values))
    account, _ = factories.simulated_account(there, simulator, "instagram", by="private")
    async with api_client(there) as client:
        proxy = (await client.post("/api/scenarios/proxies", json={"alias": "Simulated_01"})).json()["proxy"]
        armed = set()
        for trouble in (await client.get("/api/scenarios")).json()["troubles"]:
            at = {"proxy_id": proxy["id"]} if trouble == "dead_proxy" else {"account_id": account.id}
            made = await client.post("/api/scenarios", json={"trouble": trouble, **at})
            assert made.status_code == 201, made.text
            armed = {fault["fault"] for fault in made.json()["armed"]}
        assert armed == {"challenge", "token_expired", "invalid_grant", "http_429", "proxy_refuse"}
        assert (await client.delete("/api/scenarios")).json()["armed"] == []
        wrong = await client.post("/api/scenarios", json={"trouble": "dead_proxy", "account_id": account.id})
        assert wrong.status_code == 422
        nobody = await client.post("/api/scenarios", json={"trouble": "storm", "account_id": 999_999})
        assert nobody.status_code == 404
        post = {"account_id": account.id, "caption": "Sunset"}
        assert (await client.post("/api/scenarios/posts", json=post)).json()["url"].startswith("https://")


async def test_where_there_is_no_simulator_it_is_said(core: Core) -> None:
    async with api_client(core) as client:
        for path, body in (
            ("", {"trouble": "storm", "account_id": 1}),
            ("/posts", {"account_id": 1}),
            ("/proxies", {"alias": "a"}),
        ):
            refused = await client.post(f"/api/scenarios{path}", json=body)
            assert (refused.status_code, refused.json()["code"]) == (409, "no_simulator"), refused.text
        assert (await client.get("/api/scenarios")).json()["code"] == "no_simulator"
