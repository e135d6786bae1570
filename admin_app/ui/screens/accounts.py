"""Accounts: what there is on each platform, whether it can be used, and the form for a new one.

The tabs and the form are drawn from the platforms' specs: a new platform folder has both without a line here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

import streamlit as st

from admin_app.ui import access, account_sheets, places, proxy_fields, sign_ins, words
from admin_app.ui.screens import account as detail
from admin_app.ui.widgets import attempt, badge, say_later, tabs
from forwarder_core.domain.accounts import Account, AccountStatus, Rights
from forwarder_core.domain.tokens import StoredToken
from forwarder_core.services import accounts, editing, forms, tokens
from forwarder_core.services.accounts import NewAccount
from forwarder_core.services.forms import ConnectorSpec

_WITHOUT_SIGN_IN = (
    AccountStatus.EXPIRY_WARNING,
    AccountStatus.TOKEN_EXPIRED,
    AccountStatus.REFRESH_FAILED,
    AccountStatus.REQUIRES_REAUTH,
)
_CARD = 330  # pixels at least: two or three beside each other on a desk, one on a telephone
_PAGE = 24
_OPEN = "accounts-platform"  # in the session: whose tab is open


def show() -> None:
    core = access.core()
    found = accounts.page(core, limit=500)
    chosen_id = st.query_params.get("id", "")
    chosen = next((one for one in found if str(one.id) == chosen_id), None)
    if chosen is not None:
        detail.show(chosen)
        _actions(chosen, is_card=False)
        return
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title("Accounts")
        is_asked = bool(st.query_params.pop("new", None))
        if st.button("Add account", icon=":material/add:", type="primary") or is_asked:
            _new_account()
    if chosen_id:
        st.warning("There is no such account.", icon=":material/search_off:")
    if not found:
        st.info("There is no account here yet. Add the one whose posts are forwarded, and the one they go to.")
    else:
        _by_platform(found)
    account_sheets.show()


def _by_platform(found: Sequence[Account]) -> None:
    """A tab for each platform there is, with accounts or without; those with most accounts first."""
    counts = Counter(one.platform for one in found)
    specs = sorted(forms.platforms(), key=lambda spec: (-counts[spec.platform], -len(spec.roles)))
    labels = {spec.platform: f"{spec.title} ({counts[spec.platform]})" for spec in specs}

    def cards(spec: ConnectorSpec) -> None:
        st.session_state[_OPEN] = spec.platform
        _cards(spec)

    drawn = {labels[spec.platform]: partial(cards, spec) for spec in specs}
    # With other numbers these are other tabs to Streamlit: the platform that was open is opened again.
    key = "-".join(["accounts-tab", *(str(counts[spec.platform]) for spec in specs)])
    tabs(drawn, key=key, first=labels.get(st.session_state.get(_OPEN, "")))


def _cards(spec: ConnectorSpec) -> None:
    """Read by themselves: what is done on one of them draws the tab alone anew."""
    core = access.core()
    shown = _page_of(accounts.page(core, platform=spec.platform, limit=500), spec.platform)
    if not shown:
        st.caption(f"There is no {spec.title} account yet.")
        return
    known = tokens.stored_of(core, [one.id for one in shown])
    with st.grid(min_column_width=_CARD):
        for one in shown:
            _card(one, known.get(one.id))


def _page_of(found: Sequence[Account], platform: str) -> Sequence[Account]:
    pages = -(-len(found) // _PAGE)
    if pages < 2:
        return found
    page = st.pagination(pages, key=f"accounts-page-{platform}-{pages}")
    return found[(page - 1) * _PAGE : page * _PAGE]


def _card(account: Account, token: StoredToken | None) -> None:
    with st.container(border=True, key=f"account-{account.id}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            badge(words.account_look(account.status))
            places.link("accounts", words.plain(account.alias), id=str(account.id))
        st.text(account.handle)
        facts = [f"rights: {words.RIGHTS[account.rights]}", f"sign-in: {sign_ins.method_word(account)}"]
        if token is not None and token.expires_at is not None:
            facts.append(_needed_by(token.expires_at))
        st.caption(words.plain(" · ".join(facts)))
        if account.status is AccountStatus.CAPTCHA_DETECTED:
            st.error("CAPTCHA detected. Mark as solved after completing challenge.", icon="⚠️")
            places.link("accounts", "Open the steps", icon=":material/task_alt:", id=str(account.id))
        elif account.status_reason:
            st.warning(words.plain(account.status_reason), icon=":material/warning:")
        _actions(account)


def _needed_by(ends: datetime) -> str:
    """Of the hour an access token lasts nothing is said: it renews itself."""
    core = access.core()
    left = (ends - core.clock.now()).total_seconds()
    until = words.clock_time(ends, core.settings.zone)
    return f"sign-in ends {until} (in {words.span(left)})" if left > 0 else f"sign-in ended {until}"


def _actions(account: Account, *, is_card: bool = True) -> None:
    core = access.core()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if is_card and account.status in _WITHOUT_SIGN_IN:
            sign_ins.authorise(account)
        if st.button("Test", icon=":material/network_check:", key=f"test-{account.id}"):
            with st.spinner("Asking the platform …"):
                name = attempt(lambda: accounts.test(core, account.id))
            if name is not None:
                st.success(f"Signed in as {words.plain(name)}")
        if is_card and st.button("Update token", icon=":material/upload_file:", key=f"update-{account.id}"):
            sign_ins.update(account)
        if st.button("Edit", icon=":material/edit:", key=f"edit-{account.id}"):
            _edit(account)
        if is_card:
            places.link("analytics", "View analytics", icon=":material/monitoring:", account=str(account.id))
        with st.popover("Delete", icon=":material/delete:"):
            st.write("An account that connections use, or that has history, is not deleted.")
            if st.button("Delete it", key=f"delete-{account.id}") and attempt(lambda: _removed(account)):
                st.rerun()


@st.dialog("Edit account")
def _edit(account: Account) -> None:
    access.require_user()
    with st.form(f"edit-{account.id}-form", border=False):
        alias = st.text_input("Alias", account.alias)
        rights = st.selectbox(
            "Rights to its posts",
            list(words.RIGHTS),
            list(words.RIGHTS).index(account.rights),
            format_func=_rights_word,
        )
        note = st.text_area("Note about the rights", account.rights_note, max_chars=2_000)
        proxy_id = proxy_fields.of_account(f"edit-{account.id}", account.proxy_id)
        if st.form_submit_button("Save", type="primary"):
            values: dict[str, Any] = {"alias": alias, "rights": rights, "rights_note": note}
            values |= {"proxy_id": proxy_id} if proxy_id != account.proxy_id else {}
            who = access.require_user().username
            if attempt(lambda: editing.change_account(access.core(), account.id, values, who=who)):
                say_later(f"Account '{alias}' changed")
                st.rerun()


@st.dialog("Add account", width="medium")
def _new_account() -> None:
    access.require_user()
    both_ways_first = sorted(forms.platforms(), key=lambda one: -len(one.roles))
    spec = st.selectbox("Platform", both_ways_first, format_func=lambda one: one.title)
    method = spec.auth_methods[0]
    if len(spec.auth_methods) > 1:
        method = st.selectbox("Way of signing in", spec.auth_methods, format_func=lambda m: m.label)
    with st.form(f"new-account-{spec.platform}-{method.name}", border=False):
        alias = st.text_input("Account alias", placeholder="TravelReels_Insta")
        handle = st.text_input(spec.handle_label)
        typed = {field.name: sign_ins.credential(field) for field in method.fields}
        rights = st.selectbox("Rights to its posts", list(words.RIGHTS), format_func=_rights_word)
        proxy_id = proxy_fields.of_account("new-account")
        is_sent = st.form_submit_button("Save", type="primary")
    if not is_sent:
        sign_ins.redirect_hint(spec.platform, method.name)
        return
    new = NewAccount(
        platform=spec.platform,
        alias=alias,
        handle=handle,
        auth_method=method.name,
        credentials={name: value for name, value in typed.items() if value},
        rights=rights,
        proxy_id=proxy_id,
    )
    made = attempt(lambda: _created(new, spec))
    if made is not None and made.status.is_usable:
        st.rerun()
    elif made is not None:
        sign_ins.next_step(made)


def _rights_word(rights: Rights) -> str:
    said = words.RIGHTS[rights]
    return said[0].upper() + said[1:]


def _created(new: NewAccount, spec: ConnectorSpec) -> Account:
    made = accounts.create(access.core(), new, who=access.require_user().username)
    say_later(f"{spec.title} account '{made.alias}' added successfully")
    return made


def _removed(account: Account) -> bool:
    accounts.remove(access.core(), account.id, who=access.require_user().username)
    say_later(f"Account '{account.alias}' deleted")
    return True
