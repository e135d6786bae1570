"""The analytics screen: the hand-computed figures, words where a chart is empty, ways to the jobs behind."""

from __future__ import annotations

from datetime import UTC, date
from typing import Any

import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from admin_app.ui import analytics_tabs, charts
from admin_app.ui.screens import accounts, connections, jobs, logs
from admin_app.ui.screens import analytics as screen
from forwarder_core.clock import ManualClock
from forwarder_core.db import events
from forwarder_core.db.tables.flow import connections as connections_table
from forwarder_core.db.tables.flow import jobs as jobs_table
from forwarder_core.domain.analytics import bounds
from forwarder_core.domain.happenings import Happening, HappeningKind
from forwarder_core.services import analytics, fixing, happenings
from forwarder_core.services import jobs as jobs_service
from forwarder_core.services.context import Core
from forwarder_core.services.fixing import Remedy
from tests import factories
from tests.integration.screens.kit import Opening, audited, in_view, press, told
from tests.integration.services import seeded_history
from tests.integration.services.seeded_history import DAYS, NOW, History
from tests.unit.admin_app.doorway import HOSTILE

pytestmark = pytest.mark.slow
TABS = ("Overview", "Connections", "Accounts", "System")
MARKS = [Happening(NOW, kind, HOSTILE) for kind in HappeningKind]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def core(core: Core) -> Core:
    object.__setattr__(core, "settings", core.settings.model_copy(update={"timezone": "Europe/Berlin"}))
    return core


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
    words = told(page)
    assert "16.7 points of uptime" in words and "failed" in words
    assert tuple(tab.label for tab in page.tabs) == TABS


def test_every_figure_of_every_tab_is_the_hand_computed_one(core: Core, opened: Opening, history: History) -> None:
    pages = [in_view(opened, screen.show, "analytics-tab", tab) for tab in TABS]
    of_all = {"Posts": "6", "Success": "66.7 %", "Per attempt": "50 %", "Uptime": "75 %"}
    of_a = {"Posts": "4", "Success": "75 %", "Uptime": "50 %", "Retries a success": "0.33", "Duration": "6.3 min"}
    of_its_source = {"Success": "75 %", "Uptime": "50 %", "As source": "4", "As destination": "0"}
    load = {"Workers busy": "0 %", "Wait for a worker": "15 s", "Source to destination": "3.3 min"}
    expected = [*of_all.items(), ("Retries a success", "0.25"), ("Sent", "2 kB"), *of_a.items()]
    expected += [("Health, of 100", "67"), *of_its_source.items(), *load.items(), ("… 95 % within", "15.7 min")]
    expected.append(("Duration", "4.9 min"))  # (60 + 120 + 960 + 30) / 4 s
    shown = [(metric.label, metric.value) for metric in pages[0].metric]
    above = len(of_all) + 2  # what stands above the tabs
    shown += [(metric.label, metric.value) for page in pages[1:] for metric in page.metric[above:]]
    assert shown == expected
    words = "\n".join(map(told, pages))
    for said in (
        "Most posts between 13:00 and 15:00.",
        "Points of its health: success rate 30, uptime 15, token 20, last failure 2.2.",
        "Last failure 1 d 2 h ago",
        "History A: **1** of 4 failed",
        "History B: **1** of 2 failed",
        "+16.7 points of uptime (days without a success: 1; 1 failed for good)",
        "None ends within 7 days.",
    ):
        assert said in words, said


