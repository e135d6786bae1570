"""The log: messages of jobs, accounts and connections, newest first, with filters."""

from __future__ import annotations

from datetime import date, datetime

import streamlit as st

from admin_app.ui import access, places, words
from forwarder_core.domain.analytics import bounds
from forwarder_core.services import overview

_LEVELS = ["All", "info", "warning", "error"]
_PAGE = 200


def show() -> None:
    core = access.core()
    st.title("Logs")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        q = st.text_input("Search", placeholder="Words in the message", key="logs-q")
        level = st.selectbox("Level", _LEVELS, format_func=str.capitalize, key="logs-level")
        job = st.text_input("Job", st.query_params.get("job_id", ""), key="logs-job", placeholder="Number")
    since, until = _of_days()
    rows = overview.logs(
        core,
        limit=_PAGE,
        q=q.replace("\x00", "") or None,
        level=None if level == "All" else level,
        job_id=int(job) if job.isdigit() and len(job) < 19 else None,
        since=since,
        until=until,
    )
    if not rows:
        st.info("There is no such message.")
        return
    st.dataframe(
        {
            "Time": [words.clock_time(row["at"], core.settings.zone) for row in rows],
            "Level": [row["level"] for row in rows],
            "Job": [row["job_id"] for row in rows],
            "Connection": [row["connection_id"] for row in rows],
            "Code": [row["code"] or "" for row in rows],
            "Message": [row["text"] for row in rows],
        },
        hide_index=True,
        width="stretch",
        height=640,
    )
    if len(rows) == _PAGE:
        st.caption(f"The newest {_PAGE} are shown; narrow the search for older ones.")


def _of_days() -> tuple[datetime | None, datetime | None]:
    """The days a chart led here with, `from` and `to` of the address, and how to be rid of them."""
    try:
        first, last = (date.fromisoformat(st.query_params[name]) for name in ("from", "to"))
    except (KeyError, ValueError):
        return None, None
    since, until = bounds(first, last, access.core().settings.zone)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Of {first} to {last}.")
        places.link("logs", "All days", icon=":material/close:")
    return since, until
