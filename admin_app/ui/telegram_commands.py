"""Commands from Telegram: who may give them, how they are heard, and who tried without the right to."""

from __future__ import annotations

from typing import Any

import streamlit as st

from admin_app.ui import access, words
from admin_app.ui.widgets import attempt, say_later
from forwarder_core.domain.commands import USAGE
from forwarder_core.services import commanding, listening, telegram_settings

_WAYS = {
    "off": "Off",
    "polling": "Polling: this server asks Telegram",
    "webhook": "Webhook: Telegram calls this server (needs a public https address)",
}


def show() -> None:
    core = access.core()
    stored = telegram_settings.get(core)
    if (problem := listening.problem(core)) is not None:
        st.error(
            f"**Commands cannot be heard:** {words.plain(problem['text'])}  \n"
            f"What to do: {words.plain(problem['action'])}",
            icon=":material/hearing_disabled:",
        )
    with st.form("commands", border=True):
        ways = list(_WAYS)
        way = st.selectbox(
            "How commands are heard", ways, index=ways.index(stored.commands), format_func=lambda w: _WAYS[w]
        )
        users = st.text_input(
            "Who may command (Telegram user ids, separated by commas)",
            ", ".join(str(user) for user in stored.users),
            help="Numbers, not @names: a name can pass to somebody else. Write to the bot and find yours below.",
        )
        chat = st.text_input(
            "A second chat commands are taken from (optional)",
            stored.command_chat or "",
            help="Commands always count in the alerts' own chat. A channel cannot command: name a group or your own.",
            placeholder="-1001234567890",
        )
        if st.form_submit_button("Save", type="primary", icon=":material/save:"):
            _save(way, users, chat)
    with st.expander("What can be commanded"):
        st.code("\n".join(USAGE.values()), language=None)
    _strangers(stored.users)


def _save(way: str, users: str, chat: str) -> None:
    values: dict[str, Any] = {"commands": way, "command_chat": chat.strip() or None}
    ids = [part for part in users.replace(",", " ").split() if part]
    if not all(part.isdecimal() and part.isascii() for part in ids):
        st.error("A Telegram user id is a number, such as 123456789.", icon=":material/error:")
        return
    values["users"] = [int(part) for part in ids]
    who = access.require_user().username
    if attempt(lambda: telegram_settings.change(access.core(), values, who=who)) is not None:
        say_later("Commands saved")
        st.rerun()


def _strangers(users: tuple[int, ...]) -> None:
    found = [one for one in commanding.strangers(access.core()) if one.user_id not in users]
    if not found:
        return
    st.caption("Wrote to the bot and may not command it; they got no answer.")
    zone = access.core().settings.zone
    st.dataframe(
        {
            "User id": [str(one.user_id) for one in found],
            "Name": [one.name for one in found],
            "First seen": [words.clock_time(one.seen_at, zone) for one in found],
        },
        hide_index=True,
        width="stretch",
    )
