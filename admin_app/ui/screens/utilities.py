"""Utilities: what is done by hand now and then. In the demo also scenarios: trouble on purpose, and watching it end."""

from __future__ import annotations

import streamlit as st

from admin_app.ui import access, captcha, scenarios, sign_ins, words
from admin_app.ui.widgets import attempt, badge, say_later
from forwarder_core.services import challenges, connections, enqueueing, tokens
from forwarder_core.services import scenarios as simulated

_SCENARIOS = "Scenarios"


def show() -> None:
    st.title("Utilities")
    drawn = {"Mark CAPTCHA solved": _challenges, "Force refresh": _refresh, "Enqueue by URL": _enqueue}
    if simulated.is_demo(access.core()):
        drawn[_SCENARIOS] = scenarios.show
    first = next(iter(drawn))
    drawn[st.segmented_control("Show", list(drawn), default=first, key="utilities-view") or first]()


def _challenges() -> None:
    found = challenges.open_challenges(access.core())
    if not found:
        st.info("No account waits for a CAPTCHA.", icon=":material/task_alt:")
    for challenge in found:
        captcha.banner(challenge)


def _refresh() -> None:
    """Every credential that a platform renews when asked."""
    core = access.core()
    st.caption("Access tokens renew themselves. Refresh one by hand to see whether its platform still grants it.")
    after = st.session_state.get("utilities-after", 0)
    views, beyond = attempt(lambda: tokens.every(core, after=after, limit=50)) or ([], None)
    able = [view for view in views if tokens.can_refresh(view)]
    if not able:
        st.info("No account here has a token that is renewed by its platform.", icon=":material/key_off:")
    for view in able:
        with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
            badge(sign_ins.LOOKS[view.state])
            st.markdown(f"**{words.plain(view.account.alias)}**", width="content")
            refreshed = words.clock_time(view.token.refreshed_at, core.settings.zone)
            st.caption(f"{words.plain(view.facts.title)}, last refreshed {refreshed}", width="stretch")
            if st.button("Refresh now", icon=":material/sync:", key=f"force-{view.token.id}"):
                sign_ins.refresh(view)
    with st.container(horizontal=True):
        if after and st.button("First", icon=":material/first_page:"):
            del st.session_state["utilities-after"]
            st.rerun()
        if beyond is not None and st.button("More", icon=":material/chevron_right:"):
            st.session_state["utilities-after"] = beyond
            st.rerun()


def _enqueue() -> None:
    st.caption("One post is forwarded because you say so, whatever the rules of its connection decided.")
    known = connections.page(access.core(), limit=1_000)
    if not known:
        st.info("There is no connection yet.", icon=":material/link_off:")
        return
    with st.form("enqueue", border=True):
        chosen = st.selectbox("Connection", known, format_func=lambda c: c.name)
        url = st.text_input("Address of the post, or its id there", placeholder="https://www.instagram.com/reel/…")
        if not st.form_submit_button("Enqueue", type="primary", icon=":material/add_to_queue:"):
            return
    typed = (url or "").replace("\x00", "").strip()
    if chosen is None or not typed:
        st.error("Choose a connection and give the address of a post.", icon=":material/error:")
        return
    who = access.require_user().username
    made = attempt(lambda: enqueueing.enqueue(access.core(), chosen.id, typed, who=who))
    if made is not None:
        say_later(f"Job {made} queued")
        st.rerun()
