"""A plan as ffmpeg's arguments: the only place that knows filters and options. Pure; nothing is started here.

What lives here: the filter graph, built with ffmpeg-python, and the safety options of every call. What does not: the
decision (plan), the process (runner). Nothing of a user's text ever enters a filter.
The fact to know: `-protocol_whitelist file` alone lets a playlist named .mp4 read other files of this disk; it is
`-format_whitelist`, standing BEFORE the input, that stops it. Both stand before every input below.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from forwarder_core.media.plan import Plan, Stream
from forwarder_core.media.tools import Ffmpeg

_GLOBAL = ("-nostdin", "-hide_banner", "-v", "error", "-xerror", "-nostats", "-progress", "pipe:1")
_STATS = ("-stats_period", "0.5")
_INPUT = {"protocol_whitelist": "file", "format_whitelist": "mov,matroska", "err_detect": "explode"}
_NO_EDIT_LIST = {"movflags": "+faststart+negative_cts_offsets", "use_editlist": 0}
_GOP_S = 2
_COVER_AT_S = 1.0
_COVER_WITHIN_S = 10.0
_BLACK_SHARE = 90  # percent of dark pixels from which a frame is no cover
_SDR = {"color_trc": "bt709", "color_primaries": "bt709", "colorspace": "bt709"}
_HDR_MATRIX = {"primariesin": "bt2020", "matrixin": "bt2020nc", "rangein": "tv"}


def transform_argv(plan: Plan, ffmpeg: Ffmpeg, source: Path, target: Path, *, cover: Path | None = None) -> list[str]:
    """One pass from source to target. With `cover`, and when the picture is decoded anyway, a JPEG falls off it."""
    import ffmpeg as graphs

    opened = _open(source, plan.trim_s)
    video = opened[str(plan.video_index)]
    outputs: list[Any] = []
    if plan.video is Stream.ENCODE:
        video = _picture(video, plan)
        if cover is not None:
            split = video.filter_multi_output("split")
            video = split[0]
            outputs.append(_cover(split[1], cover, after_s=min(_COVER_AT_S, plan.duration_s / 3)))
    streams = [video]
    if plan.audio is not Stream.NONE:
        streams.append(opened[str(plan.audio_index)])
    outputs.insert(0, graphs.output(*streams, f"file:{target}", **_options(plan)))
    return _compile(graphs.merge_outputs(*outputs), ffmpeg)


def keyframes_argv(ffmpeg: Ffmpeg, source: Path, cover: Path, *, video_index: int) -> list[str]:
    """Decode the key frames only, strictly, and keep the first that is not black (else the first) as cover.

    For a picture that was copied: nothing else has decoded it. 30 s of a dense 1080x1920 cost 0.7 CPU-s.
    """
    import ffmpeg as graphs

    split = _open(source, None, skip_frame="nokey")[str(video_index)].filter_multi_output("split")
    outputs = [_cover(split[0], cover, after_s=0), graphs.output(split[1], "pipe:", f="null", fps_mode="passthrough")]
    argv = _compile(graphs.merge_outputs(*outputs), ffmpeg)
    return ["-" if word == "pipe:" else word for word in argv]


def _open(source: Path, trim_s: float | None, **more: str) -> Any:
    import ffmpeg as graphs

    if not source.is_absolute():
        raise ValueError("ffmpeg is given absolute paths only")
    limits = {} if trim_s is None else {"t": trim_s}
    return graphs.input(f"file:{source}", **_INPUT, **limits, **more)


def _picture(video: Any, plan: Plan) -> Any:
    """Deinterlace, shrink, tone map, enlarge, pad or crop: floats per pixel are cheapest on the smaller picture."""
    geometry = plan.geometry
    if geometry is None:
        raise ValueError("a plan that encodes the picture has a geometry")
    if plan.is_interlaced:
        video = video.filter("yadif")
    video = video.filter("fps", str(plan.fps), start_time=0)
    if plan.tone_map_from and not plan.is_shrunk:
        video = _tone_map(video, plan.tone_map_from)
    video = video.filter("scale", geometry.scale_width, geometry.scale_height, flags="lanczos")
    if plan.tone_map_from and plan.is_shrunk:
        video = _tone_map(video, plan.tone_map_from)
    video = video.filter("setsar", 1)
    if geometry.is_cropped:
        video = video.filter("crop", geometry.width, geometry.height)
    elif geometry.is_padded:
        x = (geometry.width - geometry.scale_width) // 4 * 2
        y = (geometry.height - geometry.scale_height) // 4 * 2
        video = video.filter("pad", geometry.width, geometry.height, x, y)
    return video.filter("format", "yuv420p")


def _tone_map(video: Any, transfer: str) -> Any:
    """HDR to bt709. The input's colours are named, because zscale refuses a file that leaves them out."""
    video = video.filter("zscale", transferin=transfer, **_HDR_MATRIX, transfer="linear", npl=100)
    video = video.filter("format", "gbrpf32le").filter("zscale", primaries="bt709")
    video = video.filter("tonemap", "hable", desat=0)
    return video.filter("zscale", transfer="bt709", matrix="bt709", range="tv")


