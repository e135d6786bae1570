"""Scenarios of the demo as a screen: which trouble, where, and beneath it how the system deals with it, live."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from admin_app.ui import access, live, places, words
from admin_app.ui.widgets import attempt, say_later
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.proxies import Proxy
from forwarder_core.services import accounts, forms, proxies, scenarios
from forwarder_core.services.forms import Role
from forwarder_core.services.scenarios import Trouble

_WORDS = {
    Trouble.CHALLENGE: (
        "Challenge",
        ":material/front_hand:",
        "The platform asks whether a person is there. The account and its connections pause; mark it solved and one "
        "job goes first.",
    ),
    Trouble.EXPIRED_TOKEN: (
        "Expired token",
        ":material/key_off:",
        "The sign-in ends and is not renewed. The account asks for a new sign-in; nothing is lost meanwhile.",
    ),
    Trouble.STORM: (
        "429 storm",
        ":material/thunderstorm:",
        "Ten calls are told to wait 20 s. Jobs wait, no retry burns.",
    ),
}


def show() -> None:
    core = access.core()
    st.caption("The platforms here are simulated. Make trouble, then a new post, and watch below what becomes of it.")
    simulated = [one for one in accounts.page(core, limit=1_000) if scenarios.can_post(core, one)]
    if not simulated:
        st.info("No account of a simulated platform is here.")
        return
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True):
        _at_account(simulated)
    with right, st.container(border=True):
        _at_proxy()
    _new_post([one for one in simulated if accounts.can_be(one.platform, Role.SOURCE)])
    _armed()
    st.subheader("What becomes of it")
    places.link("overview", "Banners and incidents stand on the overview", icon=":material/home:")
    live.moving_jobs()


def _at_account(simulated: list[Account]) -> None:
    st.markdown("**At an account**")
    chosen = st.selectbox("Account", simulated, format_func=lambda one: one.alias, key="scenario-account")
    for trouble, (label, icon, meaning) in _WORDS.items():
        st.caption(meaning)
        if st.button(label, icon=icon, key=f"scenario-{trouble}") and chosen is not None:
            _make(lambda who, t=trouble, a=chosen: scenarios.strike_account(access.core(), a.id, t, who=who), label)  # type: ignore[misc]


def _at_proxy() -> None:
    st.markdown("**At a proxy**")
    core = access.core()
    st.caption("It refuses every connection. After three failed checks it is unhealthy; its users move or pause.")
    known = [one for one in proxies.page(core) if one.host in ("127.0.0.1", "localhost")]
    chosen: Proxy | None = st.selectbox(
        "Proxy", known, format_func=lambda one: one.alias, key=f"scenario-proxy-{len(known)}"
    )
    if st.button("Dead proxy", icon=":material/lan:", disabled=chosen is None) and chosen is not None:
        _make(lambda who: scenarios.strike_proxy(core, chosen.id, who=who), "Dead proxy")
    if st.button("Add a simulated proxy", icon=":material/add:"):
        name = f"Simulated_{len(known) + 1:02d}"
        _make(lambda who: scenarios.make_proxy(core, name, who=who), f"Proxy {name}")


def _new_post(sources: list[Account]) -> None:
    if not sources:
        return
    titles = {spec.platform: spec.title for spec in forms.platforms()}
    with st.form("scenario-post", border=True):
        chosen = st.selectbox("A new post at", sources, format_func=lambda a: f"{a.alias} ({titles[a.platform]})")
        caption = st.text_input("Its caption", "Sunset over the harbour #travel")
        if st.form_submit_button("Post it", icon=":material/publish:") and chosen is not None:
            _make(lambda who: scenarios.post(access.core(), chosen.id, caption or "", who=who), "New post")


def _armed() -> None:
    found = attempt(lambda: scenarios.armed(access.core())) or []
    if not found:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        said = "; ".join(f"{one.fault} at {one.where}" + (f" ({one.count} left)" if one.count else "") for one in found)
        st.markdown(f":material/bolt: {words.plain(said)}", width="stretch")
        if st.button("End all trouble", icon=":material/healing:", type="primary"):
            _make(lambda who: scenarios.end_all(access.core(), who=who), "All trouble ended")


def _make(act: Callable[[str], object], said: str) -> None:
    who = access.require_user().username

    def done() -> bool:
        act(who)
        return True

    with st.spinner("Asking the simulator …"):
        is_made = attempt(done)
    if is_made:
        say_later(f"{said}: done")
        st.rerun()
