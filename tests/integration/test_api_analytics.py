"""Analytics over the API: the specification's keys with figures worked out by hand, and tables no spreadsheet runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from sqlalchemy import func, insert, update

from admin_app.api.schemas.analytics import TableName
from forwarder_core.clock import ManualClock
from forwarder_core.db import happenings as rows
from forwarder_core.db import people
from forwarder_core.db.tables import flow
from forwarder_core.db.tables.accounts import accounts, proxies, proxy_checks
from forwarder_core.domain.happenings import Happening, HappeningKind
from forwarder_core.services import analytics, analytics_tables, happenings
from forwarder_core.services.context import Core
from tests import factories
from tests.integration.services import seeded_history
from tests.integration.services.seeded_history import DAYS, NOW, History
from tests.unit.admin_app.doorway import api_client, core_with_admin

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
SPAN = "from=2026-03-27&to=2026-03-31"


@pytest.fixture
def core(url: str, tmp_path: Path) -> Iterator[Core]:
    with core_with_admin(url, ManualClock(NOW), tmp_path) as core:
        object.__setattr__(core, "settings", core.settings.model_copy(update={"timezone": "Europe/Berlin"}))
        yield core


@pytest.fixture
def history(core: Core) -> History:
    return seeded_history.write(core)


async def asked(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_summary_of_the_hand_computed_history(core: Core, history: History) -> None:
    async with api_client(core) as client:
        told = await asked(client, f"/api/analytics/summary?{SPAN}")
    assert told["period"] == {"start": "2026-03-27", "end": "2026-03-31"}
    counts = ("forwarded_count", "success_count", "fail_count", "avg_retries", "dead_letters")
    assert [told[name] for name in counts] == [6, 4, 2, 0.25, 2]
    m = told["metrics"]
    assert (m["success_rate"], m["failure_rate"], m["attempt_success_rate"]) == (66.7, 33.3, 50.0)
    assert (m["avg_job_duration_seconds"], m["avg_wait_seconds"], m["uptime_percent"]) == (292.5, 15.0, 75.0)
    assert [e["reason"] for e in told["top_errors"]] == ["auth_expired", "media_rejected"]
    first, *_, last = told["daily_stats"]
    assert first["date"] == "2026-03-31" and first["grade"] == "idle"
    assert (last["date"], last["total"], last["succeeded"], last["failed"]) == ("2026-03-27", 2, 2, 0)
    assert told["what_next"][0] | {"title": ""} == {
        "reason": "auth_expired",
        "title": "",
        "remedy": "retry_all",
        "account_id": history.a.source_account_id,
        "jobs": 1,
        "days": 1,
        "gain_points": 16.7,
    }


async def test_days_that_are_being_counted_are_named_and_no_file_goes_out_without_them(
    core: Core, history: History
) -> None:
    a, last_two = history.a, "from=2026-03-30&to=2026-03-31"
    paths = ("summary", "system", f"connection/{a.id}", f"account/{a.source_account_id}")
    body = {"table": "days", "from": "2026-03-30", "to": "2026-03-31"}
    async with api_client(core) as client:
        with seeded_history.somebody_counts(core):
            for path in paths:
                told = await asked(client, f"/api/analytics/{path}?{last_two}")
                assert told["uncounted_days"] == ["2026-03-30", "2026-03-31"] and told["daily_stats"] == [], path
            refused = await client.post("/api/analytics/export", json=body)
        assert refused.status_code == 503 and "2 of the days are being counted" in refused.json()["detail"]
        for path in paths:
            told = await asked(client, f"/api/analytics/{path}?{last_two}")
            assert told["uncounted_days"] == [] and len(told["daily_stats"]) == 2, path
        assert (await client.post("/api/analytics/export", json=body)).status_code == 200


async def test_a_connection_has_the_keys_of_the_specification_under_both_paths(core: Core, history: History) -> None:
    async with api_client(core) as client:
        told = await asked(client, f"/api/analytics/connection/{history.a.id}?{SPAN}")
        assert await asked(client, f"/api/analytics/connection/{history.a.id}/metrics?{SPAN}") == told
        assert (await client.get("/api/analytics/connection/9999")).status_code == 404
    assert told["connection_id"] == history.a.id and told["connection_name"] == "History A"
    m = told["metrics"]
    assert (m["total_jobs"], m["succeeded"], m["failed"], m["success_rate"]) == (4, 3, 1, 75.0)
    assert (m["avg_retry_count"], m["avg_job_duration_seconds"]) == (0.33, 380.0)
    assert told["failure_breakdown"][0]["reason"] == "auth_expired"
    assert (told["failure_breakdown"][0]["count"], told["failure_breakdown"][0]["percent"]) == (1, 100.0)


async def test_an_account_under_its_three_paths(core: Core, history: History) -> None:
    id_ = history.a.source_account_id
    async with api_client(core) as client:
        told = await asked(client, f"/api/analytics/account/{id_}?{SPAN}")
        for path in (f"/api/analytics/account/{id_}/metrics", f"/api/accounts/{id_}/analytics"):
            assert await asked(client, f"{path}?{SPAN}") == told
    assert told["health_score"] == 67 and sum(told["health_parts"].values()) == pytest.approx(67.2)
    assert (told["metrics"]["total_forwarded"], told["metrics"]["as_source"]) == (4, 4)
    assert told["connections"][0]["role"] == "source" and told["connections"][0]["success_rate"] == 75.0
    assert told["token_status"] == {"valid": True, "expires_at": None, "days_until_expiry": None}


async def test_an_account_and_the_list_show_the_score_its_own_page_has(core: Core, history: History) -> None:
    id_ = history.a.source_account_id
    async with api_client(core) as client:
        told = await asked(client, f"/api/accounts/{id_}/analytics?period=30days")
        shown = await asked(client, f"/api/accounts/{id_}")
        listed = {one["id"]: one for one in (await asked(client, "/api/accounts"))["items"]}
        idle = factories.add_account(core).id
        unknown = await asked(client, f"/api/accounts/{idle}")
    score = {name: told[name] for name in ("health_score", "health_parts")}
    assert score["health_score"] is not None and score.items() <= shown.items() and score.items() <= listed[id_].items()
    assert unknown["health_score"] is None, "it has done nothing yet"


async def test_the_installation_with_its_proxies(core: Core, history: History) -> None:
    with core.begin() as tx:
        row = {"alias": "Frankfurt", "type": "http", "host": "h", "port": 1, "created_at": NOW}
        proxy = tx.execute(insert(proxies).values(row).returning(proxies.c.id)).scalar_one()
        at = {"proxy_id": proxy, "target": "t", "at": seeded_history.at("30 12:00:00")}
        checks = [{"ok": True, "latency_ms": 100}, {"ok": True, "latency_ms": 301}, {"ok": False, "latency_ms": None}]
        tx.execute(insert(proxy_checks), [at | one for one in checks])
    async with api_client(core) as client:
        told = await asked(client, f"/api/analytics/system?{SPAN}")
    assert told["proxies"] == [
        {"proxy_id": proxy, "proxy": "Frankfurt", "status": "unchecked", "checks": 3, "failed": 1, "error_rate": 33.3}
        | {"avg_latency_ms": 200}
    ]
    assert told["latency_p50_seconds"] == 200.0 and told["total_video_bytes"] == 2_000
    assert sum(told["jobs_by_hour"].values()) == 6 and set(told["tokens_expiring"]) == {"7days", "30days"}


async def test_what_happened_stands_beside_the_figures_with_what_it_is_worth(core: Core, history: History) -> None:
    with core.begin() as tx:
        for n, at in enumerate(("28 23:00:00", "29 01:00:00", "30 08:30:00")):
            happenings.note_renewal(tx, n, "Reels", seeded_history.at(at))
        people.audit(tx, who="admin", what="settings_changed", now=seeded_history.at("27 12:00:00"))
    first, again = happenings.note_release(core), happenings.note_release(core)
    async with api_client(core) as client:
        told = await asked(client, f"/api/analytics/events?{SPAN}")
    assert first == again and [one["kind"] for one in told["events"]] == [
        *("setting", "token", "token", "token", "release")
    ]
    token = {one["kind"]: one for one in told["evidence"]}["token"]
    # In the hours after renewals 23:50, 01:30 and 09:00:10 failed and 00:05 arrived; of four elsewhere one failed.
    assert (token["events"], token["followed"], token["spikes"], token["ratio"]) == (3, 0, 0, 2.33)
    assert token["strength"] == "none" and token["p"] is not None and "failures ×2.33" in token["words"]


async def test_whose_trouble_it_is_can_be_asked(core: Core, history: History) -> None:
    async with api_client(core) as client:
        told = await asked(client, "/api/analytics/diagnosis?hours=168")
        assert (await client.get("/api/analytics/diagnosis?hours=0")).status_code == 422
    assert (told["runs"], told["failed"], told["verdict"]) == (8, 4, "cannot_tell")
    assert told["evidence"] and told["words"].startswith("Cannot tell")


async def test_a_table_as_csv_runs_no_formula(core: Core, history: History) -> None:
    factories.add_connection(core, name='=HYPERLINK("http://x.example","pay")')
    body = {"table": "connections", "from": "2026-03-27", "to": "2026-03-31"}
    async with api_client(core) as client:
        answer = await client.post("/api/analytics/export", json=body)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/csv")
    assert "analytics-connections-2026-03-27-2026-03-31.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["connection_name"][:6] for row in rows] == ["Histor"] * 3 + ["'=HYPE"]
    assert (rows[0]["total"], rows[0]["success_rate"], rows[0]["uptime_percent"]) == ("4", "75.0", "50.0")
    assert rows[2]["success_rate"] == "" and rows[1]["status"] == "deleted"


async def test_no_table_holds_a_formula_whatever_it_is_made_of(core: Core, history: History) -> None:
    """Every word that comes from outside begins like one: names, aliases, proxies, events, causes."""
    evil = '=HYPERLINK("http://x.example","pay")'
    with core.begin() as tx:
        tx.execute(update(flow.connections).values(name=func.concat(evil, flow.connections.c.id)))
        tx.execute(update(accounts).values(alias=func.concat(evil, accounts.c.id)))
        tx.execute(update(flow.jobs).where(flow.jobs.c.status == "dead").values(error_code=evil, changed_at=NOW))
        row = {"alias": evil, "type": "http", "host": "h", "port": 1, "created_at": NOW}
        proxy = tx.execute(insert(proxies).values(row).returning(proxies.c.id)).scalar_one()
        check = {"proxy_id": proxy, "target": "t", "at": seeded_history.at("30 12:00:00"), "ok": True, "latency_ms": 1}
        tx.execute(insert(proxy_checks).values(check))
        rows.note(tx, Happening(seeded_history.at("30 12:00:00"), HappeningKind.TOKEN, evil), "1")
    assert set(get_args(TableName)) == set(analytics_tables.names())
    async with api_client(core) as client:
        for table in analytics_tables.names():
            body = {"table": table, "from": "2026-03-27", "to": "2026-03-31"}
            answer = await client.post("/api/analytics/export", json=body)
            head, *lines = csv.reader(io.StringIO(answer.text))
            assert lines and len({len(line) for line in [head, *lines]}) == 1, table
            cells = [cell for line in lines for cell in line]
            assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "\r"))], table
            assert table in ("days", "hours") or any(evil in cell for cell in cells), table
    view = analytics.view(core, DAYS)
    for table in analytics_tables.names():  # a browser saves what it shows
        shown = analytics_tables.safe_frame(view, table).to_numpy().flat
        assert not [cell for cell in shown if isinstance(cell, str) and cell.startswith("=")], table


async def test_every_table_and_every_period_answers_for_an_empty_installation(core: Core) -> None:
    async with api_client(core) as client:
        for period in ("weekly", "monthly", "7days", "30days", "90days"):
            told = await asked(client, f"/api/analytics/summary?period={period}")
            assert told["metrics"]["success_rate"] is None and told["forwarded_count"] == 0
        for table in analytics_tables.names():
            assert (await client.post("/api/analytics/export", json={"table": table})).status_code == 200


@pytest.mark.parametrize(
    "query", ["period=yearly", "from=2026-03-31&to=2026-03-01", "to=2026-03-01", "form=2026-03-01"]
)
async def test_a_period_that_makes_no_sense_is_refused(core: Core, query: str) -> None:
    async with api_client(core) as client:
        assert (await client.get(f"/api/analytics/summary?{query}")).status_code == 422
