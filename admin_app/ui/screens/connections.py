"""Connections: the list with what each is doing, starting and stopping, and the form for a new one."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from admin_app.ui import access, places, words
from admin_app.ui.widgets import attempt, badge, say_later
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.connections import Connection, ConnectionStatus
from forwarder_core.domain.filters import FilterMode
from forwarder_core.domain.transforms import Quality
from forwarder_core.services import accounts, connections, editing, overview
from forwarder_core.services.connections import NewConnection
from forwarder_core.services.forms import Role
from forwarder_core.services.overview import ConnectionView

_MODES = {
    FilterMode.ALL_NEW: "Forward all new posts",
    FilterMode.KEYWORDS: "Only posts whose caption contains a keyword",
}
_QUALITIES = {
    Quality.ORIGINAL: "Original",
    Quality.OPTIMIZED: "Optimized",
    Quality.MAXIMUM_COMPATIBILITY: "Maximum compatibility",
}


def show() -> None:
    core = access.core()
    chosen_id = st.query_params.get("id", "")
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title("Connections")
        if st.button("New connection", icon=":material/add:", type="primary"):
            _new_connection()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        q = st.text_input("Search", placeholder="Part of the name", key="connections-q")
        status = st.selectbox("Status", ["All", *ConnectionStatus], format_func=_status_word, key="connections-status")
    found = connections.page(core, limit=200, q=q or None, status=() if status == "All" else (str(status),))
    if chosen_id.isdigit():
        found = [c for c in found if c.id == int(chosen_id)]
        places.link("connections", "Show all connections", icon=":material/arrow_back:")
    if not found:
        st.info("There is no connection here yet." if not q else "No connection has this in its name.")
    connection_cards(overview.connection_views(core, found), key="list", can_delete=True)


def connection_cards(views: list[ConnectionView], *, key: str, can_delete: bool = False) -> None:
    now = access.core().clock.now()
    for view in views:
        c = view.connection
        with st.container(border=True, key=f"connection-{key}-{c.id}"):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                badge(words.CONNECTION[c.status])
                st.markdown(f"**{words.plain(c.name)}**", width="content")
            ends = (f"{end.platform}: {end.alias}" for end in (view.source, view.destination))
            st.text(" → ".join(ends))
            rate = view.succeeded + view.failed
            quality = f"{100 * view.succeeded / rate:.0f} % succeeded" if rate else "nothing finished yet"
            st.caption(f"{view.forwarded} posts taken on · {quality} · last run {words.ago(c.last_run_at, now)}")
            if c.status_reason:
                st.warning(words.plain(c.status_reason), icon=":material/warning:")
            _actions(c, key, can_delete=can_delete)


def _actions(c: Connection, key: str, *, can_delete: bool) -> None:
    core, who = access.core(), access.require_user().username
    with st.container(horizontal=True, gap="small"):
        if c.status is ConnectionStatus.ACTIVE:
            _button(c, key, "Stop", ":material/stop:", lambda: _told(connections.stop(core, c.id), "stopped"))
            _button(c, key, "Pause", ":material/pause:", lambda: _told(connections.pause(core, c.id), "paused"))
            _button(c, key, "Run now", ":material/bolt:", lambda: _ran(c.id))
        elif c.status is ConnectionStatus.PAUSED:
            _button(c, key, "Resume", ":material/play_arrow:", lambda: _told(connections.resume(core, c.id), "resumed"))
            _button(c, key, "Stop", ":material/stop:", lambda: _told(connections.stop(core, c.id), "stopped"))
        else:
            _button(c, key, "Start", ":material/play_arrow:", lambda: _told(connections.start(core, c.id), "started"))
        if can_delete:
            with st.popover("Delete", icon=":material/delete:"):
                st.write("Its waiting jobs are cancelled; its history stays.")
                _button(
                    c,
                    key,
                    "Delete it",
                    ":material/delete:",
                    lambda: _told(editing.remove_connection(core, c.id, who=who), "deleted"),
                )


def _button(c: Connection, key: str, label: str, icon: str, act: Callable[[], bool]) -> None:
    if st.button(label, icon=icon, key=f"{key}-{label}-{c.id}"):
        with st.spinner(f"{label} …"):
            done = attempt(act)
        if done:
            st.rerun()


def _told(c: Connection, words_: str) -> bool:
    say_later(f"Connection '{c.name}' {words_}")
    return True


def _ran(connection_id: int) -> bool:
    ran = connections.run_now(access.core(), connection_id)
    say_later(f"{len(ran.jobs)} new posts found. Jobs queued for processing." if ran.jobs else "No new posts found.")
    return True


@st.dialog("New connection", width="medium")
def _new_connection() -> None:
    access.require_user()
    owned = accounts.page(access.core(), limit=500)
    sources = [a for a in owned if accounts.can_be(a.platform, Role.SOURCE)]
    destinations = [a for a in owned if accounts.can_be(a.platform, Role.DESTINATION)]
    if not sources or not destinations:
        st.info("A connection joins two accounts. Add the source and the destination first.")
        places.link("accounts", "Add an account", icon=":material/add:")
        return
    with st.form("new-connection", border=False):
        name = st.text_input("Name", placeholder="Travel_Insta_to_TechShorts")
        source = st.selectbox("Source account", sources, format_func=_account_word)
        other = next((n for n, a in enumerate(destinations) if a.id != sources[0].id), 0)
        destination = st.selectbox("Destination account", destinations, other, format_func=_account_word)
        mode = st.radio("Which posts", list(_MODES), format_func=lambda m: _MODES[m])
        keywords = st.text_input("Keywords, separated by commas", help="Only used with the second choice above.")
        old = st.checkbox("Also forward the posts that are there already")
        minutes = st.number_input("Look for new posts every … minutes", 1, 1_440, 5)
        quality = st.selectbox("Video quality", list(_QUALITIES), index=1, format_func=lambda q: _QUALITIES[q])
        activate = st.checkbox("Start it at once", value=True)
        if not st.form_submit_button("Save", type="primary") or source is None or destination is None:
            return
    new = NewConnection(
        name=name,
        source_account_id=source.id,
        destination_account_id=destination.id,
        filters={
            "mode": mode,
            "caption_keywords": [word.strip() for word in keywords.split(",") if word.strip()],
            "include_old_posts": old,
        },
        schedule={"type": "continuous", "check_interval_minutes": minutes},
        transform_options={"quality": quality},
    )
    _save(new, activate=activate)


def _save(new: NewConnection, *, activate: bool) -> None:
    core = access.core()
    made = attempt(lambda: connections.create(core, new))
    if made is None:
        return
    if not activate:
        say_later(f"Connection '{made.name}' created")
        st.rerun()
    with st.spinner("Looking at the source …"):
        started = attempt(lambda: connections.start(core, made.id))
    if started is None:
        st.info("The connection is stored and not active. Start it when this is mended.")
        return
    say_later(f"Connection '{made.name}' created and activated")
    st.rerun()


def _account_word(account: Account) -> str:
    return f"{account.alias} ({account.platform}: {account.handle})"


def _status_word(status: str) -> str:
    return status.capitalize()
