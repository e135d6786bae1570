"""The analytics screen: the hand-computed figures, words where a chart is empty, ways to the jobs behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from admin_app import process
from admin_app.ui import access, charts
from admin_app.ui.screens import analytics as screen
from admin_app.ui.screens import jobs
from forwarder_core.clock import ManualClock
from forwarder_core.services import analytics
from forwarder_core.services.context import Core
from tests import factories
from tests.integration.services import seeded_history
from tests.integration.services.seeded_history import DAYS, NOW, History
from tests.integration.test_screens import Opening, opened, told, url
from tests.unit.admin_app.doorway import HOSTILE, core_with_admin

__all__ = ["opened", "url"]  # the screens' own fixtures
pytestmark = pytest.mark.slow


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


def test_every_chart_is_a_whole_one(core: Core, history: History) -> None:
    view = analytics.view(core, DAYS)
    made = [
        charts.success_trend(view.days),
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
