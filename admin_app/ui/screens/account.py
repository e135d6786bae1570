"""One account: whether it works, what it needs from a person, and the connections that use it."""

from __future__ import annotations

import streamlit as st

from admin_app.ui import access, analytics_tabs, captcha, downloads, places, quota_panels, sign_ins, words
from admin_app.ui.widgets import attempt, badge, platform_badge, platform_title
from forwarder_core.domain.accounts import Account
from forwarder_core.services import accounts, analytics, challenges, interactive_login, overview, proxies
from forwarder_core.services.forms import Role

_RESOLVE = "captcha-resolve"  # what the link in an alert wants to do here


def show(account: Account) -> None:
    places.link("accounts", "All accounts", icon=":material/arrow_back:")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title(words.plain(account.alias), width="content")
        badge(words.account_look(account.status))
        st.markdown(platform_badge(account.platform), width="content")
    challenge = attempt(lambda: challenges.challenge_of(access.core(), account.id))
    if challenge is not None:
        captcha.banner(challenge, is_here=True, is_open=st.query_params.get("do") == _RESOLVE)
    elif st.query_params.get("do") == _RESOLVE:
        st.success("No CAPTCHA is open for this account: it has been solved.", icon=":material/task_alt:")
    elif account.status_reason:
        st.warning(words.plain(account.status_reason), icon=":material/warning:")
    _information(account)
    sign_ins.panel(account)
    if challenge is None and interactive_login.can_sign_in(account):
        with st.container(border=True):
            captcha.sign_in_panel(account)
    if accounts.can_be(account.platform, Role.DESTINATION):
        quota_panels.pace_form(account)
    if accounts.can_be(account.platform, Role.SOURCE):
        downloads.panel(account)
    _connections(account)
    _last_days(account)


def _information(account: Account) -> None:
    core = access.core()
    zone = core.settings.zone
    facts = {
        "Platform": platform_title(account.platform),
        "Handle": account.handle,
        "Id at the platform": account.remote_id or "not known yet; press Test",
        "Way of signing in": sign_ins.method_word(account),
        "Rights to its posts": words.RIGHTS[account.rights],
        "Proxy": _proxy(account),
        "Added": words.clock_time(account.created_at, zone),
    }
    with st.container(border=True):
        values = [words.plain(value) for value in facts.values()]
        st.table({"": list(facts), "Value": values}, hide_index=True, hide_header=True, border=False)


def _proxy(account: Account) -> str:
    if account.proxy_id is None:
        return "none of its own"
    known = attempt(lambda: proxies.get(access.core(), account.proxy_id or 0))
    return f"{known.alias} ({known.address})" if known else "–"


def _connections(account: Account) -> None:
    core = access.core()
    st.subheader("Connections")
    used = overview.connection_views(core, accounts.used_by(core, account.id))
    if not used:
        st.caption("No connection uses this account yet.")
    for view in used:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            badge(words.CONNECTION[view.connection.status])
            places.link("connections", words.plain(view.connection.name), id=str(view.connection.id))
            if view.connection.status_reason:
                st.caption(words.plain(view.connection.status_reason), width="content")
    with st.container(horizontal=True, gap="small"):
        places.link("jobs", "Jobs of this account", icon=":material/list_alt:", account=str(account.id))
        failed = {"account": str(account.id), "status": "dead"}
        places.link("jobs", "Its failures", icon=":material/error:", **failed)


def _last_days(account: Account) -> None:
    core = access.core()
    days = analytics.period(core)
    found = attempt(lambda: analytics.account(core, account.id, days))
    if found is not None:
        st.subheader("Last 30 days")
        analytics_tabs.counting(found[0].uncounted, len(days.days))
        analytics_tabs.account_figures(found[0])
