"""The first screen: is it going well, what moves now, and what is left to set up."""

from __future__ import annotations

import streamlit as st

from admin_app.ui import access, captcha, first_steps, incidents, places, questions, quota_panels, words
from admin_app.ui.live import moving_jobs
from admin_app.ui.screens.connections import connection_cards
from admin_app.ui.screens.notifications import alerts_trouble
from forwarder_core.services import challenges, connections, overview
from forwarder_core.services.overview import Summary


def show() -> None:
    core = access.core()
    st.title("Overview")
    for challenge in challenges.open_challenges(core):
        captcha.banner(challenge)
    alerts_trouble()
    questions.waiting()
    steps = overview.first_steps(core)
    if not steps.is_done:
        first_steps.show(steps)
    _numbers()
    incidents.section()
    quota_panels.today(only_tight=True)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.subheader("Moving now")
        moving_jobs()
    with right:
        st.subheader("Connections")
        chosen = connections.page(core, limit=20)
        if chosen:
            connection_cards(overview.connection_views(core, chosen), key="overview")
        else:
            st.caption("There is no connection yet.")
            places.link("connections", "Create a connection", icon=":material/add:")
    _recent_log()


@st.fragment(run_every="5s")
def _numbers() -> None:
    access.require_user(is_use=False)
    told = overview.summary(access.core())
    with st.grid(5, min_column_width=150):
        for label, value, help_ in _cards(told):
            st.metric(label, value, help=help_, border=True)


def _cards(told: Summary) -> list[tuple[str, str, str]]:
    c, day = told.connections, told.jobs_24h
    rate = "–" if told.success_rate is None else f"{told.success_rate:g} %"
    failed, succeeded = day.get("dead", 0), day.get("success", 0)
    others = f"{c['paused']} paused, {c['stopped']} stopped"
    return [
        ("Active connections", f"{c['active']} of {sum(c.values())}", others),
        ("Jobs in 24 h", str(sum(day.values())), f"{succeeded} published, {failed} failed"),
        ("Success rate in 24 h", rate, "Published ones among those that ended"),
        ("Under way", f"{told.running} of {told.most_running}", "Running now, of the most at once"),
        ("Waiting", str(told.waiting), "Queued, or waiting for a retry"),
    ]


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
            "Level": [row["level"] for row in rows],
            "Message": [row["text"] for row in rows],
        },
        hide_index=True,
        width="stretch",
    )
    places.link("logs", "All of the log")
