"""Outgoing webhooks and e-mail: set up, tested, and what became of each delivery."""

from __future__ import annotations

from typing import Any

import streamlit as st

from admin_app.ui import access, words
from admin_app.ui.widgets import attempt, say_later
from admin_app.ui.words import Look
from forwarder_core.services import mail_settings, telegram_settings, webhooks
from forwarder_core.services.mail_settings import MailSettings, Tls
from forwarder_core.services.webhooks import Webhook

STATES = {
    "sent": Look("Delivered", ":material/check_circle:", "green"),
    "waiting": Look("Waiting", ":material/schedule:", "gray"),
    "failed": Look("Tried, not taken yet", ":material/replay:", "orange"),
    "dropped": Look("Given up", ":material/error:", "red"),
}
_LOG_ROWS = 20
_SECRET = "webhook-secret"
_TLS = {Tls.STARTTLS: "STARTTLS (usually port 587)", Tls.TLS: "TLS (usually port 465)", Tls.NONE: "None"}


# ---- webhooks ---------------------------------------------------------------------------------------------------


def hooks() -> None:
    core = access.core()
    if secret := st.session_state.pop(_SECRET, None):
        st.success("Copy the secret now: it is not shown again. Receivers check each call's signature with it.")
        st.code(secret, language=None)
    known = webhooks.page(core)
    if not known:
        st.info("No webhook yet. Each alert can be sent to addresses of yours, signed with a secret.")
    for one in known:
        _hook(one)
    with st.expander("Add a webhook", icon=":material/add:", expanded=not known):
        _form(None)


def _hook(one: Webhook) -> None:
    core, who = access.core(), access.require_user().username
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{words.plain(one.name)}**", width="content")
            st.badge("On" if one.enabled else "Off", color="green" if one.enabled else "gray")
            st.text(words.short(one.url, 80), width="stretch")
        with st.container(horizontal=True, gap="small"):
            if st.button("Test", key=f"hook-test-{one.id}", icon=":material/send:"):
                answered = attempt(lambda: webhooks.test(core, one.id))
                if answered is not None:
                    st.success(f"The receiver answered {answered}.", icon=":material/check_circle:")
            with st.popover("Change", icon=":material/edit:"):
                _form(one)
            with st.popover("New secret", icon=":material/key:"):
                st.write("From now on another secret signs; the receiver must know it.")
                if st.button("Replace it", key=f"hook-secret-{one.id}"):
                    _show_secret(attempt(lambda: webhooks.new_secret(core, one.id, who=who)))
            with st.popover("Delete", icon=":material/delete:"):
                st.write("With what still waits for it, and its log.")
                if st.button("Delete it", key=f"hook-delete-{one.id}"):
                    _delete(one.id, who)
        with st.expander("Deliveries", icon=":material/history:"):
            _log(one.id)


def _form(one: Webhook | None) -> None:
    """Of a new webhook, or of one that is there."""
    key = f"hook-{one.id if one else 'new'}"
    titles = {p.kind: p.title for p in telegram_settings.preferences(access.core())}
    with st.form(key, border=False, clear_on_submit=one is None):
        name = st.text_input("Name", one.name if one else "", max_chars=120)
        url = st.text_input("Address", one.url if one else "", placeholder="https://hooks.example.com/forwarder")
        kinds = st.multiselect(
            "Only these kinds (empty = all that are usually on)",
            list(titles),
            default=[kind for kind in one.kinds if kind in titles] if one else [],
            format_func=lambda kind: titles[kind],
        )
        enabled = st.checkbox("Alerts are sent to it", one.enabled if one else True)
        if not st.form_submit_button("Save", type="primary", icon=":material/save:"):
            return
    values = {"name": name.replace("\x00", "").strip(), "url": url.strip(), "kinds": kinds, "enabled": enabled}
    core, who = access.core(), access.require_user().username
    if one is None:
        _show_secret(attempt(lambda: webhooks.create(core, values, who=who)))
    elif attempt(lambda: webhooks.change(core, one.id, values, who=who)) is not None:
        say_later("Webhook saved")
        st.rerun()


def _show_secret(made: webhooks.Made | None) -> None:
    if made is not None:
        st.session_state[_SECRET] = made.secret
        st.rerun()


def _delete(webhook_id: int, who: str) -> None:
    def act() -> bool:
        webhooks.remove(access.core(), webhook_id, who=who)
        return True

    if attempt(act):
        say_later("Webhook deleted")
        st.rerun()


def _log(webhook_id: int) -> None:
    zone = access.core().settings.zone
    found = webhooks.deliveries(access.core(), webhook_id, limit=_LOG_ROWS)
    if not found:
        st.caption("Nothing was to be delivered yet.")
        return
    looks = [STATES["failed" if one.state == "waiting" and one.last_error else one.state] for one in found]
    st.dataframe(
        {
            "Alert": [words.clock_time(one.created_at, zone) for one in found],
            "Kind": [one.kind for one in found],
            "Delivery": [look.word for look in looks],
            "Attempts": [one.attempts for one in found],
            "Answer": [str(one.status_code or "") for one in found],
            "Last error": [one.last_error or "" for one in found],
        },
        hide_index=True,
        width="stretch",
    )


# ---- e-mail -----------------------------------------------------------------------------------------------------


def mail() -> None:
    core = access.core()
    stored = mail_settings.get(core)
    with st.form("mail", border=True):
        values = _mail_fields(stored)
        with st.container(horizontal=True, gap="small"):
            wants_save = st.form_submit_button("Save", type="primary", icon=":material/save:")
            wants_test = st.form_submit_button("Send a test mail", icon=":material/send:")
    st.caption("The same kinds of alerts are mailed that Telegram gets; several of one cause become one mail.")
    if wants_save:
        who = access.require_user().username
        if attempt(lambda: mail_settings.change(core, values, who=who)) is not None:
            say_later("E-mail settings saved")
            st.rerun()
    if wants_test:
        _test_mail()


def _mail_fields(stored: MailSettings) -> dict[str, Any]:
    ways = list(_TLS)
    left, right = st.columns(2)
    with left:
        host = st.text_input("Mail server", stored.host, placeholder="smtp.example.com")
        username = st.text_input("User (optional)", stored.username or "", autocomplete="off")
        sender = st.text_input("From", stored.sender, placeholder="forwarder@example.com")
        tls = st.selectbox("Encryption", ways, index=ways.index(stored.tls), format_func=lambda way: _TLS[way])
    with right:
        port = st.number_input("Port", 1, 65_535, stored.port)
        password = st.text_input(
            "Password",
            type="password",
            placeholder="stored; leave empty to keep it" if stored.has_password else "",
            autocomplete="off",
        )
        recipients = st.text_input("To (separated by commas)", ", ".join(stored.recipients))
    enabled = st.checkbox("Send alerts by e-mail", stored.enabled)
    return {
        "enabled": enabled,
        "host": host.strip(),
        "port": int(port),
        "tls": tls.value,
        "username": username.strip() or None,
        "sender": sender.strip(),
        "recipients": [part for part in recipients.replace(",", " ").split() if part],
        **({"password": password} if password else {}),
    }


def _test_mail() -> None:
    def act() -> bool:
        mail_settings.test(access.core())
        return True

    with st.spinner("Asking the mail server …"):
        arrived = attempt(act)
    if arrived:
        st.success("The mail server took the test mail.", icon=":material/check_circle:")
