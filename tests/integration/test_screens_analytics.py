"""The analytics screen: the hand-computed figures, words where a chart is empty, ways to the jobs behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from admin_app import process
from admin_app.ui import access, charts
from admin_app.ui.screens import analytics as screen
from admin_app.ui.screens import jobs, logs
from forwarder_core.clock import ManualClock
from forwarder_core.db import events
from forwarder_core.db.tables.flow import connections as connections_table
from forwarder_core.db.tables.flow import jobs as jobs_table
from forwarder_core.domain.happenings import Happening, HappeningKind
from forwarder_core.services import analytics, fixing, happenings
from forwarder_core.services.context import Core
from forwarder_core.services.fixing import Remedy
from tests import factories
from tests.integration.services import seeded_history
from tests.integration.services.seeded_history import DAYS, NOW, History
from tests.integration.test_screens import Opening, audited, opened, press, told, url
from tests.unit.admin_app.doorway import HOSTILE, core_with_admin

__all__ = ["opened", "url"]  # the screens' own fixtures
pytestmark = pytest.mark.slow
MARKS = [Happening(NOW, kind, HOSTILE) for kind in HappeningKind]


@pytest.fixture
def core(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Core]:
    with core_with_admin(url, ManualClock(NOW), tmp_path) as core:
        object.__setattr__(core, "settings", core.settings.model_copy(update={"timezone": "Europe/Berlin"}))
        process.use(core)
        monkeypatch.setattr(access, "require_user", lambda **_: type("User", (), {"username": "admin"})())
        yield core
        process._held.clear()


@pytest.fixture
def history(core: Core) -> History:
    return seeded_history.write(core)


def numbers(page: AppTest) -> dict[str, str]:
    """The first of each label: the installation's stand above those of a connection."""
    return {metric.label: metric.value for metric in reversed(page.metric)}


def test_the_figures_are_the_hand_computed_ones(core: Core, opened: Opening, history: History) -> None:
    page = opened(screen.show)
    shown = numbers(page)
    assert (shown["Posts"], shown["Per attempt"], shown["Retries a success"]) == ("6", "50 %", "0.25")
    assert shown["Source to destination"] == "3.3 min" and shown["… 95 % within"] == "15.7 min"
    words = told(page)
    assert "16.7 points of uptime" in words and "failed" in words
    assert {tab.label for tab in page.tabs} == {"Overview", "Connections", "Accounts", "System"}


def test_each_fix_has_its_button_and_the_button_does_it(core: Core, opened: Opening, history: History) -> None:
    with core.begin() as tx:
        tx.execute(update(connections_table).values(status="active"))
    page = press(opened(screen.show), "Retry all 1")
    assert {row["status"] for row in factories.rows(core, jobs_table, connection_id=history.a.id)} == {
        *("success", "captcha", "queued")
    }
    assert "jobs_retried" in audited(core) and not page.exception


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("captcha_detected", Remedy.CHALLENGE),
        ("proxy_blocked", Remedy.TEST_PROXY),
        ("token_expired", Remedy.SIGN_IN),
        ("network_error", Remedy.RETRY_ALL),
        ("nobody_knows", Remedy.RETRY_ALL),
    ],
)
def test_every_cause_has_its_remedy(code: str, remedy: Remedy) -> None:
    assert fixing.remedy_of(code) is remedy


def test_what_happened_and_whose_trouble_it_is_stand_on_the_screen(
    core: Core, opened: Opening, history: History
) -> None:
    with core.begin() as tx:
        happenings.note_renewal(tx, 1, HOSTILE, seeded_history.at("28 12:00:00"))
    words = told(opened(screen.show)).replace("\\", "")
    assert "Renewals of tokens: 0 of 1 followed" in words and "nothing to compare with" in words
    assert "runs in these hours" in words


def test_an_empty_installation_says_what_will_appear(core: Core, opened: Opening) -> None:
    page = opened(screen.show)
    assert numbers(page)["Success"] == "–"
    assert len(page.info) >= 6 and all(
        "appears" in box.value or "Shows" in box.value or "Nothing" in box.value for box in page.info
    )


def test_names_from_outside_stay_words(core: Core, opened: Opening) -> None:
    connection = factories.add_connection(core, name=HOSTILE)
    seeded_history.add(core, connection, "30 08:00:00", [("30 08:00:01", "30 08:00:02", "failed", "bug", "x")], "dead")
    assert "](javascript:" not in told(opened(screen.show)).replace("\\]", "")


def test_the_jobs_behind_a_mark_are_shown_by_the_address(core: Core, opened: Opening, history: History) -> None:
    page = opened(jobs.show, connection=str(history.a.id), **{"from": "2026-03-27", "to": "2026-03-27"})
    assert len(page.dataframe[0].value) == 2
    assert len(opened(jobs.show, status="dead").dataframe[0].value) == 2


def test_the_logs_behind_a_day_are_shown_by_the_address(core: Core, opened: Opening) -> None:
    with core.begin() as tx:
        lines = [(f"2{n} 12:00:00", f"line {n}") for n in (7, 8)]
        events.log(tx, [{"at": seeded_history.at(at), "level": "info", "text": text} for at, text in lines])
    page = opened(logs.show, **{"from": "2026-03-28", "to": "2026-03-28"})
    assert list(page.dataframe[0].value["Message"]) == ["line 8"]
    assert len(opened(logs.show, **{"from": "never"}).dataframe[0].value) == 2


def test_every_chart_is_a_whole_one(core: Core, history: History) -> None:
    view = analytics.view(core, DAYS)
    made = [
        charts.success_trend(view.days),
        charts.success_trend(view.days, MARKS),
        charts.happenings(MARKS, UTC),
        charts.data(view.days),
        charts.throughput(view),
        charts.volume(view.days),
        charts.failures(view),
        charts.connections(view.connections),
        charts.calendar(view.days),
        charts.hours(view.by_hour),
        charts.latency(view),
        charts.retries(view.connections),
    ]
    for chart in made:
        drawn = chart.to_dict()
        assert next(iter(drawn["datasets"].values()))
