"""Connections: the list with what each is doing, starting and stopping, and the form for a new one."""

from __future__ import annotations

import streamlit as st

from admin_app.ui import access, connection_actions, places, rule_fields, video_options, words
from admin_app.ui.screens import connection
from admin_app.ui.widgets import attempt, badge, say_later
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.connections import ConnectionStatus
from forwarder_core.domain.filters import FilterMode
from forwarder_core.services import accounts, connections, overview
from forwarder_core.services.connections import NewConnection
from forwarder_core.services.forms import Role
from forwarder_core.services.overview import ConnectionView

_MODES = {
    FilterMode.ALL_NEW: "Forward all new posts",
    FilterMode.KEYWORDS: "Only posts whose caption contains a keyword",
}


def show() -> None:
    core = access.core()
    chosen_id = st.query_params.get("id", "")
    if chosen_id.isdigit():
        connection.show(int(chosen_id))
        return
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title("Connections")
        if st.button("New connection", icon=":material/add:", type="primary"):
            _new_connection()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        q = st.text_input("Search", placeholder="Part of the name", key="connections-q")
        status = st.selectbox("Status", ["All", *ConnectionStatus], format_func=_status_word, key="connections-status")
    found = connections.page(core, limit=200, q=q or None, status=() if status == "All" else (str(status),))
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
                places.link("connections", words.plain(c.name), id=str(c.id))
            ends = (f"{end.platform}: {end.alias}" for end in (view.source, view.destination))
            st.text(" → ".join(ends))
            rate = view.succeeded + view.failed
            quality = f"{100 * view.succeeded / rate:.0f} % succeeded" if rate else "nothing finished yet"
            st.caption(f"{view.forwarded} posts taken on · {quality} · last run {words.ago(c.last_run_at, now)}")
            if c.status_reason:
                st.warning(words.plain(c.status_reason), icon=":material/warning:")
            connection_actions.buttons(c, key, platform=view.destination.platform, can_delete=can_delete)


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
        wanted = rule_fields.filters("new-connection")
        schedule = rule_fields.schedule("new-connection")
        with st.expander("Words", icon=":material/edit_note:"):
            wording = rule_fields.wording_fields("new-connection")
        with st.expander("Video", icon=":material/movie:"):
            video = video_options.fields("new-connection")
        activate = st.checkbox("Start it at once", value=True)
        if not st.form_submit_button("Save", type="primary") or source is None or destination is None:
            return
    new = NewConnection(
        name=name,
        source_account_id=source.id,
        destination_account_id=destination.id,
        filters=wanted,
        schedule=schedule,
        publish_options=wording,
        transform_options=video,
    )
    _save(new, activate=activate)


def _save(new: NewConnection, *, activate: bool) -> None:
    core = access.core()
    who = access.require_user().username
    made = attempt(lambda: connections.create(core, new, who=who))
    if made is None:
        return
    if not activate:
        say_later(f"Connection '{made.name}' created")
        st.rerun()
    with st.spinner("Looking at the source …"):
        started = attempt(lambda: connections.start(core, made.id, who=who))
    if started is None:
        st.info("The connection is stored and not active. Start it when this is mended.")
        return
    connection_actions.told(started, "created and activated")
    st.rerun()


def _account_word(account: Account) -> str:
    return f"{account.alias} ({account.platform}: {account.handle})"


def _status_word(status: str) -> str:
    return status.capitalize()
