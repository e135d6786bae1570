"""The calendar: what arrived, failed and is planned, per day and connection. A week in posts, a month in counts."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import streamlit as st

from admin_app.ui import access, places, words
from admin_app.ui.words import Look
from forwarder_core.domain.calendars import Entry, Mark, month_of, week_of
from forwarder_core.services import calendars, connections
from forwarder_core.services.calendars import Span

_WEEK, _MONTH = "Week", "Month"
_LOOKS = {
    Mark.PUBLISHED: Look("published", ":material/check_circle:", "green"),
    Mark.FAILED: Look("failed", ":material/error:", "red"),
    Mark.PLANNED: Look("planned", ":material/schedule:", "gray"),
}
_A_DAY = 6  # posts of one day that are named


def show() -> None:
    core = access.core()
    st.title("Calendar")
    today = core.clock.now().astimezone(core.settings.zone).date()
    known = {c.id: c.name for c in connections.page(core, limit=1_000)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.segmented_control("Show", (_WEEK, _MONTH), default=_WEEK, key="calendar-kind") or _WEEK
        day = st.date_input("Around", today, format="YYYY-MM-DD", key="calendar-day") or today
        chosen = st.selectbox(
            "Connection", [0, *known], format_func=lambda i: known.get(i, "All"), key="calendar-which"
        )
    first, after = week_of(day) if kind == _WEEK else month_of(day)
    _turn(first, after)
    span = calendars.look(core, first, after, connection_id=chosen or None)
    _sums(span, first, after)
    if kind == _WEEK:
        _week(span, first, today)
    else:
        _month(span, first, after)


def _turn(first: date, after: date) -> None:
    def to(day: date) -> None:
        st.session_state["calendar-day"] = day

    with st.container(horizontal=True, gap="small"):
        st.button("Earlier", icon=":material/chevron_left:", on_click=to, args=(first - timedelta(days=1),))
        st.button("Later", icon=":material/chevron_right:", on_click=to, args=(after,))


def _sums(span: Span, first: date, after: date) -> None:
    sums = Counter[Mark]()
    for one in span.counts:
        sums[one.mark] += one.count
    told = " · ".join(f"{sums[mark]} {look.word}" for mark, look in _LOOKS.items())
    st.caption(
        f"{first:%d %b} to {after - timedelta(days=1):%d %b %Y}: {told}. Days are {access.core().settings.zone}."
    )


def _week(span: Span, first: date, today: date) -> None:
    """A day with posts is three times as wide as one without: names fit, and nothing but a dash needs no room."""
    zone = access.core().settings.zone
    days = [first + timedelta(days=n) for n in range(7)]
    entries = {day: [one for one in span.entries if one.at.astimezone(zone).date() == day] for day in days}
    widths = [3 if entries[day] else 1 for day in days]
    for n, (day, column) in enumerate(zip(days, st.columns(widths, gap="small"), strict=True)):
        there = entries[day]
        total = sum(one.count for one in span.counts if one.day == day)
        with column, st.container(border=True, key=f"calendar-{n}"):
            st.markdown(f"**{day:%a} {day.day}**" + (" today" if day == today else ""))
            for entry in there[:_A_DAY]:
                _entry(entry)
            if not there:
                st.caption("–")
            if total > _A_DAY:
                place = {"from": f"{day}", "to": f"{day}"}
                places.link("jobs", f"… of {total} in all", **place)


def _entry(entry: Entry) -> None:
    look = _LOOKS[entry.mark]
    at = entry.at.astimezone(access.core().settings.zone)
    said = [words.short(part, 24) for part in (entry.connection, entry.caption) if part]
    places.link("jobs", f"{at:%H:%M}", icon=look.icon, id=str(entry.job_id))
    st.caption(f"{look.word} · {words.plain(' · '.join(said))}")


def _month(span: Span, first: date, after: date) -> None:
    """A row for each day and connection that has any."""
    table: dict[tuple[date, str], Counter[Mark]] = {}
    for one in span.counts:
        table.setdefault((one.day, one.connection), Counter())[one.mark] += one.count
    if not table:
        st.info("Nothing was published and nothing is planned in this month.", icon=":material/event_busy:")
        return
    rows = sorted(table.items())
    st.dataframe(
        {
            "Day": [f"{day:%Y-%m-%d %a}" for (day, _), _ in rows],
            "Connection": [name for (_, name), _ in rows],
            **{_LOOKS[mark].word.capitalize(): [counts[mark] for _, counts in rows] for mark in _LOOKS},
        },
        hide_index=True,
        width="stretch",
        height="auto",
    )
