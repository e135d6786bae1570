"""The analytics in Dagster: the lineage from the report back to the posts, a day a partition, nothing read at load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.services import analytics_checks, analytics_days, soak_reports
from forwarder_pipelines import analytics_schedules
from forwarder_pipelines.assets import analytics
from forwarder_pipelines.build import build_definitions

FORWARD = {"source_post", "fetched_media", "rendition", "published_post"}


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    made = build_definitions()
    dg.Definitions.validate_loadable(made)
    return made


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def test_the_monthly_report_leads_back_to_the_posts(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    above: set[str] = set()
    ahead = {dg.AssetKey("report_monthly")}
    while ahead:
        parents = {parent for key in ahead for parent in graph.get(key).parent_keys}
        above |= {key.to_user_string() for key in parents}
        ahead = parents
    assert above >= {"monthly_rollup", "connection_daily", "account_daily", "failure_reasons", *FORWARD}


def test_the_lineage_is_drawn_for_whoever_asks_dagit(definitions: dg.Definitions) -> None:
    """Each step from the monthly report to the post, as its edges."""
    graph = definitions.resolve_asset_graph()
    chain = ("report_monthly", "monthly_rollup", "connection_daily", "published_post", "rendition", "fetched_media")
    for child, parent in pairwise((*chain, "source_post")):
        assert dg.AssetKey(parent) in graph.get(dg.AssetKey(child)).parent_keys, f"{child} <- {parent}"


def test_the_soak_report_shows_the_newest_verdict(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(analytics, "this_core", lambda: SimpleNamespace(settings=SimpleNamespace(home=tmp_path)))
    told = {"seed": 1, "posts": 90, "lost": 0, "duplicated": 0, "stuck": 0}
    assert "No soak" in str(analytics.soak_report().metadata["chart"])
    for day in range(1, 23):
        soak_reports.keep(tmp_path, told | {"seed": day}, datetime(2026, 3, day, tzinfo=UTC))
    (tmp_path / "reports" / "soak-20260323T000000Z.json").write_text("{", "utf-8")
    made = analytics.soak_report().metadata
    assert (made["posts"], made["lost"], made["soaks"]) == (90, 0, 19)
    assert "2026-03-22" in str(made["chart"]) and "2026-03-03" not in str(made["chart"])


def test_every_analytics_asset_has_its_group_its_owner_and_its_kinds(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    ours = [graph.get(key) for key in graph.get_all_asset_keys() if key.to_user_string() not in FORWARD]
    assert len(ours) == 15
    for node in ours:
        assert node.group_name == "analytics" and node.owners and node.kinds and node.description


def test_the_edge_from_the_posts_asks_for_no_partition(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    instance.add_dynamic_partitions("posts", ["1|1", "1|2"])
    mapping = definitions.resolve_asset_graph().get_partition_mapping(
        dg.AssetKey("connection_daily"), dg.AssetKey("published_post")
    )
    assert isinstance(mapping, dg.SpecificPartitionsPartitionMapping) and list(mapping.partition_keys) == []


def test_the_four_checks_look_at_the_day_of_the_connections(definitions: dg.Definitions) -> None:
    keys = definitions.resolve_asset_graph().asset_check_keys
    assert {key.name for key in keys} == set(analytics_checks.NAMES)


@pytest.mark.parametrize(
    ("stale", "counted", "drawn", "asked"),
    [
        ([1, 2, 3, 4, 5], [], [], [1, 2, 3, 4, 5, 9]),
        ([7], [4, 5, 6], [], [4, 5, 6, 7, 9]),
        ([7], [4, 5, 6], [5], [4, 6, 7, 9]),
        ([], range(1, 10), [8], [4, 5, 6, 7, 9]),
        ([], [8, 9], [8, 9], [9]),
    ],
)
def test_every_hour_asks_for_today_and_for_what_changed_and_is_not_drawn_yet(
    monkeypatch: pytest.MonkeyPatch,
    instance: dg.DagsterInstance,
    stale: Sequence[int],
    counted: Sequence[int],
    drawn: Sequence[int],
    asked: Sequence[int],
) -> None:
    now = datetime.now(UTC)
    of = {day: date(2026, 3, day) for day in range(1, 10)}
    monkeypatch.setattr(analytics_schedules, "this_core", lambda: SimpleNamespace(clock=ManualClock(now)))
    monkeypatch.setattr(analytics_days, "today", lambda core: of[9])
    monkeypatch.setattr(analytics_days, "stale", lambda core, most: [of[day] for day in stale][-most:])
    monkeypatch.setattr(analytics_days, "counted_since", lambda core, since: {of[day]: now for day in counted})
    for day in drawn:
        made = dg.AssetMaterialization("connection_daily", partition=of[day].isoformat())
        instance.report_runless_asset_event(made)
    # A context of a test takes none that lives in memory.
    monkeypatch.setattr(dg.ScheduleEvaluationContext, "instance", instance)
    asks = analytics_schedules.analytics_schedule(dg.build_schedule_context())
    assert [one.partition_key for one in asks] == [of[day].isoformat() for day in asked]


def test_reports_are_of_the_week_and_the_month_that_are_over() -> None:
    monday = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 3, 9, 12, 35, tzinfo=UTC))
    assert analytics_schedules.report_weekly_schedule(monday).partition_key == "2026-03-02"
    first = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 3, 1, 12, 45, tzinfo=UTC))
    assert analytics_schedules.report_monthly_schedule(first).partition_key == "2026-02-01"
    assert "2026-03-02" in analytics.weeks.get_partition_keys(current_time=datetime(2026, 3, 9, 12, 35, tzinfo=UTC))


def test_today_exists_as_a_partition_wherever_the_installation_stands() -> None:
    late = datetime(2026, 3, 9, 23, 0, tzinfo=UTC)
    assert "2026-03-10" in analytics.days.get_partition_keys(current_time=late)


def test_words_from_outside_stay_in_their_cell() -> None:
    assert analytics._cell("a|b\n[x](y) <b>") == "a\\|b \\[x\\](y) \\<b\\>" and analytics._cell(float("nan")) == "–"
