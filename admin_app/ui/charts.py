"""The charts of the analytics: rows in, one Altair chart out. Pure; what is shown instead of an empty one is the
screen's.

The fact to know: colours are the mid tones that can be read on white and on black, and none tells anything alone: there
is a word, a length or a tooltip beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any

import altair as alt
import pandas as pd

from forwarder_core.domain.analytics import Grade
from forwarder_core.domain.happenings import Happening, HappeningKind
from forwarder_core.services.analytics import ConnectionLine, DayLine, View
from forwarder_core.services.analytics_causes import ErrorLine
from forwarder_core.services.analytics_tables import title

Drawn = Any  # altair.Chart or LayerChart; its fluent calls are not typed
GREEN, ORANGE, RED, GREY, BLUE = "#16a34a", "#d97706", "#dc2626", "#9ca3af", "#6366f1"
PICKED = "picked"  # name of the selection a click makes
_OUTCOME = alt.Scale(domain=["Succeeded", "Failed"], range=[GREEN, RED])
_GRADES = {
    Grade.GOOD: ("above 95 %", GREEN),
    Grade.FAIR: ("80 to 95 %", ORANGE),
    Grade.BAD: ("below 80 %, or down", RED),
    Grade.IDLE: ("nothing to do", GREY),
}
_KINDS = {
    HappeningKind.TOKEN: "#0891b2",
    HappeningKind.PROXY: "#a855f7",
    HappeningKind.SETTING: GREY,
    HappeningKind.RELEASE: "#16a34a",
    HappeningKind.INCIDENT: RED,
    HappeningKind.ANOMALY: ORANGE,
}
_KIND_SCALE = alt.Scale(domain=[kind.value for kind in _KINDS], range=list(_KINDS.values()))
_KIND_UNSAID = alt.Color("kind:N", scale=_KIND_SCALE, legend=None)
_WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
_HEIGHT = 240
_WHOLE = alt.Axis(tickMinStep=1, format=",d")  # there are no half jobs


def success_trend(days: Sequence[DayLine], marks: Sequence[Happening] = (), zone: tzinfo = UTC) -> Drawn:
    """Percent per post, what happened meanwhile marked by broken lines; days without an ended job are gaps, not zeros.
    A click on a point picks the day."""
    rows = [
        (line.day.isoformat(), line.day.isoformat(), line.tally.success_rate, line.tally.total)
        for line in days
        if line.tally.total
    ]
    base = alt.Chart(pd.DataFrame(rows, columns=["date", "day", "rate", "jobs"])).encode(
        x=alt.X("date:T", title=None),
        y=alt.Y("rate:Q", title="Success, %", scale=alt.Scale(domain=[0, 100])),
        tooltip=[alt.Tooltip("day:N", title="Day"), alt.Tooltip("rate:Q", title="%"), alt.Tooltip("jobs:Q")],
    )
    points = base.mark_point(color=BLUE, filled=True, size=60).add_params(
        alt.selection_point(name=PICKED, fields=["day"])
    )
    layers = [base.mark_line(color=BLUE), points]
    if marks:
        layers.insert(0, _rules(marks, zone))
    return alt.layer(*layers).properties(height=_HEIGHT)


def _rules(marks: Sequence[Happening], zone: tzinfo) -> Drawn:
    """One line for each day and kind, with what it was."""
    said: dict[tuple[str, str], list[str]] = {}
    for one in marks:
        said.setdefault((one.at.astimezone(zone).date().isoformat(), one.kind.value), []).append(one.text)
    rows = [(day, kind, "; ".join(texts[:3]) + (" …" if len(texts) > 3 else "")) for (day, kind), texts in said.items()]
    there = alt.Legend(
        orient="top", columns=3, values=[kind.value for kind in _KINDS if kind in {row[1] for row in rows}]
    )
    colour = alt.Color("kind:N", title=None, scale=_KIND_SCALE, legend=there)
    return (
        alt.Chart(pd.DataFrame(rows, columns=["date", "kind", "what"]))
        .mark_rule(strokeDash=[3, 3], strokeWidth=1.5, opacity=0.8)
        .encode(x=alt.X("date:T"), color=colour, tooltip=[alt.Tooltip("date:T", title="Day"), "kind:N", "what:N"])
    )


def happenings(marks: Sequence[Happening], zone: tzinfo) -> Drawn:
    """A row of marks for each kind of event. A click picks the day."""
    local = [(one.at.astimezone(zone), one) for one in marks]
    rows = [(at.strftime("%Y-%m-%dT%H:%M"), at.date().isoformat(), one.kind.value, one.text) for at, one in local]
    return (
        alt.Chart(pd.DataFrame(rows, columns=["at", "day", "kind", "what"]))
        .mark_point(filled=True, size=90, opacity=0.8)
        .encode(
            x=alt.X("at:T", title=None),
            y=alt.Y("kind:N", title=None, axis=alt.Axis(labelOverlap=False)),
            color=_KIND_UNSAID,
            shape=alt.Shape("kind:N", legend=None),
            tooltip=[alt.Tooltip("at:T", title="When", format="%Y-%m-%d %H:%M"), "kind:N", "what:N"],
        )
        .add_params(alt.selection_point(name=PICKED, fields=["day"]))
        .properties(height=40 + 32 * len({row[2] for row in rows}))
    )


def volume(days: Sequence[DayLine]) -> Drawn:
    """Jobs that ended, stacked. A click picks the day."""
    rows = [
        (line.day.isoformat(), line.day.isoformat(), word, count)
        for line in days
        for word, count in (("Succeeded", line.tally.succeeded), ("Failed", line.tally.failed))
    ]
    return (
        alt.Chart(pd.DataFrame(rows, columns=["date", "day", "outcome", "jobs"]))
        .mark_bar()
        .encode(
            x=alt.X("date:T", title=None),
            y=alt.Y("jobs:Q", title="Jobs", axis=_WHOLE),
            color=alt.Color("outcome:N", scale=_OUTCOME, title=None, legend=alt.Legend(orient="top")),
            tooltip=[alt.Tooltip("day:N", title="Day"), "outcome:N", "jobs:Q"],
        )
        .add_params(alt.selection_point(name=PICKED, fields=["day"]))
        .properties(height=_HEIGHT)
    )


def failures(view: View | ConnectionLine) -> Drawn:
    """What jobs failed of. A click picks the cause."""
    rows = [(title(c.code), c.code, c.jobs, c.percent, c.gain) for c in view.causes if c.jobs][:8]
    named = pd.DataFrame(rows, columns=["cause", "code", "jobs", "percent", "gain"])
    return (
        alt.Chart(named)
        .mark_arc(innerRadius=55)
        .encode(
            theta="jobs:Q",
            color=alt.Color("cause:N", title=None, sort=[row[0] for row in rows], legend=alt.Legend(labelLimit=260)),
            order=alt.Order("jobs:Q", sort="descending"),
            tooltip=["cause:N", "jobs:Q", alt.Tooltip("percent:Q", title="%"), alt.Tooltip("gain:Q", title="+ points")],
        )
        .add_params(alt.selection_point(name=PICKED, fields=["code"]))
        .properties(height=_HEIGHT)
    )


def errors(lines: Sequence[ErrorLine]) -> Drawn:
    """Attempts that failed, by day and cause. A click picks the day."""
    rows = [(line.day.isoformat(), line.day.isoformat(), title(line.code), line.attempts) for line in lines]
    return (
        alt.Chart(pd.DataFrame(rows, columns=["date", "day", "cause", "attempts"]))
        .mark_bar()
        .encode(
            x=alt.X("date:T", title=None),
            y=alt.Y("attempts:Q", title="Failed attempts", axis=_WHOLE),
            color=alt.Color("cause:N", title=None, legend=alt.Legend(labelLimit=260, orient="top", columns=2)),
            tooltip=[alt.Tooltip("day:N", title="Day"), "cause:N", "attempts:Q"],
        )
        .add_params(alt.selection_point(name=PICKED, fields=["day"]))
        .properties(height=_HEIGHT)
    )


def connections(lines: Sequence[ConnectionLine], *, most: int = 10) -> Drawn:
    """Those with most jobs, by success. A click picks one."""
    busiest = sorted((line for line in lines if line.tally.total), key=lambda line: -line.tally.total)[:most]
    rows = [(line.named.name, line.named.id, line.tally.success_rate, line.tally.total) for line in busiest]
    return (
        alt.Chart(pd.DataFrame(rows, columns=["connection", "id", "rate", "jobs"]))
        .mark_bar(color=BLUE)
        .encode(
            x=alt.X("rate:Q", title="Success, %", scale=alt.Scale(domain=[0, 100])),
            y=alt.Y("connection:N", title=None, sort=None, axis=alt.Axis(labelLimit=220, labelOverlap=False)),
            tooltip=["connection:N", alt.Tooltip("rate:Q", title="%"), "jobs:Q"],
        )
        .add_params(alt.selection_point(name=PICKED, fields=["id"]))
        .properties(height=60 + 36 * len(rows))
    )


def calendar(days: Sequence[DayLine]) -> Drawn:
    """The heat map of success: a column a week. A click picks the day."""
    rows = [
        (
            line.day.isoformat(),
            f"{line.day.isocalendar().year}-{line.day.isocalendar().week:02}",
            _WEEKDAYS[line.day.weekday()],
            _GRADES[line.grade][0],
            line.tally.succeeded,
            line.tally.failed,
        )
        for line in days
    ]
    scale = alt.Scale(domain=[word for word, _ in _GRADES.values()], range=[colour for _, colour in _GRADES.values()])
    return (
        alt.Chart(pd.DataFrame(rows, columns=["day", "week", "weekday", "success", "succeeded", "failed"]))
        .mark_rect(stroke="#8884", cornerRadius=3)
        .encode(
            x=alt.X("week:O", title="Week", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("weekday:O", title=None, sort=_WEEKDAYS, axis=alt.Axis(labelOverlap=False)),
            color=alt.Color("success:N", scale=scale, title=None, legend=alt.Legend(orient="top", columns=2)),
            tooltip=["day:N", "success:N", "succeeded:Q", "failed:Q"],
        )
        .add_params(alt.selection_point(name=PICKED, fields=["day"]))
        .properties(height=_HEIGHT + 80)
    )


def hours(by_hour: dict[int, int]) -> Drawn:
    """Jobs that ended, by local hour. A click picks the hour."""
    rows = pd.DataFrame([(f"{hour:02}", jobs) for hour, jobs in by_hour.items()], columns=["hour", "jobs"])
    return (
        alt.Chart(rows)
        .mark_bar(color=BLUE)
        .encode(
            x=alt.X("hour:O", title="Hour of the day", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("jobs:Q", title="Jobs", axis=_WHOLE),
            tooltip=["hour:O", "jobs:Q"],
        )
        .add_params(alt.selection_point(name=PICKED, fields=["hour"]))
        .properties(height=_HEIGHT)
    )


def latency(view: View) -> Drawn:
    """Minutes from posted at the source to seen at the destination, by day."""
    rows = [
        (day.day.isoformat(), day.day.isoformat(), word, value / 60)
        for day in view.load.days
        for word, value in (("half within", day.latency_p50_s), ("95 % within", day.latency_p95_s))
        if value is not None
    ]
    return (
        alt.Chart(pd.DataFrame(rows, columns=["date", "day", "part", "minutes"]))
        .mark_line(point=alt.OverlayMarkDef(size=50))
        .encode(
            x=alt.X("date:T", title=None),
            y=alt.Y("minutes:Q", title="Minutes"),
            color=alt.Color("part:N", title=None, legend=alt.Legend(orient="top")),
            strokeDash=alt.StrokeDash("part:N", legend=None),
            tooltip=["day:N", "part:N", alt.Tooltip("minutes:Q", format=".1f")],
        )
        .add_params(alt.selection_point(name=PICKED, fields=["day"]))
        .properties(height=_HEIGHT)
    )


def data(days: Sequence[DayLine]) -> Drawn:
    """What was fetched and sent, by day. A click picks the day."""
    most = max((max(line.tally.bytes_fetched, line.tally.bytes_sent) for line in days), default=0)
    unit, divisor = ("GB", 1e9) if most >= 1e9 else ("MB", 1e6)
    rows = [
        (line.day.isoformat(), line.day.isoformat(), word, size / divisor)
        for line in days
        for word, size in (("Fetched", line.tally.bytes_fetched), ("Sent", line.tally.bytes_sent))
    ]
    return (
        alt.Chart(pd.DataFrame(rows, columns=["date", "day", "part", "size"]))
        .mark_bar()
        .encode(
            x=alt.X("date:T", title=None),
            y=alt.Y("size:Q", title=unit),
            color=alt.Color(
                "part:N",
                title=None,
                scale=alt.Scale(domain=["Fetched", "Sent"], range=[GREY, BLUE]),
                legend=alt.Legend(orient="top"),
            ),
            tooltip=[alt.Tooltip("day:N", title="Day"), "part:N", alt.Tooltip("size:Q", title=unit, format=".1f")],
        )
        .add_params(alt.selection_point(name=PICKED, fields=["day"]))
        .properties(height=_HEIGHT)
    )


def throughput(view: View) -> Drawn:
    """Jobs that ended, by hour of each day's length so far. A click picks the day."""
    elapsed = {day.day: day.elapsed_s for day in view.load.days}
    rows = [
        (line.day.isoformat(), line.day.isoformat(), 3_600 * line.tally.total / elapsed[line.day], line.tally.total)
        for line in view.days
        if elapsed.get(line.day)
    ]
    return (
        alt.Chart(pd.DataFrame(rows, columns=["date", "day", "rate", "jobs"]))
        .mark_area(line={"color": BLUE}, color=BLUE, opacity=0.25, point={"color": BLUE, "size": 50})
        .encode(
            x=alt.X("date:T", title=None),
            y=alt.Y("rate:Q", title="Jobs an hour"),
            tooltip=[alt.Tooltip("day:N", title="Day"), alt.Tooltip("rate:Q", format=".2f"), "jobs:Q"],
        )
        .add_params(alt.selection_point(name=PICKED, fields=["day"]))
        .properties(height=_HEIGHT)
    )


