"""A rehearsal on the screen: every check with its outcome, what was found, and what to do."""

from __future__ import annotations

import streamlit as st

from admin_app.ui import access, words
from admin_app.ui.widgets import attempt, badge
from admin_app.ui.words import Look
from forwarder_core.domain.rehearsals import Outcome, Rehearsal
from forwarder_core.services import rehearsing

_LOOKS = {
    Outcome.OK: Look("OK", ":material/check_circle:", "green"),
    Outcome.WARNING: Look("Warning", ":material/warning:", "orange"),
    Outcome.FAILED: Look("Failed", ":material/error:", "red"),
}
_NAMES = {
    "source_account": "Source account",
    "destination_account": "Destination account",
    "rights": "Rights to the posts",
    "options": "Video options",
    "files": "ffmpeg and pictures",
    "loop": "Circles of connections",
    "quota": "Posts left today",
    "disk": "Disk space",
    "source_egress": "Way out, source",
    "source_scopes": "Permissions, source",
    "source_identity": "Identity, source",
    "source_listing": "Posts of the source",
    "destination_egress": "Way out, destination",
    "destination_scopes": "Permissions, destination",
    "destination_identity": "Identity, destination",
}


@st.dialog("Rehearsal", width="large")
def rehearse(connection_id: int) -> None:
    """Everything a start needs, looked at now."""
    access.require_user()
    with st.spinner("Asking both accounts …"):
        report = attempt(lambda: rehearsing.rehearse(access.core(), connection_id))
    if report is not None:
        show(report)


def show(report: Rehearsal) -> None:
    if report.failed:
        st.error(
            f"{len(report.failed)} of {len(report.checks)} checks failed: it cannot start.", icon=":material/error:"
        )
    else:
        st.success("Nothing is in the way of a start.", icon=":material/check_circle:")
    for check in sorted(report.checks, key=lambda c: list(_LOOKS).index(c.outcome), reverse=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            badge(_LOOKS[check.outcome])
            st.markdown(f"**{_NAMES.get(check.name, check.name)}**", width="content")
            st.text(check.text, width="stretch")
        if check.action:
            st.caption(f"What to do: {words.plain(check.action)}")