def test_every_mark_of_every_chart_is_the_hand_computed_one(core: Core, history: History) -> None:
    view = analytics.view(core, DAYS)
    a, b, _ = view.connections

    def marks(chart: charts.Drawn, *fields: str) -> list[tuple[Any, ...]]:
        (rows,) = chart.to_dict()["datasets"].values()
        return [tuple(row[field] for field in fields) for row in rows]

    days = [f"2026-03-{day}" for day in (27, 28, 29, 30, 31)]
    assert marks(charts.success_trend(view.days), "day", "rate", "jobs") == [
        *((days[0], 100, 2), (days[1], 100, 1), (days[2], 50, 2), (days[3], 0, 1))
    ]
    ended = [(2, 0), (1, 0), (1, 1), (0, 1), (0, 0)]
    assert marks(charts.volume(view.days), "day", "outcome", "jobs") == [
        (day, word, n)
        for day, both in zip(days, ended, strict=True)
        for word, n in zip(("Succeeded", "Failed"), both, strict=True)
    ]
    assert marks(charts.failures(view), "code", "jobs", "percent", "gain") == [
        *(("auth_expired", 1, 50, 16.7), ("media_rejected", 1, 50, 16.7))
    ]
    assert marks(charts.connections(view.connections), "id", "rate", "jobs") == [
        *((history.a.id, 75, 4), (history.b.id, 50, 2))
    ]
    assert marks(charts.retries([a, b]), "id", "retries", "rate") == [(history.a.id, 0.33, 75), (history.b.id, 0, 50)]
    assert [good for _, good in marks(charts.calendar(view.days), "day", "succeeded")] == [2, 1, 1, 0, 0]
    # 27 March was the Friday of week 13.
    assert marks(charts.calendar(view.days), "week", "weekday")[0] == ("2026-13", "Fri")
    assert marks(charts.calendar(view.days), "week", "weekday")[3] == ("2026-14", "Mon")
    assert [n for _, n in marks(charts.hours(view.by_hour), "hour", "jobs")] == [
        *(1, 1, *(0,) * 7, 1, 1, 0, 0, 0, 2, *(0,) * 9)
    ]
    assert marks(charts.latency(view), "day", "minutes") == [
        (day, pytest.approx(seconds / 60))
        for day, both in zip(days[:3], ((200, 227), (140, 140), (1_070, 1_070)), strict=True)
        for seconds in both
    ]
    # Fetched by each attempt, sent by each that went well; the unit is megabytes.
    sizes = [(0.002, 0.001), (0.002, 0.0005), (0.003, 0.0005), (0.001, 0), (0, 0)]
    assert [size for (size,) in marks(charts.data(view.days), "size")] == pytest.approx(
        [n for two in sizes for n in two]
    )
    # The 29th had 23 hours, of the 31st twelve are over.
    rates = [2 / 24, 1 / 24, 2 / 23, 1 / 24, 0]
    assert [rate for (rate,) in marks(charts.throughput(view), "rate")] == pytest.approx(rates)


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


@pytest.mark.parametrize(("tab", "charts_of_it"), [("Overview", 6), ("Connections", 2), ("Accounts", 0), ("System", 4)])
def test_an_empty_installation_says_of_each_chart_what_will_appear_and_when(
    core: Core, opened: Opening, tab: str, charts_of_it: int
) -> None:
    page = in_view(opened, screen.show, "analytics-tab", tab)
    assert numbers(page)["Success"] == "–"
    assert len(page.info) == charts_of_it and not page.get("arrow_vega_lite_chart")
    for box in page.info:
        assert "appears with" in box.value or "appears as soon as" in box.value or "Shows with" in box.value, box.value


def test_days_that_are_being_counted_are_said_and_not_drawn(core: Core, opened: Opening, history: History) -> None:
    with seeded_history.somebody_counts(core):
        page = opened(screen.show)
        of_the_account = opened(accounts.show, id=str(history.a.source_account_id))
        its_tab = ("connection-tab", "Last 30 days")
        of_the_connection = opened(connections.show, id=str(history.a.id), view=its_tab)
    for told_there in (page, of_the_account, of_the_connection):
        assert any("5 of 30 days are being counted" in box.value for box in told_there.info)
    assert numbers(page)["Posts"] == "0" and analytics_tabs.NO_FILES in told(page)
    whole = opened(screen.show)
    assert numbers(whole)["Posts"] == "6" and "counted" not in told(whole)


def test_names_from_outside_stay_words(core: Core, opened: Opening) -> None:
    connection = factories.add_connection(core, name=HOSTILE)
    seeded_history.add(core, connection, "30 08:00:00", [("30 08:00:01", "30 08:00:02", "failed", "bug", "x")], "dead")
    assert "](javascript:" not in told(opened(screen.show)).replace("\\]", "")


def test_the_jobs_behind_a_mark_are_shown_by_the_address(core: Core, opened: Opening, history: History) -> None:
    page = opened(jobs.show, connection=str(history.a.id), **{"from": "2026-03-27", "to": "2026-03-27"})
    assert len(page.dataframe[0].value) == 2
    assert len(opened(jobs.show, status="dead").dataframe[0].value) == 2