def _cover(video: Any, cover: Path, *, after_s: float) -> Any:
    """One JPEG: the first frame from `after_s` on that is not black, else the very first.

    Both are written, the better one over the other: newer builds fail a whole run for one output without a frame.
    """
    import ffmpeg as graphs

    split = video.filter_multi_output("split")
    first, good = split[0].filter("trim", end_frame=1), split[1]
    if after_s:
        # One frame in ten, for ten seconds: an output that has all its frames still makes the graph work on.
        good = good.filter("select", f"between(t,{after_s:.3f},{after_s + _COVER_WITHIN_S:.3f})*not(mod(n,10))")
    good = good.filter("blackframe", amount=0)
    good = good.filter("metadata", mode="select", key="lavfi.blackframe.pblack", value=_BLACK_SHARE, function="less")
    video = graphs.concat(first, good, n=2).filter("setpts", "N/TB")  # both may stand at the same instant
    video = video.filter("scale", out_range="pc").filter("format", "yuvj420p")
    options = {"vframes": 2, "fps_mode": "passthrough", "vcodec": "mjpeg", "q:v": 3, "f": "image2", "update": 1}
    return graphs.output(video, f"file:{cover}", map_metadata=-1, **options)


def _options(plan: Plan) -> dict[str, Any]:
    """What the MP4 is written with. A key is an option's name, in ffmpeg's own spelling."""
    options: dict[str, Any] = {"f": "mp4", "map_metadata": -1, "map_chapters": -1, "max_muxing_queue_size": 4096}
    options |= {"dn": None, "sn": None, **_NO_EDIT_LIST}
    if plan.trim_s is not None:
        options["t"] = plan.trim_s
    options |= _video_options(plan) if plan.video is Stream.ENCODE else {"c:v": "copy"}
    if plan.audio is Stream.ENCODE:
        options |= {"c:a": "aac", "b:a": f"{plan.audio_kbps}k", "ar": plan.audio_hz, "ac": plan.audio_channels}
    elif plan.audio is Stream.COPY:
        options["c:a"] = "copy"
    return options


def _video_options(plan: Plan) -> dict[str, Any]:
    options: dict[str, Any] = {
        "c:v": "libx264",
        "preset": "veryfast",
        "profile:v": "high",
        "crf": plan.crf,
        "maxrate": f"{plan.video_kbps}k",
        "bufsize": f"{plan.video_kbps * 2}k",
        "g": max(1, round(plan.fps * _GOP_S)),
        "flags": "+cgop",
        "pix_fmt": "yuv420p",
        "fps_mode": "passthrough",
    }
    return options | (_SDR if plan.tone_map_from else {})


def _compile(outputs: Any, ffmpeg: Ffmpeg) -> list[str]:
    words: list[str] = outputs.compile(cmd=[str(ffmpeg.path), *_GLOBAL, *_STATS], overwrite_output=True)
    return words
