"""Settings and the census over the API: obeyed at once, audited, and what they cannot be is said by field."""

from __future__ import annotations

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db.tables.people import audit_log
from forwarder_core.services import census
from forwarder_core.services.context import Core
from tests import factories
from tests.unit.admin_app.doorway import api_client

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


async def test_a_change_of_settings_is_audited_with_its_values(core: Core) -> None:
    async with api_client(core) as client:
        assert (await client.put("/api/settings", json={"retention.media_days": 0})).status_code == 200
        for key, value in (("retention.media_days", -1), ("retry.max_retries", True), ("retry.delays_s", [])):
            refused = await client.put("/api/settings", json={key: value})
            assert refused.status_code == 422 and refused.json()["errors"][0]["field"] == key
        assert (await client.get("/api/settings")).json()["retention.media_days"] == 0
    (row,) = (row for row in factories.rows(core, audit_log) if row["what"] == "settings_changed")
    assert (row["who"], row["details"]) == ("admin", {"retention.media_days": 0})


async def test_a_shorter_session_ends_the_one_that_is_idle(core: Core, clock: ManualClock) -> None:
    async with api_client(core) as client:
        assert (await client.put("/api/settings", json={"session.idle_minutes": 10})).status_code == 200
        clock.move(9 * 60)
        assert (await client.get("/api/auth/check")).status_code == 200
        clock.move(11 * 60)
        assert (await client.get("/api/auth/check")).status_code == 401


async def test_the_census_counts_posts_nobody_decided_about(core: Core, clock: ManualClock) -> None:
    async with api_client(core) as client:
        assert (await client.get("/api/census")).json() == {"undecided_posts": 0, "stuck_jobs": 0, "is_clean": True}
        connection = factories.add_connection(core)
        factories.add_post(core, connection.source_account_id)
        factories.add_job(core, connection)
        clock.move(census.STUCK_AFTER.total_seconds() + 60)
        client.headers.pop("Authorization")
    async with api_client(core) as client:
        told = (await client.get("/api/census")).json()
        assert told["undecided_posts"] == 2 and told["stuck_jobs"] == 1 and not told["is_clean"]
        check = (await client.get("/api/health")).json()["checks"]["census"]
        assert check["status"] == "warning" and check["facts"]["stuck_jobs"] == 1
        assert (await client.get("/api/census?x=1")).status_code == 422
