"""A plan as ffmpeg's arguments: the only place that knows filters and options. Pure; nothing is started here.

What lives here: the filter graph, built with ffmpeg-python, and the safety options of every call. What does not: the
decision (plan), the process (runner). Nothing of a user's text ever enters a filter.
The fact to know: `-protocol_whitelist file` alone lets a playlist named .mp4 read other files of this disk; it is
`-format_whitelist`, standing BEFORE the input, that stops it. Both stand before every input below.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forwarder_core.media import colors, layers
from forwarder_core.media.colors import Colors
from forwarder_core.media.plan import Plan, Stream
from forwarder_core.media.soundness import MAX_PIXELS
from forwarder_core.media.tools import Ffmpeg

_GLOBAL = ("-nostdin", "-hide_banner", "-v", "error", "-xerror", "-nostats", "-progress", "pipe:1")
_STATS = ("-stats_period", "0.5")
_INPUT = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska",
    "err_detect": "explode",
    "max_pixels": MAX_PIXELS,  # a picture may grow in the middle of a stream, past what any probe has seen
}
_NO_EDIT_LIST = {"movflags": "+faststart+negative_cts_offsets", "use_editlist": 0}
_THREADS = os.cpu_count() or 1  # left to itself x264 takes half as many again, for 3 % more CPU and more memory
_GOP_S = 4  # a key frame each 2 s makes the upscaled clip of the bench 11 % larger
_COVER_AT_S = 1.0
_COVER_WITHIN_S = 10.0
_TRUE_PEAK_DB, _LOUDNESS_RANGE = -1.5, 11
_LEAD_IN_SAMPLES = 1024  # of AAC
_NO_LEAD_IN = "noise=drop=lt(pts\\,0)"
_EVERY = 24  # frames: ten or so are looked at, at 2 ms each
_BLACK_SHARE = 90  # percent of dark pixels from which a frame is no cover


def transform_argv(
    plan: Plan, ffmpeg: Ffmpeg, source: Path, target: Path, *, cover: Path | None = None, image: Path | None = None
) -> list[str]:
    """One pass from source to target; of a plan of two passes, the second (`log_of(target)` is the first's).

    With `cover`, and when the picture is decoded anyway, a JPEG falls off it. `image`: the picture of a layout.
    """
    import ffmpeg as graphs

    opened = opening(source, plan.trim_s)
    video = opened[str(plan.video_index)]
    outputs: list[Any] = []
    if plan.video is Stream.ENCODE:
        video = picture(video, plan, image)
        if cover is not None:
            split = video.filter_multi_output("split")
            video = split[0]
            outputs.append(
                _cover(
                    split[1],
                    cover,
                    after_s=min(_COVER_AT_S, plan.duration_s / 3),
                    every=min(_EVERY, max(1, plan.frames // 10)),
                    of=Colors(),
                )
            )
    streams = [video]
    if plan.audio is not Stream.NONE:
        streams.append(_sound(opened[str(plan.audio_index)], plan))
    options = _options(plan) | (_pass(2, target) if plan.passes == 2 else {})
    outputs.insert(0, graphs.output(*streams, f"file:{target}", **options))
    return compiled(graphs.merge_outputs(*outputs), ffmpeg)


def first_pass_argv(plan: Plan, ffmpeg: Ffmpeg, source: Path, target: Path, *, image: Path | None = None) -> list[str]:
    """The first of two passes: reads and encodes the picture, and keeps only the log of where the bits are needed."""
    import ffmpeg as graphs

    video = picture(opening(source, plan.trim_s)[str(plan.video_index)], plan, image)
    options = _video_options(plan) | _pass(1, target) | {"an": None, "f": "null"}
    if plan.trim_s is not None:
        options["t"] = plan.trim_s
    return to_null(compiled(graphs.output(video, "pipe:", **options), ffmpeg))


def frame_argv(plan: Plan, ffmpeg: Ffmpeg, source: Path, target: Path, *, image: Path) -> list[str]:
    """One frame of what a plan with a layout would make, as a JPEG; past the start, where many videos are black."""
    import ffmpeg as graphs

    opened = opening(source, None, ss=f"{min(_COVER_AT_S, plan.duration_s / 3):.3f}")
    video = picture(opened[str(plan.video_index)], plan, image)
    video = colors.as_jpeg(video, Colors())
    options = {"vframes": 1, "vcodec": "mjpeg", "q:v": 3, "f": "image2", "update": 1}
    return compiled(graphs.output(video, f"file:{target}", **options), ffmpeg)


@dataclass(frozen=True, slots=True)
class Gray:
    """A stream of pictures as gray frames of `width` x `height`, `rate` a second."""

    index: int
    width: int
    height: int
    rate: int


@dataclass(frozen=True, slots=True)
class Mono:
    """A stream of sound as 16-bit samples of one channel, `hz` a second."""

    index: int
    hz: int


def small_argv(
    ffmpeg: Ffmpeg, source: Path, frames: Path, samples: Path, *, video: Gray, audio: Mono | None, seconds: float
) -> list[str]:
    """The first seconds as raw frames, and where there is a sound as raw samples, in one pass.

    Blocks are left unsmoothed, which so small is unseen.
    """
    import ffmpeg as graphs

    opened = opening(source, seconds, skip_loop_filter="all")
    shown = opened[str(video.index)].filter("fps", video.rate, start_time=0)
    shown = shown.filter("scale", video.width, video.height, flags="area").filter("format", "gray")
    outputs = [graphs.output(shown, f"file:{frames}", f="rawvideo", t=seconds)]
    if audio is not None:
        heard = opened[str(audio.index)].filter("aresample", audio.hz, first_pts=0, **{"async": 1})
        outputs.append(graphs.output(heard, f"file:{samples}", f="s16le", ac=1, ar=audio.hz, t=seconds))
    return compiled(graphs.merge_outputs(*outputs), ffmpeg)


def still_argv(ffmpeg: Ffmpeg, image: Path) -> list[str]:
    """Decode a picture strictly and keep nothing of it."""
    import ffmpeg as graphs

    still = layers.open_still(image, "25")
    return to_null(compiled(graphs.output(still, "pipe:", f="null"), ffmpeg))


def pattern_argv(ffmpeg: Ffmpeg, picture: str, target: Path) -> list[str]:
    """A small video of a picture ffmpeg draws by itself; `picture` is ours, never a user's text."""
    import ffmpeg as graphs

    drawn = graphs.input(picture, f="lavfi")["v:0"]
    options = {"c:v": "libx264", "preset": "ultrafast", "pix_fmt": "yuv420p", "f": "mp4"}
    return compiled(graphs.output(drawn, f"file:{target}", **options), ffmpeg)


def log_of(target: Path) -> Path:
    """What the names of the first pass's logs begin with."""
    return target.with_name(f"{target.stem}.passlog")


def keyframes_argv(
    ffmpeg: Ffmpeg, source: Path, cover: Path, *, video_index: int, of: Colors | None = None
) -> list[str]:
    """Decode the key frames only, strictly, and keep the first that is not black (else the first) as cover.

    For a picture that was copied: nothing else has decoded it. 30 s of a dense 1080x1920 cost 0.7 CPU-s.
    `of`: the picture's colours, BT.709 when not said.
    """
    import ffmpeg as graphs

    # Without a guess at the streams, which would decode the first key frame once more.
    opened = opening(source, None, skip_frame="nokey", discard="nokey", threads="1", nofind_stream_info=None)
    split = opened[str(video_index)].filter_multi_output("split")
    alone = {"f": "null", "fps_mode": "passthrough", "filter_complex_threads": 1}
    outputs = [_cover(split[0], cover, after_s=0, of=of or Colors()), graphs.output(split[1], "pipe:", **alone)]
    return to_null(compiled(graphs.merge_outputs(*outputs), ffmpeg.light))


def opening(source: Path, trim_s: float | None, **more: str | None) -> Any:
    import ffmpeg as graphs

    if not source.is_absolute():
        raise ValueError("ffmpeg is given absolute paths only")
    limits = {} if trim_s is None else {"t": trim_s}
    return graphs.input(f"file:{source}", **_INPUT, **limits, **more)


def picture(video: Any, plan: Plan, image: Path | None = None) -> Any:
    """The frame as it is encoded: the video made to measure, and the layout's still around or over it."""
    if plan.placement is None:
        return _scaled(video, plan).filter("format", "yuv420p")
    if image is None:
        raise ValueError("a plan with a layout needs its picture")
    still = layers.open_still(image, str(plan.fps))
    return colors.marked(layers.lay(_scaled(video, plan), still, plan.placement).filter("format", "yuv420p"))


def _scaled(video: Any, plan: Plan) -> Any:
    """Deinterlace, shrink, convert colours, key, enlarge, pad or crop: work per pixel is cheapest on fewer of them."""
    geometry = plan.geometry
    if geometry is None:
        raise ValueError("a plan that encodes the picture has a geometry")
    if plan.is_interlaced:
        video = video.filter("yadif")
    video = video.filter("fps", str(plan.fps), start_time=0)
    if not plan.is_shrunk:
        video = layers.key(colors.converted(video, plan.colors), plan.placement)
    video = video.filter("scale", geometry.scale_width, geometry.scale_height, flags="lanczos")
    if plan.is_shrunk:
        video = layers.key(colors.converted(video, plan.colors), plan.placement)
    video = video.filter("setsar", 1)
    if geometry.is_cropped:
        video = video.filter("crop", geometry.width, geometry.height)
    elif geometry.is_padded:
        x = (geometry.width - geometry.scale_width) // 4 * 2
        y = (geometry.height - geometry.scale_height) // 4 * 2
        if plan.is_blurred:
            return layers.before_itself(video, geometry, x, y)
        video = video.filter("pad", geometry.width, geometry.height, x, y)
    return video


def _sound(audio: Any, plan: Plan) -> Any:
    """Loudness in one pass, within 1 LU of its goal for a Reel; two would decode the sound twice. And an encoder's
    lead-in, which without an edit list is played, put where as much of the sound was: else it comes 21 ms late.

    A copied sound leaves out the packets before 0 instead, which the source's edit list hides: at 22 kHz 46 ms."""
    if plan.audio is not Stream.ENCODE:
        return audio
    if plan.loudness_lufs is not None:
        audio = audio.filter("loudnorm", I=plan.loudness_lufs, TP=_TRUE_PEAK_DB, LRA=_LOUDNESS_RANGE)
        audio = audio.filter("atrim", end=f"{plan.duration_s:.6f}")  # newer builds add up to 0.1 s at the end
    lead_in_s = f"{_LEAD_IN_SAMPLES / plan.audio_hz:.6f}"
    return audio.filter("atrim", start=lead_in_s).filter("asetpts", f"PTS-{lead_in_s}/TB")


def _cover(video: Any, cover: Path, *, after_s: float, every: int = 1, of: Colors) -> Any:
    """One JPEG: the first frame from `after_s` on that is not black, else the very first; one in `every` is looked at.

    The very first waits behind the others: newer builds fail a whole run for one output without a frame.
    """
    import ffmpeg as graphs

    split = video.filter_multi_output("split")
    first, good = split[0].filter("trim", end_frame=1), split[1]
    if after_s:
        # Few frames, for ten seconds: an output that has all its frames still makes the graph work on.
        good = good.filter("select", f"between(t,{after_s:.3f},{after_s + _COVER_WITHIN_S:.3f})*not(mod(n,{every}))")
    good = good.filter("blackframe", amount=0)
    good = good.filter("metadata", mode="select", key="lavfi.blackframe.pblack", value=_BLACK_SHARE, function="less")
    # Each `trim` spares frames that would be converted to be thrown away; the two may stand at the same instant.
    both = graphs.concat(good.filter("trim", end_frame=1), first, n=2)
    video = both.filter("setpts", "N/TB").filter("trim", end_frame=1)
    video = colors.as_jpeg(video, of)
    options = {"vframes": 1, "fps_mode": "passthrough", "vcodec": "mjpeg", "q:v": 3, "f": "image2", "update": 1}
    return graphs.output(video, f"file:{cover}", map_metadata=-1, **options, **{"threads:v": 1})


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
        options |= {"c:a": "copy", "bsf:a": _NO_LEAD_IN}
    return options


def _video_options(plan: Plan) -> dict[str, Any]:
    options: dict[str, Any] = {
        "c:v": "libx264",
        "preset": "veryfast",
        "profile:v": "high",
        **_rate(plan),
        "g": max(1, round(plan.fps * _GOP_S)),
        "flags": "+cgop",
        "pix_fmt": "yuv420p",
        "fps_mode": "passthrough",
        "threads:v": _THREADS,
    }
    return options


def _rate(plan: Plan) -> dict[str, Any]:
    """One pass: quality, with a ceiling where it may come near one. Two: exactly that rate, with room around it."""
    kbps = plan.video_kbps
    if plan.passes == 2:
        return {"b:v": f"{kbps}k", "maxrate": f"{kbps * 2}k", "bufsize": f"{kbps * 4}k"}
    if not plan.has_ceiling:
        return {"crf": plan.crf}
    return {"crf": plan.crf, "maxrate": f"{kbps}k", "bufsize": f"{kbps * 2}k"}


def _pass(number: int, target: Path) -> dict[str, Any]:
    return {"pass": number, "passlogfile": str(log_of(target))}


def to_null(argv: list[str]) -> list[str]:
    """ffmpeg-python knows no output without a name."""
    return ["-" if word == "pipe:" else word for word in argv]


def compiled(outputs: Any, ffmpeg: Ffmpeg) -> list[str]:
    words: list[str] = outputs.compile(cmd=[str(ffmpeg.path), *_GLOBAL, *_STATS], overwrite_output=True)
    return words
