"""Reports as files, assets run against a real database, and days unlike the others told once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import Engine, insert

from forwarder_core.clock import ManualClock
from forwarder_core.db.tables import flow
from forwarder_core.db.tables.system import outbox
from forwarder_core.domain.connections import Connection
from forwarder_core.services import analytics_checks, analytics_days, analytics_reports, anomalies
from forwarder_core.services.context import Core
from forwarder_pipelines.assets import analytics as assets
from forwarder_pipelines.build import build_definitions
from tests import factories
from tests.factories import core_on, emptied
from tests.integration.services import seeded_history
from tests.integration.services.seeded_history import NOW, History
from tests.unit.admin_app.doorway import HOSTILE

pytestmark = pytest.mark.slow


@pytest.fixture
def core(shared_engine: Engine, tmp_path: Path) -> Core:
    return core_on(emptied(shared_engine), ManualClock(NOW), tmp_path, timezone="Europe/Berlin")


@pytest.fixture
def history(core: Core) -> History:
    return seeded_history.write(core)


def test_a_report_is_a_page_and_its_tables_and_one_message(core: Core, history: History) -> None:
    factories.add_connection(core, name=HOSTILE)
    made = analytics_reports.weekly(core, date(2026, 3, 25))
    assert made.files[0] == core.settings.home / "reports" / "weekly-2026-03-23" / "report.html"
    page = made.files[0].read_text("utf-8")
    # 23 to 29 March: four arrived, one was dead.
    assert "80 %" in page and "<img" not in page and "&lt;img" in page and "<script" not in page
    assert {path.name for path in made.files[1:]} >= {"days.csv", "connections.csv", "failures.csv"}
    analytics_reports.weekly(core, date(2026, 3, 29))
    (told,) = factories.rows(core, outbox, kind="report")
    assert (told["payload"]["forwarded"], told["payload"]["success_rate"]) == (5, 80.0)


def test_a_month_ends_with_its_last_day(core: Core, history: History) -> None:
    made = analytics_reports.monthly(core, date(2026, 3, 31))
    assert (made.period.first, made.period.last) == (date(2026, 3, 1), date(2026, 3, 31))
    assert made.view.tally.total == 6


def test_the_assets_of_a_day_show_its_figures_and_the_checks_pass(
    core: Core, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "this_core", lambda: core)
    analytics_days.refresh_due(core)
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_definitions().resolve_job_def("analytics_job")
        result = job.execute_in_process(partition_key="2026-03-29", instance=instance)
    events = result.get_asset_materialization_events()
    made = {event.asset_key.to_user_string(): event for event in events if event.asset_key}
    assert set(made) == {key for key, *_ in assets._DAILY}
    told = made["connection_daily"].step_materialization_data.materialization.metadata
    assert (told["succeeded"].value, told["failed"].value, told["success_rate"].value) == (1, 1, 50.0)
    assert "History A" in str(told["chart"].value)
    checked = {one.check_name: one.passed for one in result.get_asset_check_evaluations()}
    # Four of six arrived: below the threshold of 80 %.
    assert checked == dict.fromkeys(analytics_checks.NAMES, True) | {"success_above_threshold": False}


def test_a_day_without_a_single_success_is_told_once_of_the_end_at_fault(core: Core) -> None:
    connection = factories.add_connection(core)
    _write(core, connection, [_ended(days, hour) for days in range(1, 43) for hour in (9, 10, 11)])
    _write(core, connection, [_ended(0, hour) for hour in (9, 10, 11)], "publish_video")
    found = anomalies.tell(core)
    assert [(one.account_id, one.anomaly.kind.value, one.anomaly.value, one.anomaly.posts) for one in found] == [
        (connection.destination_account_id, "success_drop", 0.0, 3)
    ]
    assert anomalies.tell(core) == [], "what was told is spent"
    (told,) = factories.rows(core, outbox, kind="anomaly")
    assert told["payload"]["value"] == "0 % of the last 3" and told["payload"]["usual"] == "99.6 %"
    assert "By chance once in 1,1" in told["payload"]["error"] and "Cannot tell" in told["payload"]["action"]


def test_a_silent_account_is_told_of_and_its_destination_is_not(core: Core) -> None:
    connection = factories.add_connection(core)
    minutes = [(6 + n // 10, n % 10) for n in range(40)]
    _write(core, connection, [_ended(days, hour, n) for days in range(7, 43, 7) for hour, n in minutes])
    found = anomalies.find(core)
    assert [(one.account_id, one.anomaly.kind.value, one.anomaly.value) for one in found] == [
        (connection.source_account_id, "volume_drop", 0.0)
    ]
    with core.begin() as tx:
        factories.change_row(tx, flow.connections, connection.id, status="paused")
    assert anomalies.find(core) == [], "who paused it wished it"


def test_what_accounts_share_is_told_of_once_for_all_of_them(core: Core) -> None:
    """Each alone has too few failures to tell; the proxy between them has enough."""
    every = [factories.add_connection(core) for _ in range(3)]
    for connection in every:
        _write(core, connection, [_ended(days, hour) for days in range(1, 43) for hour in (9, 10, 11)], proxy="p:1")
        _write(core, connection, [_ended(0, 10, 2)], "publish_video", proxy="p:1")
        _write(core, connection, [_ended(0, 11, 5)], "publish_video", proxy="p:1")
    (found,) = anomalies.tell(core)
    ends = sorted(one.destination_account_id for one in every)
    assert (found.account_id, found.anomaly.kind, found.anomaly.posts) == (None, "success_drop", 6)
    assert found.about in ("proxy:p:1", "platform:youtube") and list(found.members) == ends
    assert anomalies.tell(core) == []
    (told,) = factories.rows(core, outbox, kind="anomaly")
    assert told["payload"]["what"].startswith("Success fell (") and "Concerned: " in told["payload"]["error"]


def _ended(days: int, hour: int, minute: int = 0) -> datetime:
    """So many days ago, in Berlin."""
    day = (seeded_history.at("31 00:00:00") + timedelta(hours=2)).date() - timedelta(days=days)
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=seeded_history.ZONE).astimezone(UTC)


def _write(
    core: Core, connection: Connection, ended: Sequence[datetime], failed_in: str | None = None, proxy: str = "direct"
) -> None:
    """A job with its one attempt for each of these instants, well or failed in this step."""
    step, code = failed_in or "verify_publication", "auth_expired" if failed_in else None
    status = "dead" if failed_in else "success"
    seen = [{"account_id": connection.source_account_id, "url": "u", "caption": "", "seen_at": at} for at in ended]
    names = [{"platform_post_id": f"{connection.id}-{at.isoformat()}", "posted_at": at} for at in ended]
    with core.begin() as tx:
        adding = insert(flow.source_posts).returning(flow.source_posts.c.id, sort_by_parameter_order=True)
        posts = tx.execute(adding, [one | more for one, more in zip(seen, names, strict=True)]).scalars().all()
        jobs = [
            {
                "connection_id": connection.id,
                "source_post_id": post,
                "root_post_id": post,
                "status": status,
                **dict.fromkeys(("created_at", "started_at", "completed_at", "changed_at"), at),
                "attempts": 1,
                "step": step,
                "error_code": code,
            }
            for post, at in zip(posts, ended, strict=True)
        ]
        made = tx.execute(insert(flow.jobs).returning(flow.jobs.c.id, sort_by_parameter_order=True), jobs).scalars()
        tried = {"n": 1, "state": "failed" if failed_in else "success", "step": step, "error_code": code}
        rows = [
            tried | {"job_id": job, "proxy": proxy, "started_at": at, "ended_at": at}
            for job, at in zip(made.all(), ended, strict=True)
        ]
        tx.execute(insert(flow.attempts), rows)
