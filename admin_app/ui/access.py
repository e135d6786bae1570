"""Who looks at a screen: the session behind the browser's cookie, proven again at every run and every live tick.

The fact to know: Streamlit keeps one WebSocket per tab, with the cookies of the moment it was opened. A run that asks
the database again is what ends a tab whose session was ended elsewhere.
"""

from __future__ import annotations

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from admin_app.auth import SESSION_COOKIE
from admin_app.process import this_core
from admin_app.ui import places
from forwarder_core.services import signing_in
from forwarder_core.services.context import Core
from forwarder_core.services.signing_in import SignedIn


def require_user(*, is_use: bool = True) -> SignedIn:
    """The signed-in user; ends the run with a way to the sign-in page where there is none."""
    try:
        found = signing_in.session_of(this_core(), st.context.cookies.get(SESSION_COOKIE), is_use=is_use)
    except SQLAlchemyError:
        st.error("The database does not answer. Reload in a few seconds.", icon=":material/cloud_off:")
        st.stop()
    if found is None:
        st.warning("Session expired. Please login again.", icon=":material/lock:")
        places.sign_in_link()
        st.stop()
    return found


def core() -> Core:
    return this_core()
