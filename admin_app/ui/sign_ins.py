"""An account's sign-in on its screens: how long each credential lasts, and what a person can do about it.

What lives here: the facts, the way to the platform's own page, handing in new credentials, the alert settings. What
does not: the sign-in that asks for a code (captcha). The fact to know: the way out to a platform opens a tab of its own
and comes back to a page of the door, so nothing here waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import streamlit as st

from admin_app.ui import access, words
from admin_app.ui.widgets import attempt, badge, say_later
from admin_app.ui.words import Look
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.tokens import TokenState, alert_settings
from forwarder_core.services import editing, forms, tokens, web_sign_in
from forwarder_core.services.forms import CredentialField
from forwarder_core.services.tokens import TokenView

LOOKS = {
    TokenState.VALID: Look("Valid", ":material/check_circle:", "green"),
    TokenState.EXPIRING: Look("Ends soon", ":material/warning:", "orange"),
    TokenState.EXPIRED: Look("Expired", ":material/error:", "red"),
    TokenState.REFRESH_FAILED: Look("Refresh failed", ":material/sync_problem:", "orange"),
    TokenState.NOT_SIGNED_IN: Look("Not signed in", ":material/login:", "orange"),
}
_CHANNELS = {"telegram": "Telegram", "email": "E-mail", "webhook": "Webhooks"}


def panel(account: Account) -> None:
    """The account's credentials, its own first."""
    with st.container(border=True, key=f"credentials-{account.id}"):
        st.subheader("Sign-in")
        for view in attempt(lambda: tokens.of_account(access.core(), account.id)) or ():
            _credential(view)
        with st.container(horizontal=True, gap="small"):
            authorise(account)
            if st.button("Update token", icon=":material/upload_file:", key=f"update-{account.id}"):
                update(account)
            with st.popover("Alert settings", icon=":material/notifications:"):
                _alerts(account)


def authorise(account: Account, *, is_first: bool = False) -> None:
    """The way to the platform's own page, where this account has one."""
    page = web_sign_in.page_of(account)
    if page is not None:
        is_urgent = is_first or not account.status.is_usable
        kind: Literal["primary", "secondary"] = "primary" if is_urgent else "secondary"
        st.link_button("Authorise", f"/accounts/{account.id}/authorise", icon=":material/login:", type=kind)


def next_step(account: Account) -> None:
    """What is left to do with an account just made that is not signed in."""
    page = web_sign_in.page_of(account)
    if page is None:
        return
    st.success(
        f"Account '{words.plain(account.alias)}' added. It is not signed in yet.", icon=":material/check_circle:"
    )
    warning = attempt(lambda: web_sign_in.warning_of(access.core(), account))
    if warning:
        st.warning(words.plain(warning), icon=":material/warning:")
        st.code(page.redirect_uri(access.core()), language=None)
    authorise(account, is_first=True)


def redirect_hint(platform: str, auth_method: str) -> None:
    """What to register at the platform before a sign-in on its page can come back."""
    address = web_sign_in.redirect_uri_of(access.core(), platform, auth_method)
    if address is not None:
        st.caption("For the sign-in on the platform's own page, register this redirect URI there first:")
        st.code(address, language=None)


def _credential(view: TokenView) -> None:
    core = access.core()
    zone, now = core.settings.zone, core.clock.now()
    facts, token = view.facts, view.token
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        badge(LOOKS[view.state])
        name = f"{facts.title}: {token.label}" if token.label else facts.title
        st.text(name, width="content")
    shown = {
        "Signed in": words.clock_time(facts.issued_at, zone) if facts.issued_at else "not known",
        "Last refreshed": words.clock_time(token.refreshed_at, zone) if token.refreshed_at else "not yet",
        "You are needed by": "no date known",
        "Then": facts.by_hand,
        "Stops with it": f"{view.connections} connection{'' if view.connections == 1 else 's'}",
    }
    if view.next_action_at is not None:
        left = (view.next_action_at - now).total_seconds()
        when = f"in {words.span(left)}" if left > 0 else f"{words.span(-left)} ago"
        shown["You are needed by"] = f"{words.clock_time(view.next_action_at, zone)} ({when})"
    if facts.access_expires_at is not None and facts.access_expires_at != view.next_action_at:
        renewed = ", renewed by itself" if tokens.can_refresh(view) else ""
        shown["Access token until"] = words.clock_time(facts.access_expires_at, zone) + renewed
    if token.last_error:
        shown["Last refresh failed"] = token.last_error
    values = [words.plain(value) for value in shown.values()]
    st.table({"": list(shown), "Value": values}, hide_index=True, hide_header=True, border=False)
    with st.container(horizontal=True, gap="small"):
        if tokens.can_refresh(view) and st.button("Refresh now", icon=":material/sync:", key=f"refresh-{token.id}"):
            refresh(view)
        if not token.is_own:
            _further(view)


