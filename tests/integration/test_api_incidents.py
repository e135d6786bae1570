"""Incidents and retry policies over the API: the list, the one retry, 001's example, and what is refused by field."""

from __future__ import annotations

from typing import Any

import pytest

from forwarder_core.errors import MediaRejected
from forwarder_core.services import failing
from forwarder_core.services.context import Core
from tests import factories
from tests.unit.admin_app.doorway import api_client
from tests.unit.domain.test_retry_rules import EXAMPLE

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


def three_too_long(core: Core) -> list[int]:
    connection = factories.add_connection(core)
    made = [factories.add_job(core, connection) for _ in range(3)]
    for job in made:
        failing.fail(core, factories.claimed(core, job), MediaRejected("Too long."))
    return made


async def test_an_incident_is_listed_shown_on_the_dashboard_and_retried_once(core: Core) -> None:
    made = three_too_long(core)
    async with api_client(core) as client:
        (listed,) = (await client.get("/api/incidents")).json()["items"]
        assert (listed["code"], listed["jobs"], listed["dead"], listed["status"]) == ("media_rejected", 3, 3, "open")
        assert listed["action"] and listed["subject"]
        assert (await client.get("/api/dashboard/summary")).json()["incidents"] == [listed]
        assert (await client.get(f"/api/incidents/{listed['id']}")).json() == listed
        jobs = (await client.get(listed["jobs_link"])).json()["items"]
        assert sorted(job["id"] for job in jobs) == made
        assert len((await client.get("/api/jobs?error=video_too_large")).json()["items"]) == 3, "the client's word"
        retried = (await client.post(f"/api/incidents/{listed['id']}/retry")).json()
        assert (retried["status"], retried["count"], retried["jobs_requeued"]) == ("success", 3, made)
        assert (await client.post(f"/api/incidents/{listed['id']}/retry")).json()["count"] == 0


async def test_what_there_is_not_and_what_makes_no_sense(core: Core) -> None:
    async with api_client(core) as client:
        assert (await client.get("/api/incidents?status=closed")).json() == {"items": [], "next_cursor": None}
        assert (await client.get("/api/incidents?status=open,closed")).status_code == 200
        refused = await client.get("/api/incidents?status=opened")
        assert refused.status_code == 422 and refused.json()["errors"][0]["field"] == "status"
        assert (await client.post("/api/incidents/999/retry")).status_code == 404
        assert (await client.get("/api/incidents/0")).status_code == 422


def new_connection(core: Core, **more: Any) -> dict[str, Any]:
    source, destination = factories.add_account(core), factories.add_account(core, "youtube")
    ends = {"source_account_id": source.id, "destination_account_id": destination.id}
    return {"name": "Travel_Insta_to_TechShorts", **ends, **more}


async def test_the_specifications_retry_policy_is_taken_as_it_is_written(core: Core) -> None:
    async with api_client(core) as client:
        made = (await client.post("/api/connections", json=new_connection(core, retry_policy=EXAMPLE))).json()
        assert made["connection"]["retry_policy"] == EXAMPLE
        assert made["connection"]["on_ambiguous"] == "ask"
        id_ = made["connection"]["id"]
        policy = {"per_class": {"network_timeout": {"max_attempts": 5, "delays_seconds": [1, 2]}}}
        change = {"retry_policy": policy, "on_ambiguous": {"publish_again_after_s": 3600}}
        changed = (await client.put(f"/api/connections/{id_}", json=change)).json()["connection"]
        assert changed["retry_policy"] == policy and changed["on_ambiguous"] == {"publish_again_after_s": 3600.0}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"retry_policy": {"per_class": {"nonsense": {}}}}, "retry_policy.per_class.nonsense"),
        ({"retry_policy": {"retry_on_errors": ["nonsense"]}}, "retry_policy.retry_on_errors.0"),
        (
            {"retry_policy": {"per_class": {"network_error": {"delay": 1}}}},
            "retry_policy.per_class.network_error.delay",
        ),
        ({"retry_policy": {"max_attempts": 99}}, "retry_policy.max_attempts"),
        ({"retry_policy": {"max_tries": 3}}, "retry_policy.max_tries"),
        ({"on_ambiguous": "assume_live"}, "on_ambiguous"),
    ],
)
async def test_a_word_that_is_not_known_is_refused_at_its_place(core: Core, change: dict[str, Any], field: str) -> None:
    connection = factories.add_connection(core)
    async with api_client(core) as client:
        refused = await client.put(f"/api/connections/{connection.id}", json=change)
        assert refused.status_code == 422
        assert any(error["field"].startswith(field) for error in refused.json()["errors"]), refused.json()
        settings = await client.put("/api/settings", json={"retry.per_class": {"nonsense": {}}})
        assert settings.status_code == 422 and settings.json()["errors"][0]["field"] == "retry.per_class.nonsense"


async def test_a_cycle_of_connections_is_warned_of_and_made(core: Core) -> None:
    there = factories.add_connection(core)
    back = {
        "name": "And back",
        "source_account_id": there.destination_account_id,
        "destination_account_id": there.source_account_id,
    }
    async with api_client(core) as client:
        made = await client.post("/api/connections", json=back)
        assert made.status_code == 201 and len(made.json()["warnings"]) == 1
        assert "circle" in made.json()["warnings"][0]
        alone = await client.post("/api/connections", json=new_connection(core))
        assert alone.json()["warnings"] == []
