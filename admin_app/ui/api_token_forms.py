"""API tokens on the settings screen: made, listed, revoked. A token is shown once, right after it was made."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from admin_app.ui import access, words
from admin_app.ui.widgets import attempt, say_later
from forwarder_core.domain.machines import Scope
from forwarder_core.services import api_tokens
from forwarder_core.services.api_tokens import ApiToken

_MEANINGS = {
    Scope.READ: "read: look at everything",
    Scope.WRITE: "write: change what is forwarded as well",
    Scope.ADMIN: "admin: settings and tokens as well",
}
_LASTS = {30: "30 days", 90: "90 days", 365: "a year", 0: "until it is revoked"}
_MOST = 200


def show() -> None:
    st.subheader("API tokens")
    st.caption("For programs that call the API: `Authorization: Bearer …`. Only a token's hash is kept.")
    _new()
    found = api_tokens.page(access.core(), after=0, limit=_MOST)
    if not found:
        st.info("There is no API token yet.", icon=":material/key:")
    for token in found:
        _row(token)


def _new() -> None:
    user = access.require_user()
    with st.form("api-token", border=True, clear_on_submit=True):
        name = st.text_input("Name", placeholder="grafana", max_chars=100)
        scope = st.selectbox("It may", list(_MEANINGS), format_func=lambda s: _MEANINGS[s])
        days = st.selectbox("It lasts", list(_LASTS), 1, format_func=lambda d: _LASTS[d])
        if not st.form_submit_button("Make a token", type="primary", icon=":material/add:"):
            return
    clean = (name or "").replace("\x00", "").strip()
    if not clean:
        st.error("Give it a name: it stands in the audit log.", icon=":material/error:")
        return
    core = access.core()
    ends = core.clock.now() + timedelta(days=days) if days else None
    made = attempt(
        lambda: api_tokens.make(
            core, user_id=user.user_id, name=clean, scope=scope or Scope.READ, expires_at=ends, who=user.username
        )
    )
    if made is not None:
        st.success("Copy it now: it is not shown again.", icon=":material/key:")
        st.code(made.token, language=None)


def _row(token: ApiToken) -> None:
    core = access.core()
    zone = core.settings.zone
    has_ended = token.expires_at is not None and token.expires_at <= core.clock.now()
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small", key=f"token-{token.id}"):
        st.badge(str(token.scope), icon=":material/key:", color="gray" if has_ended else "blue")
        st.markdown(f"**{words.plain(token.name)}** …{words.plain(token.hint)}", width="content")
        used = (
            f"last used {words.clock_time(token.used_at, zone)} from {token.used_from}" if token.used_at else "not used"
        )
        ends = (
            f"{'ended' if has_ended else 'ends'} {words.clock_time(token.expires_at, zone)}" if token.expires_at else ""
        )
        facts = [f"made {words.clock_time(token.created_at, zone)}", used, ends]
        st.caption(words.plain(" · ".join(fact for fact in facts if fact)), width="stretch")
        with st.popover("Revoke", icon=":material/block:"):
            st.write("Whatever calls with it is refused from now on.")
            if st.button("Revoke it", type="primary", key=f"revoke-{token.id}"):
                _revoke(token)


def _revoke(token: ApiToken) -> None:
    who = access.require_user().username
    gone = attempt(lambda: api_tokens.revoke(access.core(), token.id, who=who))
    if gone is not None:
        say_later(f"API token '{gone.name}' revoked")
        st.rerun()