def test_behind_every_mark_are_the_jobs_it_counts(core: Core, opened: Opening) -> None:
    """Also one that took three days, and one that was made the evening before."""
    failed: list[seeded_history.Attempt] = [("27 10:00:00", "30 14:00:00", "failed", "bug", "publish_video")]
    seeded_history.add(core, factories.add_connection(core), "27 09:59:00", failed, "dead")
    seeded_history.write(core)
    view = analytics.view(core, DAYS)
    ended = ("success", "dead")

    def behind(first: date, last: date, **more: Any) -> list[int]:
        since, until = bounds(first, last, seeded_history.ZONE)
        wanted = jobs_service.Wanted(status=ended, ended_since=since, ended_until=until, **more)
        found = [one.job.id for one in jobs_service.page(core, wanted, limit=10)]
        oldest_first = jobs_service.page(core, wanted, before=0, limit=10, oldest_first=True)
        assert [one.job.id for one in oldest_first] == found[::-1] == sorted(found)
        assert jobs_service.count(core, wanted) == len(found)
        return found

    of_days = [behind(line.day, line.day) for line in view.days]
    assert [len(found) for found in of_days] == [line.tally.total for line in view.days] == [2, 1, 2, 2, 0]
    of_hours = [behind(DAYS.first, DAYS.last, ended_hour=hour) for hour in range(24)]
    assert {hour: len(found) for hour, found in enumerate(of_hours)} == view.by_hour
    for line in view.connections:
        assert len(behind(DAYS.first, DAYS.last, connection_id=line.named.id)) == line.tally.total
    days = {"ended_from": "2026-03-27", "ended_to": "2026-03-31"}
    page = opened(jobs.show, hour="14", **days)
    assert sorted(page.dataframe[0].value["Job"], reverse=True) == of_hours[14]
    assert len(press(page, "Show all days").dataframe[0].value) == 8
    assert len(opened(jobs.show, status="dead", **days).dataframe[0].value) == 3
    assert len(opened(jobs.show, ended_from="never", ended_to="2026-03-31", connection="0").dataframe) == 1


def test_the_logs_behind_a_day_are_shown_by_the_address(core: Core, opened: Opening) -> None:
    with core.begin() as tx:
        lines = [(f"2{n} 12:00:00", f"line {n}") for n in (7, 8)]
        events.log(tx, [{"at": seeded_history.at(at), "level": "info", "text": text} for at, text in lines])
    page = opened(logs.show, **{"from": "2026-03-28", "to": "2026-03-28"})
    assert list(page.dataframe[0].value["Message"]) == ["line 8"]
    month = {"from": "2026-03-01", "to": "2026-03-31"}
    assert len(opened(logs.show, hour="12", **month).dataframe[0].value) == 2
    assert not opened(logs.show, hour="11", **month).dataframe
    assert len(opened(logs.show, **{"from": "never"}).dataframe[0].value) == 2


def test_the_logs_behind_an_account_or_a_connection_are_shown_by_the_address(core: Core, opened: Opening) -> None:
    one, other = factories.add_connection(core), factories.add_connection(core)
    with core.begin() as tx:
        nobody: dict[str, int | None] = {"account_id": None, "connection_id": None}
        about: list[dict[str, int | None]] = [
            {"connection_id": each.id, "account_id": each.source_account_id} for each in (one, other)
        ]
        about += [{**nobody, "connection_id": other.id}, {**nobody, "account_id": other.destination_account_id}]
        events.log(tx, [{"at": NOW, "level": "info", "text": f"line {n}"} | which for n, which in enumerate(about)])

    def shown(**query: int) -> list[str]:
        page = opened(logs.show, **{name: str(value) for name, value in query.items()})
        return list(page.dataframe[0].value["Message"]) if page.dataframe else []

    assert shown(connection=one.id) == shown(account=one.destination_account_id) == ["line 0"]
    assert shown(account=other.source_account_id) == ["line 2", "line 1"]
    assert shown(account=other.destination_account_id) == ["line 3", "line 2", "line 1"]
    assert shown(account=other.destination_account_id, connection=one.id) == []


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
        charts.failures(view.connections[0]),
        charts.errors(view.accounts[0].errors),
    ]
    for chart in made:
        drawn = chart.to_dict()
        assert next(iter(drawn["datasets"].values()))
