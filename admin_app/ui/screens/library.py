"""The library: every video that arrived somewhere, to find, play, and forward elsewhere; and handing files in."""

from __future__ import annotations

import streamlit as st

from admin_app.ui import access, places, uploads, words
from admin_app.ui.widgets import attempt, say_later
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.media_library import Brought
from forwarder_core.services import accounts, enqueueing, forms, handing_in, viewing
from forwarder_core.services.viewing import Part

_ARRIVED, _HANDED = "Arrived", "Handed in"
_PAGE, _IN_A_ROW = 12, 4
_NEWEST = 2**62
_STATES = {"seen": "seen", "waiting": "waits", "unseen": "not looked at yet"}


def show() -> None:
    st.title("Library")
    view = st.segmented_control("Show", (_ARRIVED, _HANDED), default=_ARRIVED, key="library-view") or _ARRIVED
    if view == _ARRIVED:
        _arrived()
    else:
        _handed_in()


# ---- what arrived -----------------------------------------------------------------------------------------------


def _arrived() -> None:
    core = access.core()
    owned = {one.id: one for one in accounts.page(core, limit=1_000)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        q = st.text_input("Search", placeholder="Words of the caption", key="library-q")
        account = st.selectbox("Account", [0, *owned], format_func=lambda i: owned[i].alias if i else "All",
                               key="library-account")  # fmt: skip
    where = f"library-before-{q}-{account}"
    before = st.session_state.get(where, _NEWEST)
    clean = (q or "").replace("\x00", "") or None
    found = viewing.library(core, before=before, limit=_PAGE + 1, q=clean, account_id=account or None)
    if not found:
        st.info("Nothing has arrived anywhere yet." if not q else "No caption has these words.")
    shown = found[:_PAGE]
    for row in range(0, len(shown), _IN_A_ROW):
        for column, (one, files) in zip(st.columns(_IN_A_ROW), shown[row : row + _IN_A_ROW], strict=False):
            with column, st.container(border=True, key=f"library-{one.job_id}"):
                _card(one, files, owned)
    with st.container(horizontal=True):
        if before != _NEWEST and st.button("Newest", icon=":material/first_page:"):
            del st.session_state[where]
            st.rerun()
        if len(found) > _PAGE and st.button("Older", icon=":material/chevron_right:"):
            st.session_state[where] = shown[-1][0].job_id
            st.rerun()


def _card(one: Brought, files: dict[str, str], owned: dict[int, Account]) -> None:
    core = access.core()
    playing = st.session_state.get("library-playing") == one.job_id
    part = Part.RENDITION if Part.RENDITION in files else Part.SOURCE
    if part in files and playing:
        places.player(one.job_id, part, with_cover=Part.COVER in files)
    elif Part.COVER in files:
        places.cover(one.job_id, words.short(one.caption, 60) or f"Job {one.job_id}")
    st.text(words.short(one.caption, 70) or "(without a caption)")
    ends = [owned[i].alias for i in (one.source_account_id, one.destination_account_id) if i in owned]
    st.caption(words.plain(" → ".join(ends)))
    size = f"{one.width}×{one.height}, {one.duration_ms / 1_000:.1f} s, {words.size(one.size_bytes)}"
    st.caption(f"{words.clock_time(one.completed_at, core.settings.zone)} · {size}")
    with st.container(horizontal=True, gap="small"):
        if part not in files:
            st.caption("The file is not kept any more.", width="content")
        elif not playing and st.button("Play", icon=":material/play_arrow:", key=f"play-{one.job_id}"):
            st.session_state["library-playing"] = one.job_id
            st.rerun()
        places.link("jobs", f"Job {one.job_id}", id=str(one.job_id))
        with st.popover("Forward elsewhere", icon=":material/forward:"):
            _forward(one)


def _forward(one: Brought) -> None:
    """By another connection of the same source. Through the one it went by, it goes only once."""
    core, who = access.core(), access.require_user().username
    others = [c for c in accounts.used_by(core, one.source_account_id) if c.id != one.connection_id]
    others = [c for c in others if c.source_account_id == one.source_account_id]
    if not others:
        st.write("No other connection has this source. Make one, then forward it here.")
        places.link("connections", "New connection", icon=":material/add:", new="1")
        return
    chosen = st.selectbox("Connection", others, format_func=lambda c: c.name, key=f"forward-by-{one.job_id}")
    if not st.button("Forward it", type="primary", key=f"forward-{one.job_id}") or chosen is None:
        return
    made = attempt(lambda: enqueueing.enqueue(core, chosen.id, one.source_url, who=who))
    if made is not None:
        say_later(f"Job {made} queued")
        st.rerun()


# ---- what was handed in -----------------------------------------------------------------------------------------


def _handed_in() -> None:
    core = access.core()
    able = {spec.platform for spec in forms.platforms() if spec.intake}
    owned = [one for one in accounts.page(core, limit=1_000) if one.platform in able]
    if not owned:
        st.info("There is no library account yet: a folder of your own videos as a source.")
        places.link("accounts", "Add an account", icon=":material/add:")
        return
    chosen = st.selectbox("Library account", owned, format_func=lambda one: one.alias, key="library-of")
    uploads.panel(chosen.id)
    found = attempt(lambda: handing_in.listed(core, chosen.id, limit=200)) or []
    if not found:
        st.info("No file is there yet. Hand videos in here, put them into its folder, or send them over the API.")
    else:
        zone = core.settings.zone
        st.dataframe(
            {
                "File": [one.file.name.encode("utf-8", "replace").decode() for one in found],
                "Caption": [words.short(one.file.caption, 60) for one in found],
                "Size": [words.size(one.file.size_bytes) for one in found],
                "Since": [words.clock_time(one.file.at, zone) for one in found],
                "State": [
                    _STATES[one.state] + (f": {one.file.waits_for}" if one.file.waits_for else "") for one in found
                ],
                "Connections": [
                    ", ".join(f"{f.connection}: {f.job_status or f.verdict}" for f in one.fates) for one in found
                ],
            },
            hide_index=True,
            width="stretch",
        )
    st.caption(f"From a program: POST /api/library/{chosen.id}/files, see docs/library-and-archive.md.")
