"""What Prometheus is told: every number there is, from the rows as they are, behind a token; and Grafana knows them."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert

from forwarder_core.clock import ManualClock
from forwarder_core.db import attempts
from forwarder_core.db.tables.accounts import proxies
from forwarder_core.db.tables.tokens import tokens
from forwarder_core.errors import MediaRejected
from forwarder_core.services import failing, heartbeats, tunables
from forwarder_core.services.context import Core
from tests import factories
from tests.unit.admin_app.doorway import ROOT, api_client

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
DASHBOARD = ROOT / "deploy" / "grafana" / "forwarder.json"


def told(text: str) -> dict[tuple[str, ...], float]:
    """By name and the values of the labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def furnished(core: Core, clock: ManualClock) -> None:
    """A failed job, one that waits, a proxy that is down, a credential that ends in ten days."""
    connection = factories.add_connection(core)
    lease = factories.claimed(core, factories.add_job(core, connection))
    with core.begin() as tx:
        attempts.note(tx, lease, seconds={"fetch_post": 2.5})
    failing.fail(core, lease, MediaRejected("No."))
    factories.add_job(core, connection)
    clock.move(30)
    heartbeats.beat(core, "keeper")
    with core.begin() as tx:
        row = {"alias": 'down "here"', "type": "http", "host": "h", "port": 1, "health": "unhealthy"}
        tx.execute(insert(proxies).values(**row, created_at=clock.now()))
        ends = clock.now() + timedelta(days=10)
        account_id = connection.source_account_id
        tx.execute(insert(tokens).values(id=account_id, account_id=account_id, expires_at=ends, changed_at=clock.now()))


async def test_the_numbers_are_those_of_the_rows(core: Core, clock: ManualClock) -> None:
    furnished(core, clock)
    async with api_client(core) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
    found = told(answer.text)
    assert found["forwarder_queue_length",] == 1 and found["forwarder_jobs", "queued"] == 1
    assert found["forwarder_queue_age_seconds",] == 30
    assert found["forwarder_outcomes_day", "media_rejected", "dead"] == 1
    assert found["forwarder_attempts_day", "failed"] == 1
    assert found["forwarder_step_seconds", "0.95", "fetch_post"] == 2.5
    assert found["forwarder_jobs_per_minute",] == 1
    assert found["forwarder_proxy_up", 'down "here"'] == 0
    assert [v for k, v in found.items() if k[0] == "forwarder_token_days_left"] == [10]
    assert found["forwarder_heartbeat_age_seconds", "keeper"] == 0
    assert found["forwarder_disk_free_bytes",] > 0 and found["forwarder_outbox_waiting",] >= 1


async def test_every_panel_of_the_dashboard_shows_a_number_that_is_exported(core: Core, clock: ManualClock) -> None:
    furnished(core, clock)
    async with api_client(core) as client:
        exported = {family.name for family in text_string_to_metric_families((await client.get("/metrics")).text)}
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    shown = {name for p in panels for t in p["targets"] for name in re.findall(r"forwarder_\w+", t["expr"])}
    assert shown == exported


async def test_they_are_open_to_a_token_of_scope_read_and_on_loopback_where_that_is_wanted(core: Core) -> None:
    async with api_client(core) as client:
        made = await client.post("/api/api-tokens", json={"name": "prometheus", "scopes": ["read"]})
        headers = {"Authorization": f"Bearer {made.json()['token']}"}
    async with api_client(core, signed_in=False) as client:
        assert (await client.get("/metrics")).status_code == 401
        assert (await client.get("/metrics", headers=headers)).status_code == 200
        tunables.change(core, {"api.metrics_on_loopback": True})
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/api/jobs")).status_code == 401