def retries(lines: Sequence[ConnectionLine]) -> Drawn:
    """Brittle connections lie at the lower right: many retries, little success. A click picks one."""
    rows = [
        (line.named.name, line.named.id, line.tally.avg_retries or 0.0, line.tally.success_rate, line.tally.total)
        for line in lines
        if line.tally.total
    ]
    return (
        alt.Chart(pd.DataFrame(rows, columns=["connection", "id", "retries", "rate", "jobs"]))
        .mark_circle(color=BLUE, opacity=0.75)
        .encode(
            x=alt.X("retries:Q", title="Retries a success took"),
            y=alt.Y("rate:Q", title="Success, %", scale=alt.Scale(domain=[0, 100])),
            size=alt.Size("jobs:Q", legend=None, scale=alt.Scale(range=[60, 600])),
            tooltip=["connection:N", "retries:Q", alt.Tooltip("rate:Q", title="%"), "jobs:Q"],
        )
        .add_params(alt.selection_point(name=PICKED, fields=["id"]))
        .properties(height=_HEIGHT)
    )


def picked(event: Any, field: str) -> str | None:
    """What a click chose, as text."""
    chosen = event.selection.get(PICKED) if hasattr(event, "selection") else None
    return str(chosen[0][field]) if chosen and field in chosen[0] else None
