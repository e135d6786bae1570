"""The script Streamlit runs for every tab: who is there, which screens there are, and the frame around them.

The fact to know: the guard in front has refused everybody without a session already; here it is proven again, because a
tab lives on after the sign-out.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from admin_app.ui import access, heap, places
from admin_app.ui.screens import (
    accounts,
    agenda,
    analytics,
    connections,
    jobs,
    library,
    logs,
    notifications,
    overview,
    proxies,
    settings,
    templates,
    utilities,
)
from admin_app.ui.widgets import say_now
from admin_app.ui.words import plain

ICON = Path(__file__).parent / "icon.png"


def main() -> None:
    core = access.core()
    st.set_page_config(page_title=core.settings.app_name, page_icon=ICON, layout="wide")
    user = access.require_user()
    screens = {
        "overview": st.Page(overview.show, title="Overview", icon=":material/home:", url_path="overview", default=True),
        "connections": st.Page(connections.show, title="Connections", icon=":material/link:", url_path="connections"),
        "accounts": st.Page(accounts.show, title="Accounts", icon=":material/person:", url_path="accounts"),
        "proxies": st.Page(proxies.show, title="Proxies", icon=":material/lan:", url_path="proxies"),
        "jobs": st.Page(jobs.show, title="Jobs", icon=":material/list_alt:", url_path="jobs"),
        "logs": st.Page(logs.show, title="Logs", icon=":material/article:", url_path="logs"),
        "calendar": st.Page(agenda.show, title="Calendar", icon=":material/calendar_month:", url_path="calendar"),
        "library": st.Page(library.show, title="Library", icon=":material/video_library:", url_path="library"),
        "analytics": st.Page(analytics.show, title="Analytics", icon=":material/monitoring:", url_path="analytics"),
        "notifications": st.Page(
            notifications.show, title="Notifications", icon=":material/notifications:", url_path="notifications"
        ),
        "templates": st.Page(templates.show, title="Templates", icon=":material/image:", url_path="templates"),
        "utilities": st.Page(utilities.show, title="Utilities", icon=":material/build:", url_path="utilities"),
        "settings": st.Page(settings.show, title="Settings", icon=":material/settings:", url_path="settings"),
    }
    places.remember(screens)
    chosen = st.navigation(list(screens.values()), expanded=True)
    with st.sidebar:
        st.caption(f"Signed in as **{plain(user.username)}**")
        st.link_button("Dagster", "/dagster/", icon=":material/account_tree:", width="stretch")
        st.link_button("API", "/api/docs", icon=":material/api:", width="stretch")
        places.frame()
        st.caption(f"Times are {core.settings.timezone}.")
    say_now()
    chosen.run()
    heap.set_aside()


main()
