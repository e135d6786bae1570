"""The audit log on the settings screen: who did what to which thing, newest first."""

from __future__ import annotations

import json

import streamlit as st

from admin_app.ui import access, words
from forwarder_core.services import auditing

_PAGE, _FEW = 100, 12


def show() -> None:
    core = access.core()
    st.subheader("Audit log")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        who = st.text_input("Who", key="audit-who", placeholder="admin")
        what = st.text_input("What or which", key="audit-what", placeholder="connection")
    wanted = auditing.Wanted(who=_clean(who), q=_clean(what))
    where = f"audit-before-{wanted}"
    before = st.session_state.get(where, auditing.NEWEST)
    found = auditing.page(core, wanted, before=before, limit=_PAGE + 1)
    if not found:
        st.info("Nothing of that kind was done.", icon=":material/history:")
    else:
        zone = core.settings.zone
        st.dataframe(
            {
                "Time": [words.clock_time(row.at, zone) for row in found[:_PAGE]],
                "Who": [row.who for row in found[:_PAGE]],
                "What": [row.what.replace("_", " ") for row in found[:_PAGE]],
                "Which": [row.target for row in found[:_PAGE]],
                "Details": [json.dumps(row.details, default=str) if row.details else "" for row in found[:_PAGE]],
            },
            hide_index=True,
            width="stretch",
            height=480 if len(found) > _FEW else "auto",
        )
    with st.container(horizontal=True):
        if before != auditing.NEWEST and st.button("Newest", icon=":material/first_page:"):
            del st.session_state[where]
            st.rerun()
        if len(found) > _PAGE and st.button("Older", icon=":material/chevron_right:"):
            st.session_state[where] = found[_PAGE - 1].id
            st.rerun()


def _clean(typed: str | None) -> str | None:
    return (typed or "").replace("\x00", "").strip() or None
