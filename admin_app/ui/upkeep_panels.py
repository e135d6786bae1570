"""What goes on beside the posts, on the settings screen: the clean-up, the processes, and whose jobs go first."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from admin_app.ui import access, words
from admin_app.ui.widgets import attempt, say_later
from forwarder_core.services import connections, editing, overview, retention


def clean_up() -> None:
    """When it is cleaned up next, and what would go now."""
    core = access.core()
    due = words.clock_time(retention.next_sweep(core), core.settings.zone)
    st.markdown(f":material/schedule: The next clean-up runs at **{due}**, as a run of its schedule in Dagster.")
    if not st.button("What would go now?", icon=":material/search:"):
        return
    found = retention.preview(core)
    rows = {name.replace("_", " "): count for name, count in found.rows.items() if count}
    files = words.count(found.job_folders, "folder of a job", "folders of jobs")
    tried = words.count(found.dry_run_folders, "dry run")
    st.markdown(f"{files} and {tried}, {words.size(found.freed_bytes)} in all.")
    st.markdown("Rows: " + (", ".join(f"{count:,} {name}" for name, count in rows.items()) or "none") + ".")


def workers() -> None:
    """How many jobs run now, and which processes are there to do them."""
    core = access.core()
    told = overview.numbers(core)
    st.markdown(
        f":material/play_arrow: **{told.running} of {told.most_running}** running, "
        f"{words.count(told.waiting, 'job')} waiting."
    )
    beats = overview.workers(core)
    if beats:
        now = core.clock.now()
        st.dataframe(
            {
                "Process": [one["name"] for one in beats],
                "Kind": [str(one["kind"]).replace("_", " ").capitalize() for one in beats],
                "Machine": [one["host"] for one in beats],
                "Since": [words.clock_time(one["started_at"], core.settings.zone) for one in beats],
                "Heard of": [words.ago(one["seen_at"], now) for one in beats],
            },
            hide_index=True,
            width="stretch",
        )


def priorities() -> None:
    """The queue's order is the connections' priorities; here they are all at once."""
    core = access.core()
    known = connections.page(core, limit=1_000)
    if not known:
        return
    st.subheader("Queue priorities")
    st.caption("Jobs of a connection with a higher number go first, whatever their age.")
    now = pd.DataFrame({"Connection": [c.name for c in known], "Priority": [c.priority for c in known]})
    typed = st.data_editor(
        now,
        hide_index=True,
        disabled=["Connection"],
        width="stretch",
        key="priorities",
        num_rows="fixed",
        column_config={"Priority": st.column_config.NumberColumn(min_value=-100, max_value=100, step=1, required=True)},
    )
    changed = {
        c.id: int(wanted) for c, wanted in zip(known, typed["Priority"], strict=True) if int(wanted) != c.priority
    }
    if changed and st.button("Save priorities", type="primary", icon=":material/save:"):
        who = access.require_user().username
        done = [
            attempt(lambda id_=id_, n=n: editing.change_connection(core, id_, {"priority": n}, who=who))  # type: ignore[misc]
            for id_, n in changed.items()
        ]
        if all(done):
            say_later(f"Priority of {words.count(len(done), 'connection')} changed")
            st.rerun()
