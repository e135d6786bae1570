"""Connections: the list with what each is doing, starting and stopping. A new one is made in the wizard."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from admin_app.ui import access, connection_actions, places, words
from admin_app.ui.screens import connection, wizard
from admin_app.ui.widgets import badge_of, platform_badge
from forwarder_core.domain.connections import Connection, ConnectionStatus
from forwarder_core.services import connections, overview
from forwarder_core.services.overview import ConnectionView

_PAGE = 20  # functional specification 5.2.3
_MOST = 1_000


def show() -> None:
    core = access.core()
    chosen_id = places.number("id")
    if chosen_id is not None:
        connection.show(chosen_id)
        return
    if st.query_params.get("new"):
        wizard.show()
        return
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title("Connections")
        if st.button("New connection", icon=":material/add:", type="primary"):
            wizard.begin()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        q = st.text_input("Search", placeholder="Part of the name", key="connections-q")
        status = st.selectbox("Status", ["All", *ConnectionStatus], format_func=_status_word, key="connections-status")
    found = connections.page(
        core, limit=_MOST, q=(q or "").replace("\x00", "") or None, status=() if status == "All" else (str(status),)
    )
    if not found:
        st.info("There is no connection here yet." if not q else "No connection has this in its name.")
    connection_cards(overview.connection_views(core, _page_of(found)), key="list", can_delete=True)


def _page_of(found: list[Connection]) -> list[Connection]:
    """Twenty at a time; the numbers of the pages only where there is more than one."""
    pages = -(-len(found) // _PAGE)
    if pages < 2:
        return found
    page = st.pagination(pages, key=f"connections-page-{pages}")
    st.caption(f"{len(found)} connections")
    return found[(page - 1) * _PAGE : page * _PAGE]


def connection_cards(views: list[ConnectionView], *, key: str, can_delete: bool = False) -> None:
    for view in views:
        _card(view.connection.id, [view], key, can_delete)


@st.fragment
def _card(connection_id: int, read: list[ConnectionView], key: str, can_delete: bool) -> None:
    """A press draws this card anew and no other. `read`: what the list has read of it, for the first time only."""
    core = access.core()
    with st.container(border=True, key=f"connection-{key}-{connection_id}"):
        is_changed = connection_actions.carry_out(connection_id, key)
        if not read and not is_changed:
            access.require_user()
        view = read.pop() if read and not is_changed else _view(connection_id)
        c, now = view.connection, core.clock.now()
        places.link("connections", words.plain(c.name), id=str(c.id))
        ends = (f"{platform_badge(e.platform)} {words.plain(e.alias)}" for e in (view.source, view.destination))
        st.markdown(
            f"{badge_of(words.CONNECTION[c.status])} {' → '.join(ends)}  \n:small[{' · '.join(_facts(view, now))}]"
        )
        if c.status_reason:
            st.warning(words.plain(c.status_reason), icon=":material/warning:")
        connection_actions.buttons(c, key, platform=view.destination.platform, can_delete=can_delete)


def _view(connection_id: int) -> ConnectionView:
    core = access.core()
    (view,) = overview.connection_views(core, [connections.get(core, connection_id)])
    return view


def _facts(view: ConnectionView, now: datetime) -> list[str]:
    rate = view.success_7_days
    facts = [
        f"{words.count(view.forwarded, 'post')} taken on",
        "nothing ended in 7 days" if rate is None else f"{rate:g} % succeeded in 7 days",
    ]
    if view.last_run_at is not None:
        facts.append(f"last run {words.ago(view.last_run_at, now)}")
    return facts


def _status_word(status: str) -> str:
    return status.capitalize()
