"""Notifications: do alerts arrive, Telegram set up and tested, which kinds are wanted, and everything that was said."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import streamlit as st

from admin_app.ui import access, places, telegram_commands, webhook_forms, words
from admin_app.ui.widgets import attempt, badge_column, say_later, tabs
from admin_app.ui.words import Look
from forwarder_core.errors import Severity
from forwarder_core.services import notifying, telegram_settings
from forwarder_core.services.notifying import Notification
from forwarder_core.services.telegram_settings import LEAST_PING_S, MOST_PING_S, TelegramSettings

_PAGE = 50
_NEWEST = 2**62
DELIVERY = {
    "sent": Look("Sent", ":material/check_circle:", "green"),
    "digest": Look("Sent in a digest", ":material/check_circle:", "green"),
    "waiting": Look("Waiting", ":material/schedule:", "gray"),
    "failed": Look("Not delivered yet", ":material/error:", "red"),
    "muted": Look("Switched off", ":material/notifications_off:", "gray"),
    "not_configured": Look("Telegram is not set up", ":material/link_off:", "orange"),
}


def show() -> None:
    st.title("Notifications")
    alerts_trouble(is_here=True)
    drawn = {
        "History": _history,
        "Telegram": telegram_form,
        "Commands": telegram_commands.show,
        "Webhooks": webhook_forms.hooks,
        "E-mail": webhook_forms.mail,
        "Kinds of alerts": kinds_form,
    }
    tabs(drawn, key="notifications-tab")


def alerts_trouble(*, is_here: bool = False) -> None:
    """What stands in the way of alerts; nothing where nothing does."""
    state = notifying.undelivered(access.core())
    if state.problem is not None:
        since = words.clock_time(datetime.fromisoformat(state.problem.since), access.core().settings.zone)
        st.error(
            f"**Alerts cannot be sent** since {words.plain(since)}: {words.plain(state.problem.text)}  \n"
            f"What to do: {words.plain(state.problem.action)} {_many(state.waiting)}.",
            icon=":material/notifications_off:",
        )
    elif state.failed:
        st.warning(f"Not delivered yet, tried again: {words.count(state.failed, 'alert')}.", icon=":material/replay:")
    elif state.undelivered_elsewhere:
        st.warning(
            f"Not taken by a webhook or the mail server yet: {words.count(state.undelivered_elsewhere, 'alert')}.",
            icon=":material/replay:",
        )
    elif state.is_ping_failing:
        st.warning("The dead-man ping does not arrive: see Telegram, below.", icon=":material/heart_broken:")
    elif not state.is_configured and state.waiting and not state.has_other_roads:
        st.warning(f"Telegram is not set up: {_many(state.waiting)} here.", icon=":material/link_off:")
    else:
        return
    if not is_here:
        places.link("notifications", "Notifications", icon=":material/notifications:")


def _many(alerts: int) -> str:
    return f"{words.count(alerts, 'alert')} {'waits' if alerts == 1 else 'wait'}"


# ---- history ----------------------------------------------------------------------------------------------------


def _history() -> None:
    core = access.core()
    titles = {p.kind: p.title for p in telegram_settings.preferences(core)}
    kind = st.selectbox("Kind", ["", *titles], format_func=lambda k: titles.get(k, "All"), key="notifications-kind")
    before = st.session_state.get("notifications-before", _NEWEST)
    found = notifying.notifications(core, before=before, limit=_PAGE + 1, kinds=(kind,) if kind else ())
    if not found:
        st.info("Nothing has been said yet. Failures, CAPTCHAs and what became of them appear here.")
    else:
        _table(found[:_PAGE])
    with st.container(horizontal=True):
        if before != _NEWEST and st.button("Newest", icon=":material/first_page:"):
            del st.session_state["notifications-before"]
            st.rerun()
        if len(found) > _PAGE and st.button("Older", icon=":material/chevron_right:"):
            st.session_state["notifications-before"] = found[_PAGE - 1].alert.id
            st.rerun()


def _table(shown: list[Notification]) -> None:
    zone = access.core().settings.zone
    picked = st.dataframe(
        {
            "Time": [words.clock_time(n.alert.created_at, zone) for n in shown],
            "Alert": [n.title for n in shown],
            "Delivery": [[DELIVERY[n.delivery].word] for n in shown],
            "About": [words.short(_told(n.text), 110) for n in shown],
            "Sent": [words.clock_time(n.alert.sent_at, zone) for n in shown],
            "Last error": [n.alert.last_error or "" for n in shown],
        },
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        column_config={"Delivery": badge_column(DELIVERY.values())},
        key=f"notifications-table-{shown[0].alert.id}",
    )
    st.caption("Select a row to read the whole message.")
    for row in picked["selection"]["rows"]:
        one = shown[row]
        with st.container(border=True):
            st.text(one.text)
            if job_id := one.alert.payload.get("job_id"):
                places.link("jobs", f"Job {job_id}", icon=":material/list_alt:", id=str(job_id))
            if account_id := one.alert.payload.get("account_id"):
                places.link("accounts", "Account", icon=":material/person:", id=str(account_id))


def _told(text: str) -> str:
    """What the message says below its headline, on one line."""
    return " · ".join(line.strip() for line in text.splitlines()[1:] if line.strip())


# ---- Telegram ---------------------------------------------------------------------------------------------------


def telegram_form() -> None:
    core = access.core()
    stored = telegram_settings.get(core)
    with st.form("telegram", border=True):
        token = st.text_input(
            "Bot token",
            type="password",
            placeholder=f"{stored.bot}:… is stored; leave empty to keep it" if stored.bot else "1234567890:ABCdefGHI…",
            help="From @BotFather in Telegram. It is stored encrypted and never shown again.",
            autocomplete="off",
        )
        channel = st.text_input("Channel ID", stored.channel_id or "", placeholder="@your_channel or -1001234567890")
        enabled = st.checkbox("Send alerts", stored.enabled)
        daily = st.text_input("Daily sign of life at (HH:MM, empty = none)", stored.daily_at or "", max_chars=5)
        left, right = st.columns([3, 1])
        ping = left.text_input(
            "Ping address for a dead-man watch (optional)",
            stored.ping_url or "",
            help="Asked while alerts can be sent; a watch elsewhere notices when that ends.",
        )
        every = right.number_input("Seconds between pings", LEAST_PING_S, MOST_PING_S, stored.ping_every_s)
        with st.expander("Whom to mention, by severity"):
            mention = {
                severity.value: st.text_input(
                    severity.value.capitalize(),
                    stored.mention.get(severity, ""),
                    placeholder="@name",
                    key=f"m-{severity}",
                )
                for severity in reversed(Severity)
            }
        with st.container(horizontal=True, gap="small"):
            wants_save = st.form_submit_button("Save", type="primary", icon=":material/save:")
            wants_test = st.form_submit_button("Test Connection", icon=":material/send:")
    if stored.ping_url and stored.ping:
        at = words.clock_time(datetime.fromisoformat(stored.ping.at), core.settings.zone)
        st.caption(f"Last ping {words.plain(at)}: {words.plain(stored.ping.error or 'it arrived')}")
    if wants_test:
        _test(token, channel, stored)
    if wants_save:
        values = {"channel_id": channel, "enabled": enabled, "daily_at": daily, "ping_url": ping}
        values |= {"ping_every_s": int(every), "mention": mention}
        _save({**values, **({"bot_token": token} if token else {})}, "Telegram settings saved")
    if stored.bot:
        with st.popover("Remove the token", icon=":material/delete:"):
            st.write("No alert is sent any more; what happens is still kept in the history here.")
            if st.button("Remove it", key="telegram-remove"):
                _save({"bot_token": "", "enabled": False}, "The bot token was removed")


def _test(token: str, channel: str, stored: TelegramSettings) -> None:
    """With what is in the form; where that is what is stored, a test that arrives ends a pause too."""
    is_new = bool(token) or channel != (stored.channel_id or "")
    bot_token, channel_id = (token or None, channel or None) if is_new else (None, None)
    with st.spinner("Asking Telegram …"):
        tested = attempt(lambda: telegram_settings.test(access.core(), bot_token=bot_token, channel_id=channel_id))
    if tested is not None:
        st.success(tested.message, icon=":material/check_circle:")


def _save(values: dict[str, Any], said: str) -> None:
    who = access.require_user().username
    if attempt(lambda: telegram_settings.change(access.core(), values, who=who)) is not None:
        say_later(said)
        st.rerun()


def kinds_form() -> None:
    st.caption("What is switched off is still kept in the history.")
    with st.form("kinds", border=True):
        wanted = {}
        for one in telegram_settings.preferences(access.core()):
            usual = "" if one.is_on == one.default else " (usually on)" if one.default else " (usually off)"
            wanted[one.kind] = (one.is_on, st.checkbox(f"{one.title}{usual}", one.is_on, key=f"kind-{one.kind}"))
        if st.form_submit_button("Save", type="primary", icon=":material/save:"):
            changed = {kind: now for kind, (before, now) in wanted.items() if before != now}
            if changed:
                _save({"kinds": changed}, "Kinds of alerts saved")
