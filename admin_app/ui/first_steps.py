"""The checklist of a new installation: what is done, what comes next, and for each step a button that tries it."""

from __future__ import annotations

import streamlit as st

from admin_app.ui import access, places, rehearsal
from admin_app.ui.widgets import attempt, say_later
from forwarder_core.domain.accounts import Account
from forwarder_core.services import accounts, telegram_settings
from forwarder_core.services.overview import FirstSteps


def show(steps: FirstSteps) -> None:
    """In the order it is done; gone once the first post has arrived."""
    every = (
        (steps.has_source, "Add the account whose posts are forwarded", "accounts"),
        (steps.has_destination, "Add the account they go to", "accounts"),
        (steps.has_connection, "Join the two in a connection", "connections"),
        (steps.has_started, "Start the connection", "connections"),
        (steps.has_alerts, "Set up Telegram, to be told of trouble", "notifications"),
        (steps.has_forwarded, "See the first post arrive: publish one on the source", "jobs"),
    )
    with st.container(border=True, key="first-steps"):
        done = sum(is_done for is_done, _, _ in every)
        st.markdown(f"**First steps** · {done} of {len(every)} done")
        for n, (is_done, what, where) in enumerate(every):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                if is_done:
                    st.markdown(f":material/check_circle: {what}", width="content")
                else:
                    places.link(where, what, icon=":material/radio_button_unchecked:")
                _trial(n, steps)


def _trial(n: int, steps: FirstSteps) -> None:
    """The button beside a step, where there is something to try."""
    account = {0: steps.source, 1: steps.destination}.get(n)
    if account is not None and _pressed("Test", n):
        _test(account)
    if n == 2 and steps.connection is not None and _pressed("Rehearse", n):
        rehearsal.rehearse(steps.connection.id)
    if n == 4 and steps.has_alerts and _pressed("Test", n):
        _telegram()


def _pressed(label: str, n: int) -> bool:
    return st.button(label, icon=":material/network_check:", key=f"first-{n}", type="tertiary")


def _test(account: Account) -> None:
    with st.spinner("Asking the platform …"):
        name = attempt(lambda: accounts.test(access.core(), account.id))
    if name is not None:
        say_later(f"{account.alias}: signed in as {name}")
        st.rerun()


def _telegram() -> None:
    with st.spinner("Asking Telegram …"):
        tested = attempt(lambda: telegram_settings.test(access.core()))
    if tested is not None:
        say_later(tested.message)
        st.rerun()
