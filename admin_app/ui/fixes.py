"""What to mend first: the fixes with most uptime in them, each with the button that does it."""

from __future__ import annotations

import streamlit as st

from admin_app.ui import access, places, sign_ins, words
from admin_app.ui.widgets import attempt, say_later
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.analytics import Fix
from forwarder_core.services import analytics_tables, bulk, fixing, interactive_login, proxy_health, web_sign_in
from forwarder_core.services.analytics import View
from forwarder_core.services.fixing import Offer, Remedy


def section(view: View) -> None:
    st.subheader("What to mend first")
    if not view.fixes:
        st.caption("Nothing failed in these days. What costs most uptime is listed here, with the way to mend it.")
        return
    for offer in attempt(lambda: fixing.offers(access.core(), view)) or ():
        _card(offer)


def _card(offer: Offer) -> None:
    fix = offer.fix
    with st.container(border=True, key=f"fix-{fix.code}-{fix.account_id}"):
        alias = words.plain(offer.account.alias if offer.account else str(fix.account_id))
        st.markdown(f"**{words.plain(analytics_tables.title(fix.code))}** at {alias}: {_gain(fix)}")
        if offer.action:
            st.caption(words.plain(offer.action))
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            _remedy(offer)
            if offer.letters:
                _retry_all(offer)
            places.link("accounts", "To the account", icon=":material/build:", id=str(fix.account_id))
            places.link("jobs", "Its jobs", icon=":material/list_alt:", error=fix.code, account=str(fix.account_id))


def _gain(fix: Fix) -> str:
    failed = f"{fix.jobs} failed for good"
    if not fix.days:
        return f"{failed}, on days with other successes"
    return f"+{fix.gain:.1f} points of uptime (days without a success: {fix.days}; {failed})"


def _remedy(offer: Offer) -> None:
    if offer.account is None:
        return
    if offer.remedy is Remedy.CHALLENGE:
        here = {"id": str(offer.account.id), "do": "captcha-resolve"}
        places.link("accounts", "Open the challenge", icon=":material/verified_user:", **here)
    elif offer.remedy is Remedy.SIGN_IN:
        _sign_in(offer.account, offer.fix.code)
    elif offer.remedy is Remedy.TEST_PROXY:
        _test_proxies(offer)


def _sign_in(account: Account, code: str) -> None:
    if web_sign_in.page_of(account) is not None:
        sign_ins.authorise(account)
    elif interactive_login.can_sign_in(account) and st.button(
        "Sign in again", icon=":material/login:", key=f"fix-sign-in-{code}-{account.id}"
    ):
        who = access.require_user().username
        if attempt(lambda: interactive_login.request(access.core(), account.id, who=who)) is not None:
            say_later(f"Signing in to {account.alias}; a code it asks for is entered on the account's page")
            st.rerun()


def _test_proxies(offer: Offer) -> None:
    if not st.button("Test the proxies", icon=":material/network_check:", key=f"fix-proxy-{offer.fix.account_id}"):
        return
    with st.spinner("Testing every proxy …"):
        every = attempt(lambda: proxy_health.check_all(access.core()))
    if every is not None:
        say_later(" ".join(checked.summary for checked in every) or "There is no proxy to test")
        st.rerun()


def _retry_all(offer: Offer) -> None:
    fix = offer.fix
    label = f"Retry all {offer.letters}"
    if st.button(label, icon=":material/replay:", key=f"fix-retry-{fix.code}-{fix.account_id}"):
        who = access.require_user().username
        moved = attempt(lambda: bulk.retry_all(access.core(), fix.code, who=who))
        if moved is not None:
            say_later(f"{len(moved)} jobs queued for retry")
            st.rerun()
