"""Why a file cannot go as it is: one sentence for each way in which it differs from what the destination takes.

What lives here: the copy rule, split by what mends it (encode the picture, encode the sound, repack). What does
not: what is then done (plan).
The fact to know: an empty tuple means "nothing to do here", so a rule left out is a file the destination refuses.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from forwarder_core.domain.limits import MediaLimits
from forwarder_core.domain.transforms import Fit, TransformOptions
from forwarder_core.media import shapes
from forwarder_core.media.probe import Probe
from forwarder_core.media.shapes import Geometry

_PROFILES = ("Constrained Baseline", "Baseline", "Main", "High", "Progressive High", "Constrained High")
_RATES = (
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(50),
    Fraction(60000, 1001),
    Fraction(60),
)
_RATE_TOLERANCE = 0.005
_BITRATE_TOLERANCE = 1.05
_HOW_BARS = ("bars are added", "it is laid before itself out of focus")


def of_video(
    probe: Probe, options: TransformOptions, limits: MediaLimits, geometry: Geometry, duration_s: float
) -> tuple[str, ...]:
    """Why the picture must be encoded; empty = it may stay as it is."""
    shape = _layout(options) if options.layout.is_on else _shape(probe, options, limits, geometry)
    return (*_codec(probe), *shape, *_rate(probe, limits, duration_s))


def _layout(options: TransformOptions) -> Iterator[str]:
    layout = options.layout
    yield f"The layout {layout.template.replace('_', ' ')} with {layout.image} is on."


def _codec(probe: Probe) -> Iterator[str]:
    if probe.video_codec != "h264":
        yield f"The video codec is {probe.video_codec.upper()}; destinations are given H.264."
    elif probe.video_profile not in _PROFILES:
        yield f"The H.264 profile is {probe.video_profile}; players need High or lower."
    if probe.is_hdr:
        yield "The colours are HDR; they are converted to ordinary ones."
    elif probe.pix_fmt != "yuv420p":
        yield f"The pixel format is {probe.pix_fmt}; players need 8-bit yuv420p."
    if probe.is_interlaced:
        yield "The picture is interlaced."
    if probe.has_cuts:
        yield "The file hides parts of the video by an edit list; only encoding leaves them out for good."


def _shape(probe: Probe, options: TransformOptions, limits: MediaLimits, geometry: Geometry) -> Iterator[str]:
    size = f"{probe.width}x{probe.height}"
    if probe.rotation:
        yield f"The picture is turned by {probe.rotation}° by a mark in the file; it is turned for good."
    if probe.sar != 1:
        yield f"The pixels are not square ({probe.sar.numerator}:{probe.sar.denominator})."
    if probe.width % 2 or probe.height % 2:
        yield f"The picture's size {size} is odd."
    if not shapes.is_shape_allowed(probe.aspect, limits):
        how = _HOW_BARS[options.fit is Fit.BLUR] if geometry.is_padded else "its edges are cut"
        yield (f"The shape {size} is not what the destination takes; {how} to make {geometry.width}x{geometry.height}.")
    elif not shapes.is_size_allowed(probe.width, probe.height, limits):
        yield (
            f"The size {size} is outside {limits.min_width}x{limits.min_height} to "
            f"{limits.max_width}x{limits.max_height}."
        )
    elif (options.upscale or options.upscale_to_4k) and geometry.height > probe.height:
        yield f"Upscaling is on: {size} becomes {geometry.width}x{geometry.height}."


def _rate(probe: Probe, limits: MediaLimits, duration_s: float) -> Iterator[str]:
    if probe.is_vfr:
        yield f"The frame rate varies (about {float(probe.fps_avg):.4g} fps)."
    elif not is_rate_allowed(probe.fps_avg, limits):
        yield f"{float(probe.fps_avg):.4g} fps is outside {limits.min_fps:g} to {limits.max_fps:g}."
    size = probe.size_bytes * min(1.0, duration_s / probe.duration_s)
    if size > limits.max_bytes:
        yield f"The file has {size / 1_000_000:.1f} MB; the destination takes {limits.max_bytes / 1_000_000:.1f} MB."
    if probe.video_kbps > limits.max_video_kbps * _BITRATE_TOLERANCE:
        yield f"{probe.video_kbps} kbit/s is more than the destination's {limits.max_video_kbps}."


def of_audio(probe: Probe, limits: MediaLimits, loudness_lufs: float | None = None) -> tuple[str, ...]:
    """Why the sound must be encoded; empty = it may stay, or there is none."""
    if not probe.has_audio:
        return ()
    found: list[str] = []
    if probe.audio_codec != "aac" or probe.audio_profile != "LC":
        name = f"{probe.audio_codec} {probe.audio_profile}".strip()
        found.append(f"The sound is {name}; destinations are given AAC-LC.")
    if probe.audio_hz > limits.max_audio_hz:
        found.append(f"The sound has {probe.audio_hz} Hz; the destination takes {limits.max_audio_hz}.")
    if probe.audio_channels > limits.max_audio_channels:
        found.append(
            f"The sound has {probe.audio_channels} channels; the destination takes {limits.max_audio_channels}."
        )
    if loudness_lufs is not None:
        found.append(f"The loudness is brought to {loudness_lufs:g} LUFS.")
    return tuple(found)


def of_container(probe: Probe, limits: MediaLimits, trim_s: float | None) -> tuple[str, ...]:
    """Why the file must at least be packed anew; empty = the container may stay as it is."""
    rules = (
        (probe.container != "mp4", "The container is Matroska or WebM; destinations are given MP4."),
        (not probe.is_moov_first, "The index stands at the end of the file."),
        (probe.is_fragmented, "The file is cut into fragments."),
        (probe.has_edit_list, "The file has an edit list, which some destinations refuse."),
        (
            probe.n_video > 1 or probe.n_audio > 1 or probe.other_streams > 0 or probe.has_cover_art,
            "The file carries streams beside one picture and one sound; they are left out.",
        ),
        (probe.has_location, "The file tells where it was recorded; that is removed."),
        (
            trim_s is not None,
            f"The video runs {probe.duration_s:.1f} s; the destination takes {limits.max_duration_s:g} s at most.",
        ),
    )
    return tuple(sentence for is_so, sentence in rules if is_so)


def is_rate_allowed(rate: Fraction, limits: MediaLimits) -> bool:
    return limits.min_fps * (1 - _RATE_TOLERANCE) <= rate <= limits.max_fps * (1 + _RATE_TOLERANCE)


def nearest_rate(rate: Fraction) -> Fraction:
    """The standard rate a varying one comes closest to."""
    return min(_RATES, key=lambda standard: abs(standard - rate))
