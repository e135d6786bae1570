"""Previewing: one frame of what a green-screen layout would send, in a second or two, before anybody saves it.

What lives here: the sample shown (a drawn test picture, or a given video) and the one frame made of it. What does not:
the pictures (templates), where things stand (media.layouts).
The fact to know: the frame goes through the very plan and graph of a job, so it cannot show what a job would not make.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from forwarder_core.domain.limits import MediaLimits
from forwarder_core.domain.transforms import Fit, Template, TransformOptions, layout_of
from forwarder_core.errors import FieldError, Invalid
from forwarder_core.media import costs, graph
from forwarder_core.media.plan import plan
from forwarder_core.media.probe import probe
from forwarder_core.media.runner import run
from forwarder_core.media.tools import Ffmpeg
from forwarder_core.services import limits as limits_service
from forwarder_core.services.context import Core
from forwarder_core.services.templates import path_of
from forwarder_core.services.transforming import ffmpeg_of

_PATTERN_S = 0.4


def options_of(greenscreen: object, fit: Fit = Fit.PAD) -> TransformOptions:
    """Of a layout as the API writes it, for a preview. Raises Invalid."""
    try:
        return TransformOptions(layout=layout_of(greenscreen), fit=fit)
    except ValueError as e:
        raise Invalid("The layout cannot be read.", FieldError("greenscreen", str(e))) from e


def preview(core: Core, options: TransformOptions, platform: str, *, video: Path | None = None) -> bytes:
    """A JPEG: one frame of `video` (else of a test pattern) as the layout would send it to this platform.

    Raises Invalid when no layout is on, NotFound for an image that is not there, MediaRejected for a bad video.
    """
    if not options.layout.is_on:
        raise Invalid("No layout is on.", FieldError("greenscreen", "must name a template"))
    image, ffmpeg = path_of(core, options.layout.image), ffmpeg_of(core.settings.ffmpeg)
    limits = _unbounded(limits_service.of_platform(core, platform).media)
    core.media_root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="preview-", dir=core.media_root) as folder:
        source = video or _pattern(ffmpeg, Path(folder), options)
        chosen = plan(probe(source), options, limits, can_tone_map=ffmpeg.can_tone_map)
        target = Path(folder) / "preview.jpg"
        run(graph.frame_argv(chosen, ffmpeg, source, target, image=image), duration_s=1.0)
        return target.read_bytes()


def _pattern(ffmpeg: Ffmpeg, folder: Path, options: TransformOptions) -> Path:
    """A moment of test picture; before a green wall where green is to be keyed."""
    picture = f"testsrc2=s=540x960:r=25:d={_PATTERN_S}"
    if options.layout.template is Template.CHROMA_KEY:
        wall = f"color=0x{options.layout.key_color[1:]}:s=540x960:r=25:d={_PATTERN_S}"
        picture = f"{wall},drawbox=170:260:200:700:0xd0b090:fill,drawbox=190:120:160:180:0xf0d0b0:fill"
    target = folder / "pattern.mp4"
    run(graph.pattern_argv(ffmpeg, picture, target), duration_s=_PATTERN_S)
    return target


def _unbounded(limits: MediaLimits) -> MediaLimits:
    """One frame has no length and no size to mind."""
    return replace(limits, min_duration_s=0.0, max_duration_s=1e6, max_bytes=10**15)


def cost_of_a_minute(core: Core, platform: str, *, to_4k: bool) -> float | None:
    """CPU seconds for a minute of video at 30 frames/s made as large as asked; None where the platform refuses 4K."""
    limits = limits_service.of_platform(core, platform).media
    times = 2 if to_4k else 1
    width, height = times * limits.target_width, times * limits.target_height
    if width > limits.max_width or height > limits.max_height:
        return None
    return costs.estimate(width, height, Fraction(30), 60.0, None)
