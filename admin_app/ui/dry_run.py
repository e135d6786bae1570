"""Dry runs on the screen: how far one is, and its report with pictures before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from admin_app.ui import access, words
from admin_app.ui.widgets import attempt, badge, failure, say_later
from admin_app.ui.words import Look
from forwarder_core.domain.requests import Request, RequestState
from forwarder_core.errors import NotFound
from forwarder_core.services import dry_running

EVERY = "1s"
_LOOKS = {
    RequestState.QUEUED: Look("Waiting", ":material/schedule:", "gray"),
    RequestState.RUNNING: Look("Running", ":material/play_arrow:", "blue"),
    RequestState.DONE: Look("Finished", ":material/check_circle:", "green"),
    RequestState.FAILED: Look("Failed", ":material/error:", "red"),
    RequestState.CANCELLED: Look("Cancelled", ":material/cancel:", "gray"),
}


def ask(connection_id: int) -> None:
    """The button, behind its question."""
    with st.popover("Dry run", icon=":material/science:"):
        st.write("Dry run will simulate forwarding without posting. Continue?")
        st.caption("Up to five of the newest posts are downloaded, transformed and worded; nothing is sent.")
        if not st.button("Confirm dry run", type="primary", icon=":material/science:", key="confirm-dry-run"):
            return
    who = access.require_user().username
    if attempt(lambda: dry_running.ask(access.core(), connection_id, who=who, patience_s=0)) is not None:
        say_later("Dry run asked for; its report appears under Dry runs")
        st.rerun()


def panel(connection_id: int) -> None:
    """The newest dry run in full, the earlier ones to choose from."""
    known = dry_running.page(access.core(), connection_id=connection_id, limit=20)
    if not known:
        st.caption("There has been no dry run of this connection yet.")
        return
    chosen = st.selectbox(
        "Dry run", known, format_func=_name, key="dry-run", label_visibility="collapsed", disabled=len(known) == 1
    )
    if chosen.state.is_open:
        _moving(chosen.id)
    else:
        _show(chosen)


def _name(request: Request) -> str:
    when = words.clock_time(request.requested_at, access.core().settings.zone)
    return f"{when} · {_LOOKS[request.state].word} · by {request.requested_by}"


@st.fragment(run_every=EVERY)
def _moving(request_id: int) -> None:
    who = access.require_user(is_use=False).username
    request = attempt(lambda: dry_running.get(access.core(), request_id))
    if request is None:
        return
    if not request.state.is_open:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        badge(_LOOKS[request.state])
        st.text(request.progress or "Waiting for its run to begin", width="stretch")
        if st.button("Cancel", icon=":material/cancel:", key="cancel-dry-run"):
            attempt(lambda: dry_running.cancel(access.core(), request_id, who=who))
    if request.report:
        _show(request)


def _show(request: Request) -> None:
    report = request.report
    if request.failure:
        failure(request.failure)
    if not report:
        st.caption("Nothing was found out before it ended.")
        return
    _numbers(report)
    for issue in report["issues"]:
        kind = st.error if issue["severity"] == "error" else st.warning
        icon = ":material/error:" if issue["severity"] == "error" else ":material/warning:"
        kind(f"**{words.plain(issue['text'])}**  \n{words.plain(issue['action'])}", icon=icon)
    if not report["issues"] and request.state is RequestState.DONE:
        st.success("Issues detected: none.", icon=":material/check_circle:")
    for number, post in enumerate(report["sample_posts"], 1):
        with st.container(border=True):
            _post(request.id, number, post)


def _numbers(report: Mapping[str, Any]) -> None:
    made = report["transformations"]
    facts = (
        ("Posts found", report["posts_found"]),
        ("Downloaded", report["videos_downloaded"]),
        ("MB", f"{report['total_size_mb']:.1f}"),
        ("Upscaled / layout", f"{made['upscale_applied']} / {made['greenscreen_applied']}"),
        ("Destination", str(report["destination_validation"]).capitalize()),
        ("Upload, minutes", report["estimated_upload_time_minutes"]),
    )
    for column, (label, value) in zip(st.columns(len(facts)), facts, strict=True):
        column.metric(label, value)


def _post(request_id: int, number: int, post: Mapping[str, Any]) -> None:
    pictures, told = st.columns([2, 3])
    with pictures:
        for column, which in zip(st.columns(2), ("before", "after"), strict=True):
            with column:
                _picture(request_id, number, which, is_there=which in post["frames"])
    with told:
        st.text(words.short(post["caption"]) or "(without a caption)")
        seconds = " · ".join(f"{step.partition('_')[0]} {s:.1f} s" for step, s in post["seconds"].items())
        length = f"{post['duration_sec']:g} s" if post["duration_sec"] is not None else "length unknown"
        st.caption(
            f"{length} · {post['size_mb']:g} MB → {post['made_mb']:g} MB · {post['made_size'] or '–'} · {seconds}"
        )
        st.text(post["transformation_result"])
        payload = post["payload"]
        with st.expander("What would be sent"):
            said = {"Title": payload["title"] or "–", "Caption": payload["caption"], "Tags": ", ".join(payload["tags"])}
            for label, value in {**said, "Privacy": payload["privacy"]}.items():
                st.caption(label)
                st.text(value or "–")
        for reason in (*post["reasons"], *post["notes"]):
            st.caption(words.plain(reason))


def _picture(request_id: int, number: int, which: str, *, is_there: bool) -> None:
    st.caption(which.capitalize())
    if not is_there:
        st.text("–")
        return
    try:
        st.image(dry_running.frame(access.core(), request_id, number, which).read_bytes())
    except (NotFound, OSError):
        st.caption("Deleted with the media.")
