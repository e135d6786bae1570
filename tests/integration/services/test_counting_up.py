"""A year that was never counted: who looks is not held up, is told what is missing, and finds it counted in the end."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text, update

from forwarder_core.clock import ManualClock
from forwarder_core.db.tables import flow
from forwarder_core.domain.analytics import Period
from forwarder_core.errors import Unavailable
from forwarder_core.services import analytics, analytics_days, analytics_tables
from forwarder_core.services.context import Core
from forwarder_pipelines import keeper
from tests import factories
from tests.factories import core_on, emptied
from tests.integration.services.seeded_history import somebody_counts

pytestmark = pytest.mark.slow
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
TODAY = NOW.date()
A_DAY = timedelta(days=1)
YEAR = Period(TODAY - 364 * A_DAY, TODAY)
JOBS = 4  # a day, the fourth of which failed; three rows each: made, tried, ended
ROWS = 3 * JOBS
_POSTS = text(
    "INSERT INTO source_posts (account_id, platform_post_id, url, caption, posted_at, seen_at)"
    " SELECT :account, n, 'u', '', at, at FROM (SELECT n, CAST(:first AS timestamptz) + n * interval '6 hours' AS at"
    " FROM generate_series(0, :posts - 1) AS n) AS made"
)
_JOBS = text(
    "INSERT INTO jobs (connection_id, source_post_id, root_post_id, status, created_at, started_at, completed_at,"
    "  changed_at, attempts, error_code, step)"
    " SELECT :connection, id, id, CASE WHEN platform_post_id::int % 4 = 3 THEN 'dead' ELSE 'success' END, posted_at,"
    "  posted_at, posted_at + interval '1 min', posted_at + interval '1 min', 1,"
    "  CASE WHEN platform_post_id::int % 4 = 3 THEN 'bug' END, 'publish_video' FROM source_posts"
)
_ATTEMPTS = text(
    "INSERT INTO attempts (job_id, n, state, step, error_code, started_at, ended_at)"
    " SELECT id, 1, CASE status WHEN 'dead' THEN 'failed' ELSE 'success' END, step, error_code, started_at,"
    "  completed_at FROM jobs"
)


@pytest.fixture
def core(shared_engine: Engine, tmp_path: Path) -> Core:
    """365 days of four posts, none of them counted; of today the two up to noon."""
    core = core_on(emptied(shared_engine), ManualClock(NOW), tmp_path)
    connection = factories.add_connection(core)
    posts = len(YEAR.days) * JOBS - 2
    first = datetime.combine(YEAR.first, datetime.min.time(), UTC)
    with core.begin() as tx:
        tx.execute(_POSTS, {"account": connection.source_account_id, "first": first, "posts": posts})
        tx.execute(_JOBS, {"connection": connection.id})
        tx.execute(_ATTEMPTS)
    return core


def test_a_year_never_counted_holds_nobody_up_and_the_newest_days_come_first(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analytics_days, "_MOST_ROWS", 10 * ROWS)
    seen = analytics.view(core, YEAR)
    assert seen.uncounted == YEAR.days[:355]  # ten whole days, for of today there are two posts only
    assert [line.day for line in seen.days] == list(YEAR.days[355:])
    assert (seen.tally.total, seen.tally.succeeded) == (38, 29)
    again = analytics.view(core, YEAR)
    assert len(again.uncounted) == 345 and again.tally.total == 38 + 10 * JOBS
    # Of the last month every day is counted but for what is older than twenty days.
    assert analytics.view(core, Period(TODAY - 9 * A_DAY, TODAY)).uncounted == ()


def test_no_share_of_a_week_a_month_or_an_account_passes_for_the_whole(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analytics_days, "_MOST_ROWS", 10 * ROWS)
    seen = analytics.view(core, YEAR)
    # The 22nd was a Sunday: two Mondays are whole, the month of March is not.
    assert [one["starts_on"] for one in seen.weeks] == [date(2026, 3, 30), date(2026, 3, 23)] and seen.months == ()
    assert [one.health.score for one in seen.accounts] == [None, None]
    with pytest.raises(Unavailable, match="345 of the days"):
        analytics_tables.csv(core, "days", YEAR)


def test_every_pass_of_the_keeper_goes_on_until_the_year_is_the_same_as_if_computed_at_once(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analytics_days, "_MOST_ROWS", 30 * ROWS)
    assert analytics_days.catch_up(core) == YEAR.days
    by_pieces = analytics.view(core, YEAR)
    assert by_pieces.uncounted == () and by_pieces.tally.total == 365 * JOBS - 2
    analytics_days.refresh(core, YEAR.first, YEAR.last)
    assert analytics.view(core, YEAR) == by_pieces
    assert analytics_days.catch_up(core) == ()


class _OneRound(threading.Event):
    """Lets a loop of the keeper go round once."""

    def __init__(self) -> None:
        super().__init__()
        self._answers = iter([False])

    def wait(self, timeout: float | None = None) -> bool:
        return next(self._answers, True)


def test_the_keeper_counts_what_nobody_looked_at(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analytics_days, "_MOST_ROWS", 100 * ROWS)
    keeper.count_days(core, _OneRound())
    with somebody_counts(core):
        assert analytics.view(core, YEAR).tally.total == 365 * JOBS - 2


def test_a_day_with_more_than_a_reader_may_wait_for_is_the_keepers(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analytics_days, "_MOST_ROWS", 1)
    assert analytics_days.refresh_due(core).computed == ()
    stops = iter([False, False, True])
    assert analytics_days.catch_up(core, is_stopping=lambda: next(stops)) == YEAR.days[-2:]


def test_nobody_waits_for_somebody_who_counts(core: Core) -> None:
    analytics_days.catch_up(core)
    yesterday = TODAY - A_DAY
    changed = update(flow.jobs).where(flow.jobs.c.status == "dead", flow.jobs.c.completed_at > NOW - 1.5 * A_DAY)
    with core.begin() as tx:
        tx.execute(changed.values(status="queued", completed_at=None, changed_at=NOW))
    with somebody_counts(core):
        seen = analytics.view(core, Period(yesterday, TODAY))
    # What was counted before still stands, and is called old.
    assert seen.uncounted == (yesterday,) and seen.tally.failed == 1
    assert analytics.view(core, Period(yesterday, TODAY)).tally.failed == 0


def _retry_the_dead_of_a_month(core: Core) -> None:
    dead = update(flow.jobs).where(flow.jobs.c.status == "dead", flow.jobs.c.completed_at > NOW - 30 * A_DAY)
    with core.begin() as tx:
        tx.execute(dead.values(status="queued", completed_at=None, changed_at=core.clock.now()))
    core.clock.move(3_600)  # type: ignore[attr-defined]


@pytest.mark.parametrize("is_first", [True, False], ids=["the first time", "again"])
def test_what_changes_while_days_are_being_counted_is_not_lost(
    core: Core, monkeypatch: pytest.MonkeyPatch, is_first: bool
) -> None:
    """An hour goes by from piece to piece, and what changed is remembered for ten minutes beyond a whole round."""
    if not is_first:
        analytics_days.catch_up(core)
        _retry_the_dead_of_a_month(core)
    monkeypatch.setattr(analytics_days, "_MOST_ROWS", 10 * ROWS)
    analytics_days.refresh_due(core)
    core.clock.move(3_600)  # type: ignore[attr-defined]
    if is_first:
        _retry_the_dead_of_a_month(core)
    analytics_days.catch_up(core)
    assert analytics_days.unequal_days(core, YEAR.first, YEAR.last) == []
