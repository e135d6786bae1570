"""What a person can do with a connection, as buttons: the same on its card, on the overview and on its own page."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from admin_app.ui import access, connection_facts, delivery_fields, dry_run, rehearsal, rule_fields, video_options
from admin_app.ui.widgets import attempt, say_later
from forwarder_core.domain.connections import Connection, ConnectionStatus
from forwarder_core.services import connections, editing, rehearsing

LOOKED = "looked"  # in the session: the look this tab asked for last
_ACTS: dict[str, tuple[str, Callable[..., Connection], str]] = {
    "Start": (":material/play_arrow:", connections.start, "started"),
    "Resume": (":material/play_arrow:", connections.resume, "resumed"),
    "Pause": (":material/pause:", connections.pause, "paused"),
    "Stop": (":material/stop:", connections.stop, "stopped"),
    "Delete it": (":material/delete:", editing.remove_connection, "deleted"),
}
_POSSIBLE = {
    ConnectionStatus.ACTIVE: ("Stop", "Pause"),
    ConnectionStatus.PAUSED: ("Resume", "Stop"),
    ConnectionStatus.STOPPED: ("Start",),
}


def buttons(c: Connection, key: str, *, platform: str, is_page: bool = False, can_delete: bool = False) -> None:
    """`is_page`: on the connection's own page, where there is room for everything."""
    with st.container(horizontal=True, gap="small"):
        for label in _POSSIBLE[c.status]:
            _button(c, key, label)
        if c.status is ConnectionStatus.ACTIVE:
            _run_now(c, key)
        if is_page:
            _trials(c, key)
        if can_delete:
            _changes(c, key, platform)


def told(c: Connection, words_: str) -> None:
    """What was done, and what is worth knowing of a connection that is active now."""
    known = rehearsing.warnings(access.core(), c.id) if c.status is ConnectionStatus.ACTIVE else []
    say_later(" ".join([f"Connection '{c.name}' {words_}", *known]))


def _trials(c: Connection, key: str) -> None:
    if st.button("Rehearse", icon=":material/fact_check:", key=f"{key}-rehearse-{c.id}"):
        rehearsal.rehearse(c.id)
    dry_run.ask(c.id)


def _changes(c: Connection, key: str, platform: str) -> None:
    with st.popover("Edit", icon=":material/edit:"):
        if st.button("Rules", icon=":material/rule:", key=f"{key}-rules-{c.id}", width="stretch"):
            rule_fields.edit(c)
        if st.button("Video", icon=":material/movie:", key=f"{key}-video-{c.id}", width="stretch"):
            video_options.edit(c, platform)
        if st.button("Delivery", icon=":material/local_shipping:", key=f"{key}-delivery-{c.id}", width="stretch"):
            delivery_fields.edit(c)
        connection_facts.name_form(c, key)
    with st.popover("Delete", icon=":material/delete:"):
        st.write("Its waiting jobs are cancelled; its history stays.")
        _button(c, key, "Delete it")


def _button(c: Connection, key: str, label: str) -> None:
    icon, act, words_ = _ACTS[label]
    if not st.button(label, icon=icon, key=f"{key}-{label}-{c.id}"):
        return
    who = access.require_user().username
    with st.spinner(f"{label} …"):
        done = attempt(lambda: act(access.core(), c.id, who=who))
    if done is not None:
        told(done, words_)
        st.rerun()


def _run_now(c: Connection, key: str) -> None:
    with st.popover("Run now", icon=":material/bolt:"):
        st.write("Manually trigger forwarding job for all new posts?")
        if not st.button("Confirm run", type="primary", icon=":material/bolt:", key=f"{key}-run-{c.id}"):
            return
        who = access.require_user().username
        with st.spinner("Looking at the source …"):
            ran = attempt(lambda: connections.run_now(access.core(), c.id, who=who))
    if ran is None:
        return
    st.session_state[LOOKED] = (c.id, ran.look.id)
    found = f"{len(ran.jobs)} new posts found. Jobs queued for processing." if ran.jobs else "No new posts found."
    say_later("The source is slow; the look goes on by itself." if ran.look.state.is_open else found)
    st.rerun()