def refresh(view: TokenView) -> None:
    who = access.require_user().username
    with st.spinner("Asking the platform …"):
        done = attempt(lambda: tokens.refresh(access.core(), view.token.id, who=who))
    if done is not None:
        say_later(f"Token of '{view.account.alias}' refreshed")
        st.rerun()


def _further(view: TokenView) -> None:
    """What only a credential beside the account's own one has: it can be authorised by itself, and be taken away."""
    if web_sign_in.page_of(view.account) is not None:
        address = f"/accounts/{view.account.id}/authorise?token_id={view.token.id}"
        st.link_button("Authorise this one", address, icon=":material/login:")
    who = access.require_user().username
    if st.button("Delete it", icon=":material/delete:", key=f"remove-token-{view.token.id}"):

        def removed() -> bool:
            tokens.remove(access.core(), view.token.id, who=who)
            return True

        if attempt(removed):
            say_later(f"Credential '{view.token.label}' deleted")
            st.rerun()


def method_word(account: Account) -> str:
    known = (method for spec in forms.platforms() if spec.platform == account.platform for method in spec.auth_methods)
    return next((method.label for method in known if method.name == account.auth_method), account.auth_method)


@st.dialog("Update token", width="medium")
def update(account: Account) -> None:
    """New credentials handed in, for the account or beside its own."""
    access.require_user()
    st.markdown(f"**{words.plain(account.alias)}**")
    method = forms.auth_method(account.platform, account.auth_method)
    st.caption("What is left empty stays as it is. Whose the new credentials are is asked before they are kept.")
    with st.form(f"update-token-{account.id}", border=False):
        typed = {field.name: credential(field, is_update=True) for field in method.fields}
        label = st.text_input(
            "Label of a further credential (optional)",
            help="Leave empty for the account's own. A connection can publish with a further one.",
            max_chars=60,
        )
        is_sent = st.form_submit_button("Save", type="primary")
    redirect_hint(account.platform, account.auth_method)
    if is_sent:
        _handed_in(account, {name: value for name, value in typed.items() if value}, label or "")


def _handed_in(account: Account, fields: Mapping[str, str], label: str) -> None:
    who = access.require_user().username
    with st.spinner("Asking the platform whose they are …"):
        done = attempt(lambda: tokens.upload(access.core(), account.id, fields, who=who, label=label))
    if done is not None:
        say_later(f"Credentials of '{account.alias}' updated")
        st.rerun()


def _alerts(account: Account) -> None:
    said = alert_settings(account.alerts)
    with st.form(f"alerts-{account.id}", border=False):
        is_on = st.checkbox("Warn before a sign-in ends", said.enabled)
        before = st.text_input("Days before, one number or several", ", ".join(map(str, sorted(said.before_days))))
        names = list(_CHANNELS)
        chosen = [name for name in said.channels if name in names]
        roads = st.multiselect("Roads (none chosen: all)", names, chosen, format_func=lambda name: _CHANNELS[name])
        if not st.form_submit_button("Save", type="primary"):
            return
    days = [part.strip() for part in (before or "").split(",") if part.strip()]
    if not days or not all(day.isdigit() and int(day) <= 365 for day in days):
        st.error("The days must be numbers from 0 to 365, such as 7, 2.")
        return
    values = {"alerts": {"enabled": is_on, "before_days": sorted({int(day) for day in days}), "channels": roads}}
    who = access.require_user().username
    if attempt(lambda: editing.change_account(access.core(), account.id, values, who=who)):
        say_later("Alert settings saved")
        st.rerun()


def credential(field: CredentialField, *, is_update: bool = False) -> str:
    """One field of a way of signing in; "" where nothing was given."""
    label = field.label if field.is_required and not is_update else f"{field.label} (optional)"
    if field.is_file:
        kinds = ["json", "txt"]
        uploaded = st.file_uploader(label, type=kinds, help=field.help or None, max_upload_size=1)
        return "" if uploaded is None else uploaded.getvalue().decode("utf-8", "replace")
    if field.choices:
        said = {"": "–", **dict(field.choices)}
        return st.selectbox(label, list(said), format_func=said.__getitem__, help=field.help or None) or ""
    return st.text_input(label, type="password" if field.is_secret else "default", help=field.help or None) or ""
