"""Reports: a finished week or month as one HTML page and its tables as CSV, in files, told of by a message.

The fact to know: the page holds names from outside and is opened from the disk, so every cell is escaped and nothing in
it is a script or comes from elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from html import escape
from pathlib import Path
from typing import Any

from forwarder_core.domain.analytics import Period
from forwarder_core.services import alerting, analytics, analytics_days, analytics_tables
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.analytics import View
from forwarder_core.services.context import Core

_A_DAY = timedelta(days=1)
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "table{border-collapse:collapse;margin:.5rem 0 2rem}td,th{padding:.25rem .6rem;border-bottom:1px solid #8886;"
    "text-align:left}td{font-variant-numeric:tabular-nums}"
)
_HEADS = {
    "days": "Day by day",
    "connections": "Connections",
    "accounts": "Accounts",
    "failures": "Failures, the costliest first",
    "dead_letters": "Dead letters at present",
}


@dataclass(frozen=True, slots=True)
class Report:
    """`kind`: weekly or monthly. `files`: the page first, then the tables."""

    kind: str
    period: Period
    files: tuple[Path, ...]
    view: View


def weekly(core: Core, of: date) -> Report:
    """The week, Monday to Sunday, in which this day lies."""
    monday = of - of.weekday() * _A_DAY
    return _make(core, "weekly", Period(monday, monday + 6 * _A_DAY))


def monthly(core: Core, of: date) -> Report:
    first = of.replace(day=1)
    next_first = (first + 31 * _A_DAY).replace(day=1)
    return _make(core, "monthly", Period(first, next_first - _A_DAY))


def _make(core: Core, kind: str, chosen: Period) -> Report:
    analytics_days.catch_up(core)
    view = analytics.view(core, chosen)
    folder = core.settings.home / "reports" / f"{kind}-{chosen.first}"
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "report.html"
    page.write_text(_page(core, kind, view), "utf-8")
    files = [page]
    for table in analytics_tables.names():
        path = folder / f"{table}.csv"
        path.write_text(analytics_tables.csv_of(view, table), "utf-8", newline="")
        files.append(path)
    _tell(core, kind, view)
    return Report(kind, chosen, tuple(files), view)


def _tell(core: Core, kind: str, view: View) -> None:
    """Once for each period, however often it is made."""
    t = view.tally
    rate: dict[str, Any] = {"success_rate": t.success_rate} if t.success_rate is not None else {}
    fixes = [f"{analytics_tables.title(f.code)}: +{f.gain:.1f} points of uptime" for f in view.fixes]
    with core.begin() as tx:
        alerting.about_system(
            tx,
            AlertKind.REPORT,
            now=core.clock.now(),
            once=f"{kind}:{view.period.first}",
            name=f"{kind} report",
            period=f"{view.period.first} to {view.period.last}",
            forwarded=t.total,
            succeeded=t.succeeded,
            failed=t.failed,
            uptime=view.uptime,
            fixes=fixes,
            **rate,
        )


def _page(core: Core, kind: str, view: View) -> str:
    period = f"{view.period.first} to {view.period.last}"
    head = f"{core.settings.app_name}: {kind} report, {period}"
    t = view.tally
    told = (
        ("Posts that ended", t.total),
        ("Succeeded", t.succeeded),
        ("Failed", t.failed),
        ("Success rate per post", _percent(t.success_rate)),
        ("Success rate per attempt", _percent(t.attempt_rate)),
        ("Uptime", _percent(view.uptime)),
        ("Data sent", f"{t.bytes_sent / 1e9:.2f} GB"),
    )
    lines = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in told)
    tables = "".join(f"<h2>{escape(title)}</h2>{_table(view, name)}" for name, title in _HEADS.items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(head)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(head)}</h1>"
        f"<p>Days are those of {escape(core.settings.timezone)}.</p><table>{lines}</table>{tables}</body></html>\n"
    )


def _table(view: View, name: str) -> str:
    made = analytics_tables.frame(view, name)
    if made.empty:
        return "<p>Nothing.</p>"
    return made.where(made.notna(), "–").to_html(index=False, border=0, escape=True)


def _percent(value: float | None) -> str:
    return "not known" if value is None else f"{value:g} %"
