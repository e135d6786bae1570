"""Incidents on the first screen: many failures of one cause, what helps, and one button for all their jobs."""

from __future__ import annotations

import streamlit as st

from admin_app.ui import access, places, words
from admin_app.ui.widgets import attempt, say_later
from forwarder_core.domain.incidents import Incident
from forwarder_core.services import incidents


def section() -> None:
    """Nothing at all where there is none."""
    shown = incidents.worth_showing(access.core())
    if not shown:
        return
    st.subheader("Incidents")
    for incident in shown:
        _card(incident)


def _card(incident: Incident) -> None:
    cause, now = incident.cause, access.core().clock.now()
    with st.container(border=True, key=f"incident-{incident.id}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if incident.is_open:
                st.badge("Open", icon=":material/error:", color="red")
            else:
                st.badge("Over", icon=":material/check_circle:", color="gray")
            st.markdown(f"**{words.plain(cause.code)}** · {words.plain(cause.title)}", width="content")
        st.markdown(f"{incident.jobs} jobs: {incident.dead} failed for good, {incident.waiting} waiting")
        st.caption(f"Since {words.ago(incident.opened_at, now)}, last failure {words.ago(incident.last_at, now)}")
        if action := incidents.action_of(incident):
            st.caption(words.plain(action))
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if incident.dead + incident.waiting and st.button(
                "Retry all", icon=":material/replay:", key=f"incident-retry-{incident.id}"
            ):
                _retry(incident)
            places.link("jobs", "Show its jobs", icon=":material/list_alt:", error=cause.code)


def _retry(incident: Incident) -> None:
    who = access.require_user().username
    moved = attempt(lambda: incidents.retry(access.core(), incident.id, who=who))
    if moved is not None:
        say_later(f"{len(moved)} jobs queued for retry")
        st.rerun()
