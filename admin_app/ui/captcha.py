"""The CAPTCHA banner, and the sign-in with a code: what a person does when a platform wants one.

Shown on the overview and on the account. The fact to know: only the little state of a sign-in is drawn anew every two
seconds; the forms are not, so that nobody's typing is disturbed.
"""

from __future__ import annotations

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from admin_app.ui import access, places, words
from admin_app.ui.widgets import attempt, platform_title, say_later
from forwarder_core.domain.accounts import Account
from forwarder_core.services import challenges, interactive_login
from forwarder_core.services.challenges import Challenge
from forwarder_core.services.interactive_login import SignIn, State

_STATES = {
    State.REQUESTED: "The sign-in begins within seconds …",
    State.SIGNING_IN: "Signing in …",
    State.WAITING_FOR_CODE: "The platform has sent a code. Enter it below.",
}


def banner(challenge: Challenge, *, is_here: bool = False, is_open: bool = False) -> None:
    """Everything about one open challenge. `is_here`: on its account; `is_open`: the form for “solved” is unfolded."""
    account = challenge.account
    title = platform_title(account.platform)
    with st.container(border=True, key=f"captcha-{account.id}"):
        st.error(f"CAPTCHA detected on {words.plain(account.alias)}. Action required.", icon="⚠️")
        _facts(challenge)
        st.markdown(
            f"**Instructions:**\n"
            f"1. Open {title} in your browser\n"
            f"2. Log in to account: {words.plain(account.handle)}\n"
            f"3. Complete the CAPTCHA challenge\n"
            f"4. Verify successful login\n"
            f"5. Click the button below to resume automation"
        )
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            if not is_open:
                with st.popover("Mark CAPTCHA Solved", icon=":material/task_alt:", type="primary"):
                    _solved_form(account)
            places.link("jobs", "View Affected Jobs", icon=":material/list_alt:", account=str(account.id))
            if not is_here:
                places.link("accounts", "Account", icon=":material/person:", id=str(account.id))
        if is_open:
            _solved_form(account)
        if interactive_login.can_sign_in(account):
            sign_in_panel(account)


def _facts(challenge: Challenge) -> None:
    zone = access.core().settings.zone
    facts = {
        "Account": challenge.account.alias,
        "Detected": words.clock_time(challenge.detected_at, zone),
        "Affected connections": f"{challenge.connections} (paused)",
        "Pending jobs": str(challenge.jobs),
    }
    if challenge.account.status_reason:
        facts["Reason"] = challenge.account.status_reason
    with st.container(gap=None):
        for name, value in facts.items():
            st.markdown(f"{name}: **{words.plain(value)}**")


def _solved_form(account: Account) -> None:
    with st.form(f"solved-{account.id}", border=False):
        notes = st.text_input("Notes", placeholder="How it was solved", max_chars=2_000)
        resume = st.checkbox("Resume the paused connections", value=True)
        st.caption("One job goes first; the others follow when it has arrived.")
        if st.form_submit_button("Mark CAPTCHA Solved", type="primary", icon=":material/task_alt:"):
            who = access.require_user().username
            clean = notes.replace("\x00", "")
            done = attempt(
                lambda: challenges.resolve(access.core(), account.id, notes=clean, who=who, resume_connections=resume)
            )
            if done is not None:
                jobs, resumed = len(done.jobs_requeued), len(done.connections_resumed)
                say_later(f"CAPTCHA marked as solved for {account.alias}: {resumed} connections, {jobs} jobs go on")
                st.rerun()


# ---- signing in with a code -------------------------------------------------------------------------------------


def sign_in_panel(account: Account) -> None:
    """“Sign in again”, the code it asks for, and how it ended."""
    core, who = access.core(), access.require_user().username
    known = attempt(lambda: interactive_login.look(core, account.id))
    if known is not None and known.is_under_way:
        _under_way(account, known)
        return
    if known is not None and known.state is State.FAILED:
        st.warning(f"The last sign-in failed. {words.plain(known.reason or '')}", icon=":material/key_off:")
        if known.action:
            st.caption(words.plain(known.action))
    elif known is not None:
        at = words.clock_time(known.asked_at, core.settings.zone)
        st.caption(f":material/key: Signed in again; asked for at {words.plain(at)}")
    is_wanted = st.button("Sign in again", icon=":material/login:", key=f"sign-in-{account.id}")
    if is_wanted and attempt(lambda: interactive_login.request(core, account.id, who=who)) is not None:
        st.rerun()
    st.caption("Signs in from here. When the platform sends a code to your e-mail or phone, you enter it on this page.")


def _under_way(account: Account, known: SignIn) -> None:
    core, who = access.core(), access.require_user().username
    _watch(account.id, f"{known.state}-{known.asked}")
    if known.state is State.WAITING_FOR_CODE:
        if known.asked > 1:
            st.warning("The code before was not accepted.", icon=":material/pin:")
        with st.form(f"code-{account.id}-{known.asked}", border=False, clear_on_submit=True):
            code = st.text_input("Code", max_chars=40, autocomplete="one-time-code")
            until = words.clock_time(known.code_until, core.settings.zone)
            st.caption(f"Until {words.plain(until)}. Where it asks whether it was you, answer yes in the app as well.")
            is_sent = st.form_submit_button("Send code", type="primary", icon=":material/send:")
        if is_sent and attempt(lambda: interactive_login.give_code(core, account.id, code, who=who)) is not None:
            say_later("The code was handed to the waiting sign-in")
            st.rerun()
    if st.button("Give up", icon=":material/close:", key=f"give-up-{account.id}"):
        attempt(lambda: interactive_login.give_up(core, account.id, who=who))
        st.rerun()


@st.fragment(run_every="2s")
def _watch(account_id: int, drawn: str) -> None:
    """The state in words; the whole page again when it is another than the one drawn."""
    access.require_user(is_use=False)
    try:
        known = interactive_login.look(access.core(), account_id)
    except SQLAlchemyError:
        st.warning("The database does not answer at the moment.", icon=":material/cloud_off:")
        return
    if known is None or f"{known.state}-{known.asked}" != drawn:
        st.rerun()
    st.info(_STATES[known.state], icon=":material/hourglass_top:")
