"""Analytics as assets: the tables of each day, weeks and months, and the reports, downstream of `published_post`.

The fact to know: a partition is a calendar day of the installation's own zone; the definition's UTC only decides which
keys exist, hence the two days ahead. The edge from the posts is drawn and maps to no partition: Dagster would otherwise
look up thousands of them for every day. (No postponed annotations here: Dagster reads the class of `context`.)
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

import dagster as dg
from dagster._core.definitions.metadata import RawMetadataValue

from forwarder_core.domain.analytics import Period
from forwarder_core.services import (
    analytics,
    analytics_checks,
    analytics_days,
    analytics_reports,
    analytics_tables,
    soak_reports,
    tokens,
)
from forwarder_core.services.analytics import View
from forwarder_pipelines.opening import this_core

Made = dg.MaterializeResult[None]
GROUP = "analytics"
_OWNERS = ["team:forwarder"]
_TABLE_KINDS = {"postgres", "sql"}
_REPORT_KINDS = {"html", "csv"}
_FIRST_DAY = "2025-01-01"
_A_DAY = timedelta(days=1)

days = dg.DailyPartitionsDefinition(start_date=_FIRST_DAY, end_offset=2)
weeks = dg.WeeklyPartitionsDefinition(start_date="2024-12-30", day_offset=1)
months = dg.MonthlyPartitionsDefinition(start_date=_FIRST_DAY)
_POSTS = dg.AssetDep("published_post", partition_mapping=dg.SpecificPartitionsPartitionMapping([]))

# Key, what it is computed from, which exported table its chart is, what it says.
_DAILY: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    ("connection_daily", (), "connections", "What each connection forwarded and what failed."),
    ("failure_reasons", (), "failures", "What jobs and attempts failed of, and what mending it would gain."),
    ("proxy_health", (), "proxies", "How often each proxy answered, and how fast."),
    (
        "account_daily",
        ("connection_daily", "failure_reasons"),
        "accounts",
        "Each account at both ends, with its health.",
    ),
    ("system_daily", ("connection_daily",), "days", "The installation's day in one line."),
    ("retry_stats", ("connection_daily",), "days", "Retries a success took."),
    ("uptime", ("connection_daily",), "connections", "Days with a success, of the days with anything to do."),
    ("latency", ("system_daily",), "days", "From posted at the source to seen at the destination."),
    ("throughput", ("system_daily",), "hours", "Jobs by hour of the day."),
)


def _spec(key: str, deps: tuple[str, ...], text: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        deps=list(deps) or [_POSTS],
        description=text,
        group_name=GROUP,
        owners=_OWNERS,
        kinds=_TABLE_KINDS,
    )


@dg.multi_asset(
    name="analytics_of_days",
    specs=[_spec(key, deps, text) for key, deps, _, text in _DAILY],
    partitions_def=days,
    backfill_policy=dg.BackfillPolicy.single_run(),
    can_subset=False,
)
def daily_analytics(context: dg.AssetExecutionContext) -> Iterator[Made]:
    """Compute the days asked for, in Postgres; what Dagster keeps is the chart of it."""
    core = this_core()
    keys = context.partition_key_range
    first, last = date.fromisoformat(keys.start), date.fromisoformat(keys.end)
    analytics_days.refresh(core, first, last)
    view = analytics.view(core, Period(first, last))
    for key, _, table, _ in _DAILY:
        yield dg.MaterializeResult(asset_key=key, metadata=_metadata(view, table))


@dg.multi_asset_check(
    specs=[dg.AssetCheckSpec(name, asset="connection_daily", blocking=False) for name in analytics_checks.NAMES]
)
def analytics_are_sound() -> Iterator[dg.AssetCheckResult]:
    """Freshness, totals, orphans, success: a failed one warns and stops nothing."""
    for checked in analytics_checks.check(this_core()):
        yield dg.AssetCheckResult(
            asset_key="connection_daily",
            check_name=checked.name,
            passed=checked.is_passed,
            severity=dg.AssetCheckSeverity.WARN,
            metadata=dict(checked.facts),
        )


@dg.asset(group_name=GROUP, owners=_OWNERS, kinds=_TABLE_KINDS, deps=["source_post"])
def token_calendar() -> Made:
    """Credentials a person must renew within 7 and 30 days."""
    ending = tokens.calendar(this_core())
    soon = {str(within): len(views) for within, views in ending.items()}
    lines = [
        f"| {_cell(view.account.alias)} | {view.next_action_at:%Y-%m-%d %H:%M} |"
        for view in ending[max(ending)]
        if view.next_action_at
    ]
    chart = "\n".join(["| account | ends |", "|---|---|", *lines])
    counted = {f"within_{within}_days": count for within, count in soon.items()}
    return dg.MaterializeResult(metadata={**counted, "chart": dg.MetadataValue.md(chart)})


@dg.asset(group_name=GROUP, owners=_OWNERS, kinds={"json"})
def soak_report() -> Made:
    """Verdicts of the last soaks (`./run soak`): lost, doubled and stuck posts under days of simulated faults."""
    found = soak_reports.newest(this_core().settings.home)
    heads = ("at", "seed", "posts", "published", "lost", "duplicated", "stuck", "unconfirmed", "dead", "seconds")
    lines = ["| " + " | ".join(_cell(one.get(head)) for head in heads) + " |" for one in found]
    chart = "\n".join(["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads), *lines])
    told: dict[str, RawMetadataValue] = {"soaks": len(found)}
    for name in ("posts", "lost", "duplicated", "stuck"):
        if found and isinstance(found[0].get(name), int):
            told[name] = found[0][name]
    words = chart if found else "No soak was run yet: `./run soak` makes one."
    return dg.MaterializeResult(metadata={**told, "chart": dg.MetadataValue.md(words)})


@dg.asset(group_name=GROUP, owners=_OWNERS, kinds=_TABLE_KINDS, partitions_def=weeks, deps=["connection_daily"])
def weekly_rollup(context: dg.AssetExecutionContext) -> Made:
    """The week in one row of `rollups`."""
    monday = date.fromisoformat(context.partition_key)
    return _rolled_up("week", monday, monday + 6 * _A_DAY)


@dg.asset(group_name=GROUP, owners=_OWNERS, kinds=_TABLE_KINDS, partitions_def=months, deps=["connection_daily"])
def monthly_rollup(context: dg.AssetExecutionContext) -> Made:
    """The month in one row of `rollups`."""
    first = date.fromisoformat(context.partition_key)
    return _rolled_up("month", first, (first + 31 * _A_DAY).replace(day=1) - _A_DAY)


_WEEK_SOURCES = ["weekly_rollup", "account_daily", "failure_reasons"]
_MONTH_SOURCES = ["monthly_rollup", "account_daily", "failure_reasons"]


@dg.asset(group_name=GROUP, owners=_OWNERS, kinds=_REPORT_KINDS, partitions_def=weeks, deps=_WEEK_SOURCES)
def report_weekly(context: dg.AssetExecutionContext) -> Made:
    """HTML and CSV in <home>/reports, and a message that it is there."""
    return _reported(analytics_reports.weekly(this_core(), date.fromisoformat(context.partition_key)))


@dg.asset(group_name=GROUP, owners=_OWNERS, kinds=_REPORT_KINDS, partitions_def=months, deps=_MONTH_SOURCES)
def report_monthly(context: dg.AssetExecutionContext) -> Made:
    """HTML and CSV in <home>/reports, and a message that it is there."""
    return _reported(analytics_reports.monthly(this_core(), date.fromisoformat(context.partition_key)))


ASSETS = [daily_analytics, token_calendar, soak_report, weekly_rollup, monthly_rollup, report_weekly, report_monthly]
CHECKS = [analytics_are_sound]


def _rolled_up(kind: str, first: date, last: date) -> Made:
    core = this_core()
    analytics_days.catch_up(core)
    found = next((one for one in analytics.rollups(core, kind, 600) if one["starts_on"] == first), None)
    view = analytics.view(core, Period(first, last))
    kept = {"forwarded": found["forwarded"] if found else 0}
    return dg.MaterializeResult(metadata={**_metadata(view, "failures"), **kept})


def _reported(report: analytics_reports.Report) -> Made:
    page: dict[str, RawMetadataValue] = {"file": dg.MetadataValue.path(report.files[0]), "files": len(report.files)}
    return dg.MaterializeResult(metadata={**_metadata(report.view, "days"), **page})


def _metadata(view: View, table: str) -> Mapping[str, RawMetadataValue]:
    """Numbers Dagit draws over the partitions, and the table itself. Names only: nothing secret is in these tables."""
    told: dict[str, RawMetadataValue] = {
        "succeeded": view.tally.succeeded,
        "failed": view.tally.failed,
        "chart": dg.MetadataValue.md(_markdown(view, table)),
    }
    known = {"success_rate": view.tally.success_rate, "uptime": view.uptime, "avg_retries": view.tally.avg_retries}
    return told | {name: value for name, value in known.items() if value is not None}


def _markdown(view: View, table: str, most: int = 40) -> str:
    made = analytics_tables.frame(view, table).head(most)
    head = ["| " + " | ".join(made.columns) + " |", "|" + "---|" * len(made.columns)]
    rows = ["| " + " | ".join(_cell(value) for value in row) + " |" for row in made.itertuples(index=False)]
    return "\n".join([*head, *rows]) if rows else "Nothing on this day."


def _cell(value: object) -> str:
    """Words from outside stay in their cell."""
    words = "–" if value is None or value != value else str(value)
    return "".join(f"\\{c}" if c in "|*_[]<>`\\" else " " if c in "\r\n" else c for c in words)[:80]
