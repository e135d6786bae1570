"""The filters of a green-screen layout: video and still in one frame, in the pass that does everything else. Pure.

What lives here: the still's input options and one graph per template. What does not: where things stand (layouts), the
rest of the graph (graph).
The facts to know: drawbox with `replace` crashes ffmpeg 5.1 on RGBA, so holes are cut in yuva420p; and a still must
never be the timing master. As first input of an overlay it made files of one frame, or
encodes without an end, all with exit code 0. So the video lies below and the still above it, with a hole where the
video shows: cut once, because a still passes its filters once. Only keying needs the still below; there it is looped
at the video's own rate and the video's end ends it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from forwarder_core.domain.transforms import Template
from forwarder_core.media.layouts import Box, Placement
from forwarder_core.media.shapes import Geometry, even

_SIMILARITY, _BLEND = 0.12, 0.06
_BLUR_SHARE = 8
_MAX_PIXELS = 4096 * 4096
_DEMUXERS = {".png": "png_pipe", ".jpg": "jpeg_pipe", ".jpeg": "jpeg_pipe"}


def open_still(image: Path, rate: str) -> Any:
    """The still as an input that can be nothing but one picture. `rate`: the video's, as ffmpeg writes it."""
    import ffmpeg as graphs

    if not image.is_absolute():
        raise ValueError("ffmpeg is given absolute paths only")
    demuxer = _DEMUXERS[image.suffix]
    safe = {"protocol_whitelist": "file", "format_whitelist": demuxer, "err_detect": "explode"}
    safe |= {"max_pixels": str(_MAX_PIXELS)}
    return graphs.input(f"file:{image}", f=demuxer, framerate=rate, **safe)["v:0"]


def key(video: Any, placement: Placement | None) -> Any:
    """Take the green out. Stands before any enlarging: 1.1 CPU-s per second of 720p, more on more pixels."""
    if placement is None or placement.template is not Template.CHROMA_KEY:
        return video
    video = video.filter("chromakey", _code(placement.key_color), _SIMILARITY, _BLEND, yuv=1)
    return video.filter("despill", "green").filter("format", "yuva420p")


def lay(video: Any, still: Any, placement: Placement) -> Any:
    """The whole frame, of a video already scaled to its box."""
    import ffmpeg as graphs

    box, area = placement.video, placement.still
    still = _filling(still, area)
    if placement.template is Template.CHROMA_KEY:
        still = _coded(still, "yuv420p").filter("loop", -1, 1, 0)
        return graphs.overlay(still, video, x=box.x, y=box.y, shortest=1, eof_action="endall")
    if (box.width, box.height) != (placement.width, placement.height):
        color = _color(placement.border_color)
        video = video.filter("pad", placement.width, placement.height, box.x, box.y, color=color)
    if placement.template is Template.BRANDED_OVERLAY:
        return graphs.overlay(video, _coded(still), x=area.x, y=area.y)
    hole = (box.x, box.y, box.width, box.height)
    still = _coded(_bordered(still.filter("format", "rgb24"), placement))
    return graphs.overlay(video, still.filter("drawbox", *hole, "black@0", "fill", replace=1))


def before_itself(video: Any, geometry: Geometry, x: int, y: int) -> Any:
    """The scaled video over a copy that fills the canvas: darkened and blurred at an eighth of the size, where a blur
    costs a sixty-fourth and needs no strength."""
    import ffmpeg as graphs

    split = video.filter_multi_output("split")
    width, height = even(geometry.width / _BLUR_SHARE), even(geometry.height / _BLUR_SHARE)
    back = split[1].filter("scale", width, height, force_original_aspect_ratio="increase", flags="area")
    back = back.filter("crop", width, height).filter("boxblur", 4, 2).filter("lutyuv", y="val*0.7")
    back = back.filter("scale", geometry.width, geometry.height, flags="bilinear").filter("setsar", 1)
    return graphs.overlay(back, split[0], x=x, y=y)


def _filling(still: Any, area: Box) -> Any:
    """All of the area, cut where the still has another shape."""
    filled = {"force_original_aspect_ratio": "increase", "flags": "lanczos"}
    return still.filter("scale", area.width, area.height, **filled).filter("crop", area.width, area.height)


def _coded(still: Any, form: str = "yuva420p") -> Any:
    """In the colours of HD video."""
    still = still.filter("scale", out_color_matrix="bt709", out_range="tv")
    return still.filter("format", form).filter("setsar", 1)


def _bordered(still: Any, placement: Placement) -> Any:
    """On the whole canvas, the border around the video included: as RGB, because pad and drawbox take any colour of
    video for one of SD."""
    box, border, area = placement.video, placement.border, placement.still
    color = _color(placement.border_color)
    if (area.width, area.height) != (placement.width, placement.height):
        return still.filter("pad", placement.width, placement.height, area.x, area.y, color=color)
    framed = (box.x - border, box.y - border, box.width + 2 * border, box.height + 2 * border)
    return still.filter("drawbox", *framed, color, "fill") if border else still


def _code(text: str) -> str:
    """`#rrggbb` as BT.709 luma and chroma: left to itself the filter would take the colour for one of SD."""
    red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (1, 3, 5))
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    code = (16 + 219 * light, 128 + 224 * (blue - light) / 1.8556, 128 + 224 * (red - light) / 1.5748)
    return "0x" + "".join(f"{round(part):02x}" for part in code)


def _color(text: str) -> str:
    """`#rrggbb`, checked where it was read, as ffmpeg's filters take it."""
    return f"0x{text[1:]}"
