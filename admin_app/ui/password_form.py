"""The password on the settings screen: old, new, once more, and on request a meter of how strong the new one looks."""

from __future__ import annotations

import streamlit as st

from admin_app.ui import access, places
from admin_app.ui.widgets import attempt
from forwarder_core.domain.passwords import strength
from forwarder_core.services import signing_in


def show() -> None:
    """A form, because outside of one Streamlit does not take a password that was left with the Tab key."""
    user = access.require_user()
    st.subheader("Change password")
    with st.form("password"):
        st.text_input("Username", user.username, disabled=True, autocomplete="username")
        current = st.text_input("Current password", type="password", autocomplete="current-password")
        new = st.text_input("New password", type="password", autocomplete="new-password")
        confirm = st.text_input("Confirm new password", type="password", autocomplete="new-password")
        with st.container(horizontal=True):
            wanted = st.form_submit_button("Update password", type="primary", icon=":material/key:")
            st.form_submit_button("How strong is it?", icon=":material/speed:")
        _meter(new or "")
    if not wanted:
        return
    address = str(st.context.ip_address or "this machine")

    def changed() -> bool:
        signing_in.change_password(
            access.core(), user.username, current=current or "", new=new or "", confirm=confirm or "", address=address
        )
        return True

    if attempt(changed):
        st.success("Password updated successfully. Please login again.", icon=":material/check_circle:")
        places.sign_in_link()
        places.sign_in_again()
        st.stop()


def _meter(new: str) -> None:
    """What is missing still, and how strong it looks; the word stands beside the bar."""
    missing = signing_in.broken_rules(new)
    if new:
        looks = strength(new)
        st.progress(looks.share, text=f"Strength: {looks}" + (f"; it must {', '.join(missing)}" if missing else ""))
    else:
        st.caption(f"It must {', '.join(missing[:-1])} and {missing[-1]}. Every session ends, this one too.")
