"""What a connection wants done to its videos, as fields of a form: size, shape, length, sound, and a layout by picture.

Used where a connection is made and where one is changed. The fact to know: nothing is decided here; `fields` gives the
`transform_options` as the API takes them, and the services judge those.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from admin_app.ui import access, places
from admin_app.ui.widgets import attempt, say_later
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.transforms import (
    MAX_BORDER,
    MAX_SIZE,
    MIN_SIZE,
    Fit,
    Layout,
    Position,
    Quality,
    Template,
    TooLong,
    TransformOptions,
)
from forwarder_core.services import editing, previewing, templates

_QUALITIES = {
    Quality.ORIGINAL: "Original: encode only what the destination would refuse, and finely",
    Quality.OPTIMIZED: "Optimized: encode only what the destination would refuse",
    Quality.MAXIMUM_COMPATIBILITY: "Maximum compatibility: 9:16, 30 frames/s, 8 Mbit/s for every platform",
}
_FITS = {
    Fit.PAD: "Whole, with bars",
    Fit.CROP: "Fill, cutting its edges",
    Fit.BLUR: "Whole, before itself out of focus",
}
_TOO_LONG = {TooLong.TRIM: "Cut it to the length allowed", TooLong.REJECT: "Do not forward it", TooLong.ASK: "Ask me"}
_TEMPLATES = {
    Template.NONE: "No layout",
    Template.SPLIT_SCREEN: "Split screen: picture and video",
    Template.PICTURE_IN_PICTURE: "Picture in picture: the video before a picture, with a border",
    Template.BRANDED_OVERLAY: "Branded overlay: the picture over the whole video",
    Template.CHROMA_KEY: "Chroma key: the picture where the video is green",
}
_SIZES = ("keep", "hd", "4k")
_PICTURES_IN_A_ROW = 4


def fields(key: str, known: TransformOptions | None = None, platform: str | None = None) -> dict[str, Any]:
    """Draw the fields; give what they say. `platform`: of the destination, where it is chosen already."""
    known = known or TransformOptions()
    quality = _choice("Video quality", _QUALITIES, known.quality, f"{key}-quality")
    size = _size(key, known, platform)
    fit = _choice("A video of another shape", _FITS, known.fit, f"{key}-fit")
    too_long = _choice("A video that is too long", _TOO_LONG, known.too_long, f"{key}-too-long")
    loudness = st.checkbox(
        "Bring the sound to one loudness (−14 LUFS)", known.normalize_loudness, key=f"{key}-normalize-loudness"
    )
    measured = st.checkbox("Measure the quality of every rendition", known.measure_quality, key=f"{key}-measure")
    return {
        "quality": quality,
        "upscale": size != "keep",
        "upscale_to_4k": size == "4k",
        "fit": fit,
        "too_long": too_long,
        "normalize_loudness": loudness,
        "measure_quality": measured,
        "greenscreen": _layout(key, known.layout),
    }


@st.dialog("Video", width="large")
def edit(connection: Connection, platform: str) -> None:
    """Change what a connection does to its videos, with one frame of it before it is saved."""
    who = access.require_user().username
    said = fields(f"video-{connection.id}", connection.transform, platform)
    look, save = st.columns(2)
    if look.button("Preview", icon=":material/visibility:", key=f"preview-{connection.id}", width="stretch"):
        _preview(said, platform)
    if save.button("Save", type="primary", key=f"save-video-{connection.id}", width="stretch"):
        values = {"transform_options": said}
        if attempt(lambda: editing.change_connection(access.core(), connection.id, values, who=who)):
            say_later(f"Connection '{connection.name}' changed")
            st.rerun()


def _preview(said: dict[str, Any], platform: str) -> None:
    if not said["greenscreen"]["enabled"]:
        st.info("There is a preview of a layout only: choose one.")
        return
    with st.spinner("One frame …"):
        frame = attempt(
            lambda: previewing.preview(
                access.core(), previewing.options_of(said["greenscreen"], Fit(said["fit"])), platform
            )
        )
    if frame is not None:
        st.image(frame, caption=f"One frame, as {platform} would be given it", width=270)


def _size(key: str, known: TransformOptions, platform: str | None) -> str:
    now = "4k" if known.upscale_to_4k else "hd" if known.upscale else "keep"
    words = {"keep": "Leave its size", "hd": f"Enlarge to 1080×1920{_cost(platform, to_4k=False)}"}
    words["4k"] = f"Enlarge to 4K{_cost(platform, to_4k=True)}"
    chosen = st.selectbox(
        "A video that is smaller",
        _SIZES,
        _SIZES.index(now),
        format_func=lambda size: words[size],
        key=f"{key}-size",
        help="4K is made of 1080×1920 or more only, and only where the destination takes it.",
    )
    return chosen or now


def _cost(platform: str | None, *, to_4k: bool) -> str:
    cost = previewing.cost_of_a_minute(access.core(), platform or "youtube", to_4k=to_4k)
    return f" (about {cost:.0f} s of processor time a minute)" if cost else f" (not taken by {platform})"


def _layout(key: str, known: Layout) -> dict[str, Any]:
    template = _choice("Layout", _TEMPLATES, known.template, f"{key}-template")
    with st.expander("Picture, place and border of the layout", expanded=template != Template.NONE):
        image = _picture(key, known.image)
        left, right = st.columns(2)
        with left:
            position = _choice("Where the video stands", {p: _spoken(p) for p in Position}, known.position, f"{key}-at")
            size = st.number_input("Size of the video, % (0: the layout's own)", 0, MAX_SIZE, known.size or 0, 5,
                                   key=f"{key}-percent")  # fmt: skip
        with right:
            width = st.number_input("Border, pixels", 0, MAX_BORDER, known.border_width, key=f"{key}-border")
            color = st.color_picker("Border colour", known.border_color, key=f"{key}-border-color")
            key_color = st.color_picker("Colour keyed out", known.key_color, key=f"{key}-key-color")
    return {
        "enabled": template != Template.NONE,
        "template": str(template),
        "background_image": f"/templates/{image}",
        "position": str(position),
        "size": max(int(size), MIN_SIZE) if size else None,
        "border_color": color,
        "border_width": int(width),
        "key_color": key_color,
    }


def _picture(key: str, known: str) -> str:
    core = access.core()
    names = [image.name for image in templates.listed(core)]
    for row in range(0, len(names), _PICTURES_IN_A_ROW):
        for column, name in zip(st.columns(_PICTURES_IN_A_ROW), names[row : row + _PICTURES_IN_A_ROW], strict=False):
            with column:
                places.template(name)
                st.caption(name.replace("_", r"\_"))
    chosen = st.radio(
        "Picture", names, names.index(known) if known in names else 0, horizontal=True, key=f"{key}-image"
    )
    places.link("templates", "More pictures", icon=":material/add_photo_alternate:")
    return chosen or known


def _choice(label: str, words: dict[Any, str], now: Any, key: str) -> Any:
    known = list(words)
    return st.selectbox(label, known, known.index(now), format_func=lambda word: words[word], key=key) or now


def _spoken(position: Position) -> str:
    return position.replace("_", " ").capitalize()
