"""A job's video on its page: the plan in words, what went in and came out, and both to look at side by side.

The fact to know: the players ask the API for pieces of the kept files, with the session's own cookie; nothing of a file
passes through this process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from admin_app.ui import access, places
from admin_app.ui.widgets import attempt, say_later
from admin_app.ui.words import count, plain, size
from forwarder_core.services import viewing
from forwarder_core.services.jobs import JobStory
from forwarder_core.services.viewing import Part

_ROWS: dict[str, Callable[[dict[str, Any]], str]] = {
    "Picture": lambda f: f"{f['width']}×{f['height']}, {f['video']}, {_rate(f['fps'])} frames/s",
    "Length": lambda f: f"{f['duration_s']:.2f} s, {f['frames']} frames",
    "Sound": lambda f: f"{f['audio'] or 'none'}" + (f", {f['audio_hz']} Hz" if f["audio_hz"] else ""),
    "Bit rate of the picture": lambda f: f"{f['video_kbps']:,} kbit/s",
}


def show(story: JobStory) -> None:
    """Nothing where no file was planned yet and none is kept."""
    job_id = story.view.job.id
    kept = viewing.parts(access.core(), job_id)
    if not story.plan and not kept:
        return
    st.subheader("Video")
    if story.plan:
        _plan(story.plan)
    if receipt := story.plan.get("receipt"):
        _receipt(receipt)
    _players(job_id, kept)
    if Part.SOURCE in kept and Part.RENDITION in kept and story.plan.get("receipt"):
        _quality(job_id, story.plan["receipt"])
    if story.plan:
        with st.expander("The plan in full"):
            st.json({name: value for name, value in story.plan.items() if name != "receipt"}, expanded=False)


def _plan(plan: dict[str, Any]) -> None:
    st.markdown(f"**Plan:** {plain(str(plan.get('words', '')))}")
    for reason in plan.get("reasons", ()):
        st.caption(f"Why: {plain(str(reason))}")
    for note in plan.get("notes", ()):
        st.info(plain(str(note)))


def _receipt(receipt: dict[str, Any]) -> None:
    sides = {"Before": receipt["input"], "After": receipt["output"]}
    table = {"": [*_ROWS, "File"]}
    sizes = {"Before": receipt["bytes_in"], "After": receipt["bytes_out"]}
    for side, facts in sides.items():
        table[side] = [plain(row(facts)) for row in _ROWS.values()] + [size(sizes[side])]
    st.table(table, hide_index=True, border="horizontal")
    tries = count(receipt["tries"], "try", "tries")
    st.caption(f"{receipt['seconds']:.1f} s, {receipt['cpu_s']:.1f} s of processor time, {tries}")


def _players(job_id: int, kept: list[Part]) -> None:
    columns = st.columns(2)
    for column, part, title in zip(columns, (Part.SOURCE, Part.RENDITION), ("Before", "After"), strict=True):
        with column:
            st.caption(title)
            if part in kept:
                places.player(job_id, part, with_cover=Part.COVER in kept)
            else:
                st.caption("The file is not kept any more.")


def _quality(job_id: int, receipt: dict[str, Any]) -> None:
    if found := receipt.get("quality"):
        vmaf = f"VMAF {found['vmaf']:.1f}" if found["vmaf"] is not None else f"VMAF {found['note']}"
        st.markdown(f"**Quality:** SSIM {found['ssim']:.4f}, {plain(vmaf)} (first {found['seconds']:.0f} s)")
    elif st.button("Measure the quality", icon=":material/speed:"):
        who = access.require_user().username
        with st.spinner("Comparing the two …"):
            measured = attempt(lambda: viewing.judge(access.core(), job_id, who=who))
        if measured is not None:
            say_later("Quality measured")
            st.rerun()


def _rate(fps: str) -> str:
    over, _, under = fps.partition("/")
    return f"{int(over) / int(under or 1):.4g}"
