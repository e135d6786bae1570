"""The second factor on the settings screen: on with an authenticator app, its recovery codes, and off again."""

from __future__ import annotations

import segno
import streamlit as st

from admin_app.ui import access, places
from admin_app.ui.widgets import attempt, say_later
from forwarder_core.services import second_factor

_SHOWN, _CODES = "second-factor-proposed", "second-factor-codes"


def show() -> None:
    user = access.require_user()
    core = access.core()
    st.subheader("Second factor")
    _recovery_codes()
    standing = attempt(lambda: second_factor.standing(core, user.username))
    if standing is None:
        return
    if standing.is_on:
        st.markdown(f":material/verified_user: **On.** {standing.codes_left} recovery codes are left.")
        _off(user.username)
    elif _SHOWN in st.session_state:
        _on(user.username)
    else:
        st.caption("Optional: a code of an authenticator app is asked for at sign-in, after the password.")
        if st.button("Set it up", icon=":material/add_moderator:"):
            st.session_state[_SHOWN] = attempt(lambda: second_factor.propose(core, user.username))
            st.rerun()


def _on(username: str) -> None:
    proposal = st.session_state[_SHOWN]
    if proposal is None:
        del st.session_state[_SHOWN]
        return
    st.markdown("1. Let an authenticator app read this picture, or enter the secret below it there.")
    places.drawing(_code_of(proposal.uri), "The secret as a QR code")
    st.code(proposal.secret, language=None)
    with st.expander("As an address"):
        st.code(proposal.uri, language=None, wrap_lines=True)
    st.markdown("2. Enter the code it shows.")
    with st.form("second-factor-on", border=False):
        code = st.text_input("Code", max_chars=10, autocomplete="one-time-code")
        if not st.form_submit_button("Switch it on", type="primary", icon=":material/verified_user:"):
            return
    codes = attempt(lambda: second_factor.confirm(access.core(), username, code or "", address=_address()))
    if codes is not None:
        del st.session_state[_SHOWN]
        st.session_state[_CODES] = codes
        st.rerun()


def _code_of(uri: str) -> str:
    """As a data URI, dark on white whatever the theme: some readers know nothing else."""
    return str(segno.make(uri, error="m", micro=False).svg_data_uri(scale=5, dark="#000", light="#fff"))


def _recovery_codes() -> None:
    """Shown once, until they were said to be kept."""
    codes = st.session_state.get(_CODES)
    if not codes:
        return
    st.success("The second factor is on. Keep these recovery codes: they are not shown again.", icon=":material/key:")
    st.code("\n".join(codes), language=None)
    if st.button("I have kept them", icon=":material/check:"):
        del st.session_state[_CODES]
        st.rerun()


def _off(username: str) -> None:
    with st.popover("Switch it off", icon=":material/remove_moderator:"), st.form("second-factor-off", border=False):
        code = st.text_input("Code, or a recovery code", max_chars=40, autocomplete="one-time-code")
        if not st.form_submit_button("Switch it off"):
            return

    def ended() -> bool:
        second_factor.end(access.core(), username, code or "", address=_address())
        return True

    if attempt(ended):
        say_later("Second factor off")
        st.rerun()


def _address() -> str:
    return str(st.context.ip_address or "this machine")
