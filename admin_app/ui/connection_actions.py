"""What a person can do with a connection, as buttons: the same on its card, on the overview and on its own page.

The fact to know: `carry_out` does what was pressed before anything is read and drawn, so that one run shows what came
of it; a press is known at the begin of a run by the key of its button.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from functools import partial

import streamlit as st

from admin_app.ui import access, connection_facts, delivery_fields, dry_run, rehearsal, rule_fields, video_options
from admin_app.ui.widgets import attempt, say_later, say_now
from forwarder_core.domain.connections import Connection, ConnectionStatus
from forwarder_core.services import connections, editing, rehearsing

LOOKED = "looked"  # in the session: the look this tab asked for last
_ACTED = "acted"  # in the session: when something was done with which connection last
_DOUBLE_CLICK = timedelta(seconds=1)  # the second of two clicks may hit what the first has put in its place
_RUN, _DELETE, _EDIT = "Confirm run", "Delete it", "Edit"
_ACTS: dict[str, tuple[str, Callable[..., Connection], str]] = {
    "Start": (":material/play_arrow:", connections.start, "started"),
    "Resume": (":material/play_arrow:", connections.resume, "resumed"),
    "Pause": (":material/pause:", connections.pause, "paused"),
    "Stop": (":material/stop:", connections.stop, "stopped"),
    _DELETE: (":material/delete:", editing.remove_connection, "deleted"),
}
_DIALOGS = {"Rules": ":material/rule:", "Video": ":material/movie:", "Delivery": ":material/local_shipping:"}
_ASKING = ("Start", "Resume")  # the accounts' platforms, which may take seconds
_POSSIBLE = {
    ConnectionStatus.ACTIVE: ("Pause", "Stop"),
    ConnectionStatus.PAUSED: ("Resume", "Stop"),
    ConnectionStatus.STOPPED: ("Start",),
}


def buttons(c: Connection, key: str, *, platform: str, is_page: bool = False, can_delete: bool = False) -> None:
    """`is_page`: on the connection's own page, where there is room for everything."""
    with st.container(horizontal=True, gap="small"):
        for label in _POSSIBLE[c.status]:
            _button(c, key, label)
        if c.status is ConnectionStatus.ACTIVE:
            with _leaf("Run now", ":material/bolt:", c, key, is_page) as is_open:
                if is_open:
                    _run_now(c, key)
        if is_page:
            _trials(c, key)
        if can_delete:
            with _leaf(_EDIT, ":material/edit:", c, key, is_page) as is_open:
                if is_open:
                    _changes(c, key)
            with _leaf("Delete", ":material/delete:", c, key, is_page) as is_open:
                if is_open:
                    st.write("Its waiting jobs are cancelled; its history stays.")
                    _button(c, key, _DELETE)
    if can_delete:
        _lead_on(c, key, platform)


@contextmanager
def _leaf(label: str, icon: str, c: Connection, key: str, is_page: bool) -> Iterator[bool]:
    """A popover. On a card what is in it is drawn once it is open: of twenty cards, most stay shut. “Edit” tells on
    the page too that it is open: only such a one can be shut before the dialog it leads to comes up beneath it."""
    is_told = label == _EDIT or not is_page
    box = st.popover(label, icon=icon, key=_key(key, label, c.id), on_change="rerun" if is_told else "ignore")
    with box:
        yield is_page or box.open is not False


def told(c: Connection, words_: str) -> None:
    """What was done, and what is worth knowing of a connection that is active now."""
    known = rehearsing.warnings(access.core(), c.id) if c.status is ConnectionStatus.ACTIVE else []
    say_later(" ".join([f"Connection '{c.name}' {words_}", *known]))


def _trials(c: Connection, key: str) -> None:
    if st.button("Rehearse", icon=":material/fact_check:", key=f"{key}-rehearse-{c.id}"):
        rehearsal.rehearse(c.id)
    dry_run.ask(c.id)


def _changes(c: Connection, key: str) -> None:
    shut = partial(_shut, key, _EDIT, c.id)
    for label, icon in _DIALOGS.items():
        st.button(label, icon=icon, key=_key(key, label, c.id), width="stretch", on_click=shut)
    connection_facts.name_form(c, key)


def _lead_on(c: Connection, key: str, platform: str) -> None:
    """The dialog that was chosen under “Edit”, which is shut by now, so that nothing of it lies over the dialog."""
    chosen = next((label for label in _DIALOGS if st.session_state.get(_key(key, label, c.id))), None)
    if chosen == "Rules":
        rule_fields.edit(c)
    elif chosen == "Video":
        video_options.edit(c, platform)
    elif chosen == "Delivery":
        delivery_fields.edit(c)


def _button(c: Connection, key: str, label: str) -> None:
    st.button(label, icon=_ACTS[label][0], key=_key(key, label, c.id))


def _run_now(c: Connection, key: str) -> None:
    st.write("Manually trigger forwarding job for all new posts?")
    st.button(_RUN, type="primary", icon=":material/bolt:", key=_key(key, _RUN, c.id))


def _key(key: str, label: str, connection_id: int) -> str:
    return f"{key}-{label}-{connection_id}"


# ---- what was pressed -------------------------------------------------------------------------------------------


def carry_out(connection_id: int, key: str) -> bool:
    """Do what was pressed of these buttons; whether anything was. Not twice for a double click."""
    labels = (*_ACTS, _RUN)
    pressed = next((one for one in labels if st.session_state.get(_key(key, one, connection_id))), None)
    if pressed is None or _is_double(connection_id):
        return False
    who = access.require_user().username
    if pressed == _RUN:
        _look(connection_id, who)
        _shut(key, "Run now", connection_id)
    else:
        _act(connection_id, pressed, who)
    st.session_state[_ACTED] = (connection_id, access.core().clock.now())
    say_now()
    return True


def _shut(key: str, label: str, connection_id: int) -> None:
    if _key(key, label, connection_id) in st.session_state:
        st.session_state[_key(key, label, connection_id)] = False


def _is_double(connection_id: int) -> bool:
    acted: tuple[int, datetime] | None = st.session_state.get(_ACTED)
    return acted is not None and acted[0] == connection_id and access.core().clock.now() - acted[1] < _DOUBLE_CLICK


def _act(connection_id: int, label: str, who: str) -> None:
    _, act, words_ = _ACTS[label]
    with st.spinner(f"{label} …") if label in _ASKING else nullcontext():
        done = attempt(lambda: act(access.core(), connection_id, who=who))
    if done is not None:
        told(done, words_)
        if label == _DELETE:
            st.rerun()  # the list it was on is another one now


def _look(connection_id: int, who: str) -> None:
    with st.spinner("Looking at the source …"):
        ran = attempt(lambda: connections.run_now(access.core(), connection_id, who=who))
    if ran is None:
        return
    st.session_state[LOOKED] = (connection_id, ran.look.id)
    found = f"{len(ran.jobs)} new posts found. Jobs queued for processing." if ran.jobs else "No new posts found."
    say_later("The source is slow; the look goes on by itself." if ran.look.state.is_open else found)
