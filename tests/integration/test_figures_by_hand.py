"""Every figure of every table and every answer, held to the working in `seeded_history`."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from sqlalchemy import insert

from forwarder_core.db import happenings as rows
from forwarder_core.db.tables.accounts import proxies, proxy_checks
from forwarder_core.domain.happenings import Happening, HappeningKind
from forwarder_core.errors import failure_classes
from forwarder_core.services import analytics_tables
from forwarder_core.services.context import Core
from tests.integration.services import seeded_history
from tests.integration.services.seeded_history import NOW, History
from tests.integration.test_api_analytics import SPAN, asked, core, history
from tests.unit.admin_app.doorway import api_client

__all__ = ["core", "history"]  # the API tests' own fixtures
pytestmark = [pytest.mark.slow, pytest.mark.anyio]
FAILED_AT = "2026-03-30T09:00:10+02:00"
DAYS = """
2026-03-27,2,2,0,100.0,2,0,100.0,0.0,90.0,10.0,1000,200.0,227.0,good
2026-03-28,1,1,0,100.0,1,1,50.0,0.0,30.0,10.0,500,140.0,140.0,good
2026-03-29,2,1,1,50.0,1,2,33.3,1.0,960.0,20.0,500,1070.0,1070.0,bad
2026-03-30,1,0,1,0.0,0,1,0.0,,,20.0,0,,,bad
2026-03-31,0,0,0,,0,0,,,,,0,,,idle
"""
HOURS = {0: 1, 1: 1, 9: 1, 10: 1, 14: 2}


def title(code: str) -> str:
    known = failure_classes().get(code)
    return known.title if known else code.replace("_", " ")


def worked_out(history: History) -> dict[str, list[str]]:
    """Every table, line by line, but for names."""
    a, b, c = history.a, history.b, history.c
    auth, media, challenge, network = (
        f"{code},{title(code)}" for code in ("auth_expired", "media_rejected", "challenge_required", "network_error")
    )
    return {
        "days": DAYS.split(),
        "connections": [
            f"{a.id},History A,active,4,3,1,75.0,50.0,50.0,0.33,380.0,auth_expired,{FAILED_AT}",
            f"{b.id},History B,deleted,2,1,1,50.0,50.0,50.0,0.0,30.0,media_rejected,2026-03-29T01:30:00+01:00",
            f"{c.id},History C,active,0,0,0,,,,,,,",
        ],
        # A: 0.75 × 40 + 0.5 × 30 + 20 + 2.2; B: 0.5 × 40 + 0.5 × 30 + 20 + 10 × 57.5 / 120.
        "accounts": [
            f"{a.source_account_id},instagram,active,67,4,4,0,3,1,75.0,50.0,2,{FAILED_AT}",
            f"{a.destination_account_id},youtube,active,67,4,0,4,3,1,75.0,50.0,1,{FAILED_AT}",
            f"{b.source_account_id},instagram,active,60,2,2,0,1,1,50.0,50.0,0,2026-03-29T01:30:00+01:00",
            f"{b.destination_account_id},youtube,active,60,2,0,2,1,1,50.0,50.0,1,2026-03-29T01:30:00+01:00",
            f"{c.source_account_id},instagram,active,,0,0,0,0,0,,,0,",
            f"{c.destination_account_id},youtube,active,,0,0,0,0,0,,,0,",
        ],
        # Four of six arrived; without either cause four of five would have: 80 - 66.7 = 13.3, or five of six: 16.7.
        "failures": [
            f"{auth},1,1,50.0,16.7",
            f"{media},1,1,50.0,16.7",
            f"{challenge},0,1,0.0,0.0",
            f"{network},0,1,0.0,0.0",
        ],
        "proxies": ["2026-03-30,Frankfurt,3,1,200"],
        "proxy_totals": ["Frankfurt,unhealthy,3,1,33.3,200", "Oslo,unchecked,0,0,,"],
        "hours": [f"{hour},{HOURS.get(hour, 0)}" for hour in range(24)],
        "dead_letters": [f"{auth},1,{FAILED_AT}", f"{media},1,2026-03-29T01:30:00+01:00"],
        "events": ["2026-03-28T23:00:00+01:00,token,Token of A renewed"],
        "weeks": ["2026-03-30,1,0,1,0.0,,auth_expired 1", "2026-03-23,5,4,1,80.0,0.25,media_rejected 1"],
        "months": ['2026-03-01,6,4,2,66.7,0.25,"auth_expired 1, media_rejected 1"'],
    }


@pytest.fixture
def proxy_id(core: Core, history: History) -> int:
    """One proxy, checked three times on the 30th and down now, another never checked; one renewal on the 28th."""
    with core.begin() as tx:
        row = {"alias": "Frankfurt", "type": "http", "host": "h", "port": 1, "created_at": NOW, "health": "unhealthy"}
        tx.execute(insert(proxies).values(row | {"alias": "Oslo", "health": "unchecked"}))
        proxy: int = tx.execute(insert(proxies).values(row).returning(proxies.c.id)).scalar_one()
        at = {"proxy_id": proxy, "target": "t", "at": seeded_history.at("30 12:00:00")}
        checks = [{"ok": True, "latency_ms": 100}, {"ok": True, "latency_ms": 301}, {"ok": False, "latency_ms": None}]
        tx.execute(insert(proxy_checks), [at | one for one in checks])
        rows.note(tx, Happening(seeded_history.at("28 23:00:00"), HappeningKind.TOKEN, "Token of A renewed"), "1")
    return proxy


async def test_every_line_of_every_table(core: Core, history: History, proxy_id: int) -> None:
    expected = worked_out(history)
    assert set(expected) == set(analytics_tables.names())
    async with api_client(core) as client:
        for table, lines in expected.items():
            body = {"table": table, "from": "2026-03-27", "to": "2026-03-31"}
            told = (await client.post("/api/analytics/export", json=body)).text
            head, *found = csv.reader(io.StringIO(told))
            left_out = {"proxy_id", "account_alias"} & set(head)
            kept = [n for n, name in enumerate(head) if name not in left_out]
            assert [[line[n] for n in kept] for line in found] == list(csv.reader(lines)), table


def metrics(total: int, good: int, attempts: tuple[int, float], **more: Any) -> dict[str, Any]:
    rate = round(100 * good / total, 1) if total else None
    failing = round(100 * (total - good) / total, 1) if total else None
    counted = {"total_jobs": total, "succeeded": good, "failed": total - good, "success_rate": rate}
    tried = {"failure_rate": failing, "attempts": attempts[0], "attempt_success_rate": attempts[1]}
    return counted | tried | more


WHOLE = metrics(
    *(6, 4, (8, 50.0)),
    avg_retry_count=0.25,  # A3's one of four
    avg_job_duration_seconds=292.5,  # (60 + 120 + 960 + 30) / 4
    avg_wait_seconds=15.0,  # (10 + 10 + 10 + 20 + 10 + 30) / 6
    uptime_percent=75.0,
    bytes_fetched=8_000,
    bytes_sent=2_000,
)
OF_A = metrics(
    *(4, 3, (6, 50.0)),
    avg_retry_count=0.33,
    avg_job_duration_seconds=380.0,  # (60 + 120 + 960) / 3
    avg_wait_seconds=12.5,
    uptime_percent=50.0,
    bytes_fetched=6_000,
    bytes_sent=1_500,
)
OF_B = metrics(
    *(2, 1, (2, 50.0)),
    avg_retry_count=0.0,
    avg_job_duration_seconds=30.0,
    avg_wait_seconds=20.0,
    uptime_percent=50.0,
    bytes_fetched=2_000,
    bytes_sent=500,
)


def days(*made: tuple[int, int, int, float | None, str]) -> list[dict[str, Any]]:
    names = ("total", "succeeded", "failed", "success_rate", "grade")
    every = [{"date": f"2026-03-{27 + n}"} | dict(zip(names, one, strict=True)) for n, one in enumerate(made)]
    return every[::-1]


GOOD, MISSED, IDLE = (1, 1, 0, 100.0, "good"), (1, 0, 1, 0.0, "bad"), (0, 0, 0, None, "idle")
BOTH = (2, 2, 0, 100.0, "good")
DAYS_OF_ALL = days(BOTH, GOOD, (2, 1, 1, 50.0, "bad"), MISSED, IDLE)
DAYS_OF_A = days(BOTH, (0, 0, 0, None, "bad"), GOOD, MISSED, IDLE)  # on the 28th only an attempt, which failed


async def test_every_figure_of_the_summary_and_of_the_system(core: Core, history: History, proxy_id: int) -> None:
    a, b, c = history.a, history.b, history.c
    async with api_client(core) as client:
        told = await asked(client, f"/api/analytics/summary?{SPAN}")
        system = await asked(client, f"/api/analytics/system?{SPAN}")
    assert told["metrics"] == system["metrics"] == WHOLE
    assert told["daily_stats"] == system["daily_stats"] == DAYS_OF_ALL
    # Of equals the earlier: 0 to 2 and 14 to 16 have two each.
    assert told["peak_hours"] == system["peak_hours"] == {"start": 0, "to": 2}
    rates = {
        one["name"]: (one["id"], one["total"], one["failed"], one["success_rate"], one["uptime_percent"])
        for one in told["connections"]
    }
    assert rates == {
        "History A": (a.id, 4, 1, 75.0, 50.0),
        "History B": (b.id, 2, 1, 50.0, 50.0),
        "History C": (c.id, 0, 0, None, None),
    }
    of_accounts = {one["id"]: (one["total"], one["failed"], one["success_rate"]) for one in told["accounts"]}
    figures = ((a, (4, 1, 75.0)), (b, (2, 1, 50.0)), (c, (0, 0, None)))
    ends = [((one.source_account_id, one.destination_account_id), figure) for one, figure in figures]
    assert of_accounts == {id_: figure for both, figure in ends for id_ in both}
    # 380 s of attempts; ten slots for 24 × 3 + 23 + 12 hours.
    assert system["worker_utilization_percent"] == round(100 * 380 / (10 * 107 * 3_600), 1) == 0.0
    assert system["jobs_per_minute"] == round(6 / (107 * 60), 3) == 0.001
    # 140, 170, 230, 1070: between the second and the third; 0.85 of the way from the third to the last.
    assert (system["latency_p50_seconds"], system["latency_p95_seconds"]) == (200.0, pytest.approx(230 + 0.85 * 840))
    assert system["total_video_bytes"] == 2_000
    assert system["jobs_by_hour"] == {str(hour): HOURS.get(hour, 0) for hour in range(24)}
    assert system["tokens_expiring"] == {"7days": [], "30days": []}


async def test_every_figure_of_a_connection_and_of_an_account(core: Core, history: History) -> None:
    async with api_client(core) as client:
        a, b, c = [
            await asked(client, f"/api/analytics/connection/{one.id}?{SPAN}")
            for one in (history.a, history.b, history.c)
        ]
        source = await asked(client, f"/api/analytics/account/{history.a.source_account_id}?{SPAN}")
    assert (a["metrics"], b["metrics"]) == (OF_A, OF_B)
    assert a["daily_stats"] == source["daily_stats"] == DAYS_OF_A
    assert (a["peak_hours"], b["peak_hours"], c["peak_hours"]) == ({"start": 13, "to": 15}, {"start": 0, "to": 2}, None)
    causes = [(one["reason"], one["count"], one["percent"], one["gain_points"]) for one in a["failure_breakdown"]]
    # Without its one dead job all four of A had arrived.
    assert causes == [
        ("auth_expired", 1, 100.0, 25.0),
        ("challenge_required", 0, 0.0, 0.0),
        ("network_error", 0, 0.0, 0.0),
    ]
    unknown = ("success_rate", "attempt_success_rate", "avg_retry_count", "avg_wait_seconds", "uptime_percent")
    assert c["metrics"]["total_jobs"] == 0 and all(c["metrics"][name] is None for name in unknown)
    assert source["metrics"] == {
        "total_forwarded": 4,
        "as_source": 4,
        "as_destination": 0,
        "succeeded": 3,
        "failed": 1,
        "success_rate": 75.0,
        "uptime_percent": 50.0,
        "own_failures": 2,
    }
    # The dead A4, and A5 that stands still; A3's failure was its destination's.
    assert source["error_history"] == [
        {"date": "2026-03-30", "reason": "auth_expired", "count": 1},
        {"date": "2026-03-29", "reason": "challenge_required", "count": 1},
    ]
    assert source["health_parts"] == {"success_rate": 30.0, "uptime": 15.0, "token": 20.0, "last_failure": 2.2}
    assert (source["health_score"], source["last_failed_at"]) == (67, "2026-03-30T07:00:10Z")
