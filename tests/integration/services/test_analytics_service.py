"""Every figure of a history that was worked out by hand, and what makes a day be computed again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, update

from forwarder_core.clock import ManualClock
from forwarder_core.db.tables import analytics as tables
from forwarder_core.db.tables import flow
from forwarder_core.domain.analytics import Grade, Period
from forwarder_core.errors import Invalid, NotFound
from forwarder_core.services import analytics, analytics_days
from forwarder_core.services.analytics import View
from forwarder_core.services.context import Core
from tests import factories
from tests.factories import core_on, emptied
from tests.integration.services import seeded_history
from tests.integration.services.seeded_history import DAYS, NOW, History

pytestmark = pytest.mark.slow


@pytest.fixture
def core(shared_engine: Engine, tmp_path: Path) -> Core:
    return core_on(emptied(shared_engine), ManualClock(NOW), tmp_path, timezone="Europe/Berlin")


@pytest.fixture
def history(core: Core) -> History:
    return seeded_history.write(core)


@pytest.fixture
def view(core: Core, history: History) -> View:
    return analytics.view(core, DAYS)


def march(day: int) -> date:
    return date(2026, 3, day)


def test_the_whole_is_what_was_worked_out_by_hand(view: View) -> None:
    t = view.tally
    assert (t.succeeded, t.failed, t.total, t.success_rate) == (4, 2, 6, 66.7)
    assert (t.attempts_succeeded, t.attempts_failed, t.attempt_rate) == (4, 4, 50.0)
    # 60 + 120 + 960 (its retry crosses midnight) + 30 s of four; waits 10, 10, 10, 20, 10, 30 s of six that ended.
    assert (t.avg_retries, t.avg_duration_s, t.avg_wait_s) == (0.25, 292.5, 15.0)
    assert t.busy_s == 60 + 120 + 60 + 60 + 10 + 10 + 30 + 30
    assert (t.bytes_fetched, t.bytes_sent) == (8_000, 2_000)
    # 27 to 29 March had a success, the 30th had none, on the 31st nothing was to do.
    assert view.uptime == 75.0
    assert [line.grade for line in view.days] == [Grade.GOOD, Grade.GOOD, Grade.BAD, Grade.BAD, Grade.IDLE]
    assert [(line.tally.succeeded, line.tally.failed) for line in view.days] == [(2, 0), (1, 0), (1, 1), (0, 1), (0, 0)]
    # Two between 0 and 2 o'clock, two between 14 and 16: the earlier of equals.
    assert view.peak == (0, 2) and view.by_hour[14] == 2 and view.by_hour[0] == 1 and sum(view.by_hour.values()) == 6


def test_causes_and_what_to_mend_first(view: View, history: History) -> None:
    found = [(c.code, c.jobs, c.attempts, c.percent, c.gain) for c in view.causes]
    assert found == [
        ("auth_expired", 1, 1, 50.0, 16.7),
        ("media_rejected", 1, 1, 50.0, 16.7),
        ("challenge_required", 0, 1, 0.0, 0.0),
        ("network_error", 0, 1, 0.0, 0.0),
    ]
    # Six connection-days had work; A was down on the 28th and 30th, B on the 29th.
    fixes = [(f.code, f.account_id, f.days, f.gain) for f in view.fixes]
    assert fixes == [
        ("auth_expired", history.a.source_account_id, 1, 16.7),
        ("media_rejected", history.b.destination_account_id, 1, 16.7),
        ("network_error", history.a.destination_account_id, 1, 16.7),
    ]
    assert [(d["code"], d["jobs"]) for d in view.dead_letters] == [("auth_expired", 1), ("media_rejected", 1)]


def test_connections_a_deleted_one_included(core: Core, view: View, history: History) -> None:
    lines = {line.named.id: line for line in view.connections}
    assert set(lines) == {history.a.id, history.b.id, history.c.id} and lines[history.b.id].named.is_deleted
    a, b, c = (lines[one.id] for one in (history.a, history.b, history.c))
    assert (a.tally.succeeded, a.tally.failed, a.tally.success_rate, a.uptime) == (3, 1, 75.0, 50.0)
    assert (b.tally.success_rate, b.uptime) == (50.0, 50.0)
    assert (c.tally.total, c.tally.success_rate, c.uptime, c.peak) == (0, None, None, None)
    assert [line.tally.blocked for line in a.days] == [0, 0, 0, 1, 0]
    assert a.tally.succeeded_after_retry == 1
    alone = analytics.connection(core, history.b.id, DAYS)
    assert alone == b
    with pytest.raises(NotFound):
        analytics.connection(core, 999, DAYS)


def test_accounts_as_source_and_as_destination(core: Core, history: History) -> None:
    line, using = analytics.account(core, history.a.source_account_id, DAYS)
    assert (line.as_source, line.as_destination, line.tally.success_rate, line.uptime) == (4, 0, 75.0, 50.0)
    assert line.blamed == 2  # auth_expired and the challenge are its own, network_error the destination's
    # 0.75 × 40 + 0.5 × 30 + 20 + 10 × 25 h of five days
    assert line.last_failed_at == seeded_history.at("30 09:00:10")
    assert line.health.parts == {"success_rate": 30.0, "uptime": 15.0, "token": 20.0, "last_failure": 2.2}
    assert line.health.score == 67
    assert [(one.named.id, role) for one, role in using] == [(history.a.id, "source")]
    idle, _ = analytics.account(core, history.c.source_account_id, DAYS)
    assert idle.health.score is None


def test_load_and_latency(view: View) -> None:
    days = {day.day: day for day in view.load.days}
    assert days[march(29)].elapsed_s == 23 * 3_600 and days[march(28)].elapsed_s == 24 * 3_600
    assert days[march(28)].created == 2 and days[march(31)].created == 0
    slots = days[march(28)].slots
    available = slots * (24 * 3 + 23 + 12) * 3_600
    assert view.load.utilisation == round(100 * view.tally.busy_s / available, 1)
    # 100 s before each was seen: 170, 230, 1070, 140 s to its success.
    assert view.load.latency_p50_s == 200.0 and view.load.latency_p95_s == pytest.approx(944.0)


def test_the_day_of_25_hours_has_each_post_once_and_its_doubled_hour_both(core: Core) -> None:
    """Clocks went back at 3:00 in Berlin: 2:30 came twice."""
    connection = factories.add_connection(core)
    midnight = datetime(2025, 10, 25, 22, tzinfo=UTC)
    for minutes in (-1, 0, 150, 210, 1_499, 1_500):  # 23:59, 0:00, 2:30, 2:30 again, 23:59, 0:00
        ended = {"completed_at": midnight + timedelta(minutes=minutes), "started_at": midnight - timedelta(minutes=2)}
        factories.add_job(
            core, connection, status="success", created_at=midnight - timedelta(minutes=2), changed_at=NOW, **ended
        )
    october = [date(2025, 10, day) for day in (25, 26, 27)]
    seen = analytics.view(core, Period(october[0], october[2]))
    assert [line.tally.total for line in seen.days] == [1, 4, 1]
    assert seen.by_hour == {**dict.fromkeys(range(24), 0), 0: 2, 2: 2, 23: 2}
    assert [day.elapsed_s / 3_600 for day in seen.load.days] == [24, 25, 24]
    assert analytics_days.unequal_days(core, october[0], october[2]) == []


def test_only_days_whose_rows_changed_are_computed_again(core: Core, history: History) -> None:
    first = analytics_days.refresh_due(core)
    assert first.computed == tuple(march(day) for day in (27, 28, 29, 30, 31))
    assert analytics_days.refresh_due(core).computed == ()
    job = factories.rows(core, flow.jobs, error_code="auth_expired")[0]["id"]
    with core.begin() as tx:  # retried by hand: it is no failure of the 30th any more
        tx.execute(
            update(flow.jobs).where(flow.jobs.c.id == job).values(status="queued", completed_at=None, changed_at=NOW)
        )
    assert analytics_days.refresh_due(core).computed == (march(30),)
    assert analytics.view(core, DAYS).tally.failed == 1


def test_a_past_day_is_computed_once_more_after_its_end(core: Core, history: History) -> None:
    analytics_days.refresh_due(core)
    core.clock.move(86_400)  # type: ignore[attr-defined]
    assert analytics_days.refresh_due(core).computed == (march(31), date(2026, 4, 1))
    # Now the one that stands still has stood all of the 31st, too.
    assert analytics.connection(core, history.a.id, DAYS).days[-1].tally.blocked == 1


def test_another_zone_means_every_day_anew(core: Core, history: History, shared_engine: Engine, tmp_path: Path) -> None:
    analytics_days.refresh_due(core)
    there = core_on(shared_engine, core.clock, tmp_path, timezone="Asia/Kolkata")
    seen = analytics.view(there, DAYS)
    # 23:50 and 00:05 in Berlin are one day, 04:20 and 03:35, in Kolkata.
    assert [line.tally.succeeded for line in seen.days] == [2, 1, 1, 0, 0]
    assert seen.days[1].tally.attempts_failed == 0 and seen.days[2].tally.attempts_failed == 3


def test_totals_written_by_hand_are_found_and_mended(core: Core, history: History) -> None:
    analytics_days.refresh_due(core)
    assert analytics_days.unequal_days(core, DAYS.first, DAYS.last) == []
    with core.begin() as tx:
        tx.execute(delete(tables.connection_daily).where(tables.connection_daily.c.day == march(29)))
    assert analytics_days.unequal_days(core, DAYS.first, DAYS.last) == [march(29)]
    analytics_days.refresh(core, march(29))
    assert analytics_days.unequal_days(core, DAYS.first, DAYS.last) == []


def test_weeks_and_months_are_the_sums_of_their_days(core: Core, history: History) -> None:
    def told(kind: str) -> list[tuple[Any, ...]]:
        found = analytics.rollups(core, kind)
        return [(one["starts_on"], one["forwarded"], one["succeeded"], one["failed"]) for one in found]

    assert told("week") == [(march(30), 1, 0, 1), (march(23), 5, 4, 1)]
    assert told("month") == [(march(1), 6, 4, 2)]
    month = analytics.rollups(core, "month")[0]
    assert month["avg_retries"] == 0.25
    assert month["top_errors"] == [{"code": "auth_expired", "jobs": 1}, {"code": "media_rejected", "jobs": 1}]


def test_an_empty_installation_knows_nothing_and_says_so(core: Core) -> None:
    seen = analytics.view(core, DAYS)
    assert seen.tally.success_rate is None and seen.uptime is None and seen.causes == () and seen.fixes == ()
    assert seen.load.utilisation is None and seen.load.latency_p50_s is None and len(seen.days) == 5
    assert analytics.rollups(core, "week") == []


def test_periods_are_named_or_from_to(core: Core) -> None:
    assert analytics.period(core, "7days") == Period(march(25), march(31))
    assert analytics.period(core, first=march(1), last=march(3)) == Period(march(1), march(3))
    for wrong in ({"name": "yearly"}, {"first": march(3), "last": march(1)}, {"first": date(1990, 1, 1)}):
        with pytest.raises(Invalid):
            analytics.period(core, **wrong)  # type: ignore[arg-type]
    assert analytics.period(core, first=march(31)).days == (NOW.date(),)
    assert timedelta(days=29) == analytics.period(core).last - analytics.period(core).first
