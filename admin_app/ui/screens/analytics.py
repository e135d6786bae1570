"""Analytics: how reliable the forwarding is and what should be mended first. The figures are docs/analytics.md's."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial

import streamlit as st

from admin_app.ui import access, analytics_tabs, words
from admin_app.ui.widgets import attempt, tabs
from forwarder_core.domain.analytics import Period
from forwarder_core.services import analytics, analytics_days, analytics_tables
from forwarder_core.services.analytics import View

_PRESETS = {"7 days": "7days", "30 days": "30days", "90 days": "90days"}
_CUSTOM = "Custom"


def show() -> None:
    core = access.core()
    head = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
    head.title("Analytics")
    chosen = _period()
    view = attempt(lambda: analytics.view(core, chosen)) if chosen else None
    if chosen is None or view is None:
        return
    analytics_tabs.counting(view.uncounted, len(chosen.days))
    if not view.days:
        return
    with head, st.popover("Export", icon=":material/download:"):
        _export(view)
    _numbers(view)
    shown = "Accounts" if "account" in st.query_params else "Overview"
    drawn = {
        "Overview": partial(analytics_tabs.overview, view),
        "Connections": partial(analytics_tabs.connections, view),
        "Accounts": partial(analytics_tabs.accounts, view),
        "System": partial(analytics_tabs.system, view),
    }
    tabs(drawn, key="analytics-tab", first=shown)
    st.caption(f"Days are those of {core.settings.timezone}. A post counts on the day it was forwarded or failed.")


def _period() -> Period | None:
    core = access.core()
    name = st.segmented_control("Period", [*_PRESETS, _CUSTOM], default="30 days", key="analytics-period") or "30 days"
    if name != _CUSTOM:
        return attempt(lambda: analytics.period(core, _PRESETS[name]))
    today = analytics_days.today(core)
    days = st.date_input("Days", (today - timedelta(days=13), today), max_value=today, key="analytics-days")
    if not isinstance(days, tuple) or len(days) != 2:
        st.caption("Choose the first and the last day.")
        return None
    first, last = (day for day in days if isinstance(day, date))
    return attempt(lambda: analytics.period(core, first=first, last=last))


def _export(view: View) -> None:
    if view.uncounted:
        st.caption(analytics_tabs.NO_FILES)
        return
    name = st.selectbox("Table", analytics_tables.names(), format_func=_table_word, key="analytics-export")
    made = analytics_tables.csv_of(view, name)
    file = f"analytics-{name}-{view.period.first}-{view.period.last}.csv"
    st.download_button("Download CSV", made, file, "text/csv", type="primary", icon=":material/download:")


def _table_word(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _numbers(view: View) -> None:
    t = view.tally
    with st.grid(3, min_column_width=150):
        st.metric("Posts", f"{t.total:,}", border=True, help="Forwarded, or failed for good, in these days")
        st.metric("Success", _percent(t.success_rate), border=True, help="Per post")
        st.metric("Per attempt", _percent(t.attempt_rate), border=True, help="Successes of all attempts")
        st.metric("Uptime", _percent(view.uptime), border=True, help="Days with a success, of those with work")
        retries = "–" if t.avg_retries is None else f"{t.avg_retries:g}"
        st.metric("Retries a success", retries, border=True)
        st.metric("Sent", words.size(t.bytes_sent), border=True)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:g} %"
