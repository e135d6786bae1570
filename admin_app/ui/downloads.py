"""Downloading what an account has already into an archive: the form, and how each download goes."""

from __future__ import annotations

import streamlit as st

from admin_app.ui import access, live, places, rule_fields, words
from admin_app.ui.widgets import attempt, failure, say_later
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.connections import ConnectionStatus
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.services import downloading
from forwarder_core.services.downloading import Download


def panel(account: Account) -> None:
    """Of an account whose posts can be read."""
    stores = [each for each in downloading.stores(access.core()) if each.id != account.id]
    with st.container(border=True, key=f"downloads-{account.id}"):
        st.subheader("Downloads")
        if not stores:
            st.caption("Add an archive account first; then this account's posts can be kept in it.")
            return
        with st.popover("Download posts", icon=":material/download:"):
            _form(account, stores)
        _under_way(account)


def _form(account: Account, stores: list[Account]) -> None:
    with st.form(f"download-{account.id}", border=False):
        store = st.selectbox("Into", stores, format_func=lambda each: words.plain(each.alias))
        newest = st.number_input("Only the newest … (0 = all of those days)", 0, 10_000, 10)
        days = st.date_input("Only of these days (optional)", value=[], format="YYYY-MM-DD")
        order = st.radio("Order", list(rule_fields.ORDERS), format_func=rule_fields.ORDERS.__getitem__, horizontal=True)
        if not st.form_submit_button("Download them", type="primary", icon=":material/download:"):
            return
    asked: dict[str, object] = {"order": str(order)}
    if newest:
        asked["newest_n"] = int(newest)
    if isinstance(days, tuple) and len(days) == 2:
        asked |= {"from": days[0].isoformat(), "to": days[1].isoformat()}
    who = access.require_user().username
    with st.spinner("Reading the source's listing …"):
        done = attempt(lambda: downloading.ask(access.core(), account.id, store.id, asked, who=who))
    if done is None:
        return
    said = "Still reading the listing" if done.state.is_open else f"{done.report.get('jobs', 0)} downloads queued"
    say_later(said)
    st.rerun()


@st.fragment(run_every=live.EVERY)
def _under_way(account: Account) -> None:
    access.require_user(is_use=False)
    for download in downloading.latest(access.core(), account.id):
        _row(download)


def _row(download: Download) -> None:
    connection, request, jobs = download.connection, download.request, download.jobs
    done, dead = jobs.get(JobStatus.SUCCESS, 0), jobs.get(JobStatus.DEAD, 0)
    total = sum(jobs.values()) - jobs.get(JobStatus.CANCELLED, 0)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        places.link("connections", words.plain(connection.name), id=str(connection.id))
        places.link("jobs", "Jobs", icon=":material/list_alt:", connection=str(connection.id))
        is_going = request.state.is_open or (total > done + dead and connection.status is ConnectionStatus.ACTIVE)
        if is_going and st.button("Cancel", icon=":material/cancel:", key=f"cancel-download-{connection.id}"):
            who = access.require_user().username
            attempt(lambda: downloading.cancel(access.core(), download, who=who))
            say_later("The download is cancelled; what is stored stays")
            st.rerun()
    if request.state.is_open:
        st.caption(f"Reading the listing: {words.plain(request.progress)}")
    if request.failure is not None:
        failure(request.failure)
    if total:
        st.progress(done / total, text=f"{done} of {total} stored" + (f", {dead} failed" if dead else ""))
