"""The log: messages of jobs, accounts and connections, newest first, with filters."""

from __future__ import annotations

from typing import Any

import streamlit as st

from admin_app.ui import access, days, places, words
from admin_app.ui.widgets import badge_column
from forwarder_core.services import accounts, connections, overview

_LEVELS = ["All", "info", "warning", "error", "critical"]
_PAGE, _FEW = 200, 16


def show() -> None:
    core = access.core()
    st.title("Logs")
    known = {c.id: c.name for c in connections.page(core, limit=1_000)}
    owners = {a.id: a.alias for a in accounts.page(core, limit=1_000)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        q = st.text_input("Search", placeholder="Words in the message", key="logs-q")
        level = st.selectbox("Level", _LEVELS, format_func=str.capitalize, key="logs-level")
        connection = _chosen("Connection", known)
        account = _chosen("Account", owners)
        job = st.text_input("Job", st.query_params.get("job_id", ""), key="logs-job", placeholder="Number")
        code = st.text_input("Error", st.query_params.get("error", ""), key="logs-code", placeholder="quota_exhausted")
        since, until = days.field("Days", "logs-days")
    rows = overview.logs(
        core,
        limit=_PAGE,
        q=q.replace("\x00", "") or None,
        level=None if level == "All" else level,
        job_id=int(job) if job.isdecimal() and len(job) < 19 else None,
        connection_id=connection or None,
        account_id=account or None,
        code=code.replace("\x00", "").strip() or None,
        since=since,
        until=until,
        hour=days.hour_note("logs"),
    )
    if not rows:
        st.info("There is no such message.")
        return
    _table(rows, known)
    if len(rows) == _PAGE:
        st.caption(f"The newest {_PAGE} are shown; narrow the search for older ones.")


def _table(rows: list[dict[str, Any]], known: dict[int, str]) -> None:
    """The lines; the one selected in full, with the way to its job."""
    zone = access.core().settings.zone
    picked = st.dataframe(
        {
            "Time": [words.clock_time(row["at"], zone) for row in rows],
            "Level": [[str(row["level"]).capitalize()] for row in rows],
            "Job": [str(row["job_id"] or "") for row in rows],
            "Connection": [known.get(row["connection_id"], "") for row in rows],
            "Error": [row["code"] or "" for row in rows],
            "Message": [row["text"] for row in rows],
        },
        hide_index=True,
        width="stretch",
        height=640 if len(rows) > _FEW else "auto",
        on_select="rerun",
        selection_mode="single-row",
        column_config={"Level": badge_column(words.LEVEL.values())},
        key=f"logs-table-{rows[0]['id']}-{len(rows)}",
    )
    st.caption("Select a row to read the whole message.")
    for at in picked["selection"]["rows"]:
        with st.container(border=True):
            st.text(rows[at]["text"])
            if job_id := rows[at]["job_id"]:
                places.link("jobs", f"Job {job_id}", icon=":material/list_alt:", id=str(job_id))


def _chosen(label: str, known: dict[int, str]) -> int:
    """Of these by id, the one the address names to begin with; 0: all."""
    name = label.lower()
    asked = places.number(name)
    at = [0, *known].index(asked) if asked in known else 0
    return st.selectbox(label, [0, *known], at, format_func=lambda id_: known.get(id_, "All"), key=f"logs-{name}")
