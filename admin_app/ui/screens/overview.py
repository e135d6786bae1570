"""The first screen: is it going well, what moves now, and what is left to set up."""

from __future__ import annotations

import streamlit as st

from admin_app.ui import access, captcha, first_steps, incidents, places, questions, quota_panels, words
from admin_app.ui.live import moving_jobs
from admin_app.ui.screens.connections import connection_cards
from admin_app.ui.screens.notifications import alerts_trouble
from admin_app.ui.widgets import badge_column
from forwarder_core.services import calendars, challenges, connections, overview
from forwarder_core.services.overview import Numbers


def show() -> None:
    core = access.core()
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title("Overview")
        with st.container(horizontal=True, gap="small", width="content"):
            places.link("connections", "New connection", icon=":material/add:", new="1")
            places.link("accounts", "Add account", icon=":material/person_add:", new="1")
            places.link("logs", "View all logs", icon=":material/article:")
            places.link("analytics", "Export analytics", icon=":material/download:")
    for challenge in challenges.open_challenges(core):
        captcha.banner(challenge)
    alerts_trouble()
    questions.waiting()
    if not overview.has_forwarded(core):
        first_steps.show(overview.first_steps(core))
    _numbers()
    incidents.section()
    quota_panels.today(only_tight=True)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.subheader("Moving now")
        moving_jobs()
        _next_posts()
    with right:
        st.subheader("Connections")
        chosen = connections.page(core, limit=20)
        if chosen:
            connection_cards(overview.connection_views(core, chosen), key="overview")
            places.link("connections", "All connections", icon=":material/link:")
        else:
            st.caption("There is no connection yet.")
            places.link("connections", "Create a connection", icon=":material/add:")
    _recent_log()


@st.fragment(run_every="5s")
def _numbers() -> None:
    access.require_user(is_use=False)
    told = overview.numbers(access.core())
    with st.grid(5, min_column_width=150):
        for label, value, help_ in _cards(told):
            st.metric(label, value, help=help_, border=True)


def _cards(told: Numbers) -> list[tuple[str, str, str]]:
    c, day = told.connections, told.jobs_24h
    rate = "–" if told.success_rate is None else f"{told.success_rate:g} %"
    failed, succeeded = day.get("dead", 0), day.get("success", 0)
    others = f"{c['paused']} paused, {c['stopped']} stopped"
    waited = "" if told.wait_s is None else f"; {words.span(told.wait_s)} from queued to started, on average"
    return [
        ("Active connections", f"{c['active']} of {sum(c.values())}", others),
        ("Jobs in 24 h", f"{sum(day.values()):,}", f"{succeeded:,} published, {failed:,} failed"),
        ("Success rate in 24 h", rate, "Published ones among those that ended"),
        ("Under way", f"{told.running} of {told.most_running}", "Running now, of the most at once"),
        ("Waiting", f"{told.waiting:,}", f"Queued, or waiting for a retry{waited}"),
    ]


def _next_posts() -> None:
    """What goes next on any connection, and when."""
    core = access.core()
    coming = calendars.next_posts(core)
    if not coming:
        return
    st.subheader("Next posts")
    for entry in coming:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            places.link("jobs", f"Job {entry.job_id}", id=str(entry.job_id))
            st.text(words.clock_time(entry.at, core.settings.zone), width="content")
            st.caption(words.plain(f"{entry.connection} · {words.short(entry.caption, 40)}"), width="content")
    places.link("calendar", "All planned posts", icon=":material/calendar_month:")


def _recent_log() -> None:
    core = access.core()
    st.subheader("Recent log")
    rows = overview.logs(core, limit=12)
    if not rows:
        st.caption("Nothing has been logged yet.")
        return
    st.dataframe(
        {
            "Time": [words.clock_time(row["at"], core.settings.zone) for row in rows],
            "Level": [[str(row["level"]).capitalize()] for row in rows],
            "Message": [row["text"] for row in rows],
        },
        hide_index=True,
        width="stretch",
        column_config={"Level": badge_column(words.LEVEL.values())},
    )
    places.link("logs", "All of the log")
