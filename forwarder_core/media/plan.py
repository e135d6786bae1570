"""What must become of a video so that its destination takes it, with the fewest steps. Pure: no file, no ffmpeg.

What lives here: `Plan` and the decision behind it, every reason as a sentence for the admin. What does not: numbers of
a destination (platforms/*/limits.yaml), filters and options (graph), doing it (render).
The fact to know: copying a compliant 30 s Reel costs 0.12 CPU-s, encoding it 54. So each stream is encoded only
when the destination would refuse it as it is; a wrong index or an edit list alone never leads to an encode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import Any

from forwarder_core.domain.limits import MediaLimits
from forwarder_core.domain.transforms import Fit, Quality, TooLong, TransformOptions
from forwarder_core.errors import MediaRejected
from forwarder_core.media import costs, layouts, rates, reasons, shapes
from forwarder_core.media.colors import Colors, read_as
from forwarder_core.media.layouts import Placement
from forwarder_core.media.probe import Probe
from forwarder_core.media.shapes import Geometry

COMPATIBLE_KBPS = 8000
COMPATIBLE_FPS = 30.0
_TRIM_MARGIN_S = 0.25  # copied packets end up to 0.17 s behind the cut: three reordered frames and an AAC frame
_HD_PIXELS = 1080 * 1920
_BT709 = Colors()
_AUDIO_KBPS = 128
_AUDIO_HZ = 48000
LOUDNESS_LUFS = -14.0  # what YouTube and Instagram turn louder sound down to


class Mode(StrEnum):
    """COPY: the file as it is. REMUX: the same streams in a new container. ENCODE: at least one stream anew."""

    COPY = "copy"
    REMUX = "remux"
    ENCODE = "encode"


class Stream(StrEnum):
    """What becomes of one stream."""

    COPY = "copy"
    ENCODE = "encode"
    NONE = "none"  # there is no such stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything the render needs. `width`, `height`, `fps`, `duration_s` and `frames` are what must come out."""

    mode: Mode
    video: Stream
    audio: Stream
    reasons: tuple[str, ...]
    words: str
    width: int
    height: int
    fps: Fraction
    duration_s: float
    frames: int
    trim_s: float | None
    max_bytes: int
    max_duration_s: float
    video_index: int
    audio_index: int | None
    geometry: Geometry | None = None
    is_interlaced: bool = False
    colors: Colors = _BT709
    is_shrunk: bool = False
    is_blurred: bool = False  # the room beside the picture shows the picture itself, out of focus
    loudness_lufs: float | None = None
    crf: int = 20
    video_kbps: int = 0
    has_ceiling: bool = True  # the encoder is held to `video_kbps`; else it is looked at afterwards
    audio_kbps: int = _AUDIO_KBPS
    audio_hz: int = _AUDIO_HZ
    audio_channels: int = 2
    placement: Placement | None = None
    image: str | None = None  # the layout's picture, by its template name
    notes: tuple[str, ...] = ()
    least_size: tuple[int, int] = (0, 0)
    passes: int = 1
    sound_from_s: float | None = None  # when the source is first heard; None = never
    cost_cpu_s: float = 0.0

    @property
    def is_large(self) -> bool:
        """More than 1080x1920 pixels may come in or go out: such an encode needs more memory than most."""
        return self.is_shrunk or self.width * self.height > _HD_PIXELS

    def to_dict(self) -> dict[str, Any]:
        """For a JSON column; rates as `30000/1001`."""
        return asdict(self) | {"fps": str(self.fps), "reasons": list(self.reasons), "notes": list(self.notes)}

    @classmethod
    def of_dict(cls, stored: Mapping[str, Any]) -> Plan:
        """What `to_dict` gave, whatever was kept beside it. Raises KeyError or TypeError for what is no plan."""
        said = {name: stored[name] for name in cls.__dataclass_fields__ if name in stored}
        said |= {"mode": Mode(said["mode"]), "video": Stream(said["video"]), "audio": Stream(said["audio"])}
        said |= {"fps": Fraction(said["fps"]), "least_size": tuple(said.get("least_size", (0, 0)))}
        said |= {name: tuple(said.get(name, ())) for name in ("reasons", "notes")}
        said["geometry"] = Geometry(**said["geometry"]) if said.get("geometry") else None
        said["colors"] = Colors.of_dict(stored.get("colors"))
        said["placement"] = Placement.of_dict(said["placement"]) if said.get("placement") else None
        return cls(**said)


def plan(probe: Probe, options: TransformOptions, limits: MediaLimits, *, can_tone_map: bool = True) -> Plan:
    """Decide. Raises MediaRejected for a video that is too short, too long (where the options say so), or cannot fit.

    `can_tone_map` is `Ffmpeg.can_tone_map`: without it HDR keeps washed-out colours and the reasons say so.
    """
    limits = tighten(limits) if options.quality is Quality.MAXIMUM_COMPATIBILITY else limits
    probe, unheard = _silenced(probe, options)
    trim_s = _trim(probe, options, limits)
    duration_s = min(probe.duration_s, trim_s or probe.duration_s)
    limits, notes = _canvas(probe, options, limits)
    geometry, placement = _geometry(probe, options, limits)
    video_reasons = reasons.of_video(probe, options, limits, geometry, duration_s)
    loudness_lufs = LOUDNESS_LUFS if options.normalize_loudness and probe.sound_from_s is not None else None
    audio_reasons = reasons.of_audio(probe, limits, loudness_lufs)
    container_reasons = reasons.of_container(probe, limits, trim_s) + unheard
    if video_reasons and probe.is_hdr and not can_tone_map:
        video_reasons += ("This ffmpeg cannot convert HDR (no zscale): colours may look washed out.",)
    video = Stream.ENCODE if video_reasons else Stream.COPY
    colors = read_as(probe, has_zscale=can_tone_map)
    converted = (colors.words,) if video_reasons and colors.words else ()
    audio = _audio(probe, audio_reasons, video)
    fps = frame_rate(probe, limits) if video_reasons else probe.fps_avg
    audio_kbps = probe.audio_kbps if audio is Stream.COPY else _AUDIO_KBPS
    mode = _mode(video, audio, container_reasons)
    made = Plan(
        mode=mode,
        video=video,
        audio=audio,
        reasons=video_reasons + audio_reasons + container_reasons,
        words="",
        width=(placement or geometry).width if video_reasons else probe.width,
        height=(placement or geometry).height if video_reasons else probe.height,
        fps=fps,
        duration_s=duration_s,
        frames=_frames(probe, fps, trim_s) if video_reasons else _kept(probe, duration_s),
        trim_s=trim_s,
        max_bytes=limits.max_bytes,
        max_duration_s=limits.max_duration_s,
        video_index=probe.video_index,
        audio_index=probe.audio_index,
        geometry=geometry if video_reasons else None,
        is_interlaced=probe.is_interlaced,
        colors=colors,
        is_shrunk=geometry.scale_width * geometry.scale_height < probe.width * probe.height,
        is_blurred=options.fit is Fit.BLUR and geometry.is_padded,
        loudness_lufs=loudness_lufs,
        crf=18 if options.upscale or options.upscale_to_4k or options.quality is Quality.ORIGINAL else 20,
        audio_hz=min(_AUDIO_HZ, limits.max_audio_hz),
        audio_channels=min(2, limits.max_audio_channels),
        placement=placement,
        image=options.layout.image if placement else None,
        notes=notes + converted + (("The source file is silent.",) if probe.is_silent else ()),
        least_size=(limits.min_width, limits.min_height),
        sound_from_s=probe.sound_from_s,
    )
    if made.video is Stream.ENCODE:
        made = _with_costs(made, probe, limits, 0 if audio is Stream.NONE else audio_kbps)
    return replace(made, words=summary(made))


def _with_costs(made: Plan, probe: Probe, limits: MediaLimits, audio_kbps: int) -> Plan:
    """What the encode may take of the file, and of the processor."""
    video_kbps = rates.budget(limits, made.duration_s, audio_kbps)
    return replace(
        made,
        video_kbps=video_kbps,
        has_ceiling=rates.needs_ceiling(probe, made.fps, video_kbps),
        cost_cpu_s=costs.estimate(made.width, made.height, made.fps, made.duration_s, made.placement),
    )


def _canvas(probe: Probe, options: TransformOptions, limits: MediaLimits) -> tuple[MediaLimits, tuple[str, ...]]:
    """The limits with a target of 4K where that is wanted and taken; else a note that says why not."""
    if not options.upscale_to_4k:
        return limits, ()
    width, height = 2 * limits.target_width, 2 * limits.target_height
    if width > limits.max_width or height > limits.max_height:
        return limits, (
            f"4K is on, but the destination takes {limits.max_width}x{limits.max_height} at most: "
            f"{limits.target_width}x{limits.target_height} is made.",
        )
    if probe.width < limits.target_width and probe.height < limits.target_height:
        return limits, (
            f"4K is on, but is made of {limits.target_width}x{limits.target_height} or more only: "
            f"{probe.width}x{probe.height} holds too little for it.",
        )
    return replace(limits, target_width=width, target_height=height), ()


def _geometry(probe: Probe, options: TransformOptions, limits: MediaLimits) -> tuple[Geometry, Placement | None]:
    if options.layout.is_on:
        canvas = limits.target_width, limits.target_height
        return layouts.place(probe.aspect, *canvas, options.layout, options.fit)
    upscale = options.upscale or options.upscale_to_4k
    return shapes.choose(probe.width, probe.height, probe.aspect, limits, fit=options.fit, upscale=upscale), None


def tighten(limits: MediaLimits) -> MediaLimits:
    """`maximum_compatibility`: what every platform takes, as limits. The copy rule then asks for exactly that."""
    shape = limits.target_width / limits.target_height
    return replace(
        limits,
        max_width=min(limits.max_width, limits.target_width),
        max_height=min(limits.max_height, limits.target_height),
        aspect_min=shape,
        aspect_max=shape,
        max_fps=min(limits.max_fps, max(COMPATIBLE_FPS, limits.min_fps)),
        max_video_kbps=min(limits.max_video_kbps, COMPATIBLE_KBPS),
    )


def frame_rate(probe: Probe, limits: MediaLimits) -> Fraction:
    """A constant rate within the limits that keeps the motion even: the source's, else a multiple or part of it."""
    rate = reasons.nearest_rate(probe.fps_avg) if probe.is_vfr else probe.fps_avg
    if reasons.is_rate_allowed(rate, limits):
        return rate
    for step in range(2, 17):
        other = rate * step if rate < limits.min_fps else rate / step
        if reasons.is_rate_allowed(other, limits):
            return other
    return Fraction(min(max(Fraction(30), Fraction(limits.min_fps)), Fraction(limits.max_fps))).limit_denominator(1001)


def summary(plan: Plan) -> str:
    """One line for lists and logs."""
    if plan.mode is Mode.COPY:
        return f"Used as it is ({plan.width}x{plan.height}, {plan.duration_s:.1f} s)."
    parts = []
    if plan.video is Stream.ENCODE:
        parts.append(f"picture encoded to {plan.width}x{plan.height} at {float(plan.fps):.5g} fps")
        if plan.placement:
            parts.append(f"{plan.placement.template.replace('_', ' ')} with {plan.image}")
    if plan.audio is Stream.ENCODE:
        parts.append("sound encoded to AAC" + (f" at {plan.loudness_lufs:g} LUFS" if plan.loudness_lufs else ""))
    if plan.mode is Mode.REMUX:
        parts.append("repacked without encoding")
    if plan.trim_s is not None:
        parts.append(f"cut to {plan.trim_s:.1f} s")
    if plan.cost_cpu_s:
        parts.append(f"about {plan.cost_cpu_s:.0f} s of processor time")
    words = ", ".join(parts)
    return words[0].upper() + words[1:] + "."


def _trim(probe: Probe, options: TransformOptions, limits: MediaLimits) -> float | None:
    """Where to cut, in seconds; None = nowhere."""
    if probe.duration_s < limits.min_duration_s:
        raise MediaRejected(
            f"The video runs {probe.duration_s:.1f} s; the destination takes {limits.min_duration_s:g} s or more.",
            action="Nothing can be done with this video; filter short ones out in the connection's filters.",
        )
    if probe.duration_s <= limits.max_duration_s:
        return None
    if options.too_long is not TooLong.TRIM:  # a question nobody answered is no leave to cut
        raise MediaRejected(
            f"The video runs {probe.duration_s:.1f} s; the destination takes {limits.max_duration_s:g} s at most.",
            action="Let the connection cut long videos, or filter them out.",
        )
    return round(limits.max_duration_s - _TRIM_MARGIN_S, 3)


def _silenced(probe: Probe, options: TransformOptions) -> tuple[Probe, tuple[str, ...]]:
    """The video as if it had no sound, where that must not go along, and the reason to pack it anew."""
    if not (options.mute and probe.has_audio):
        return probe, ()
    silent = replace(probe, has_audio=False, audio_index=None, sound_from_s=None)
    return silent, ("The sound is left out: it is music under licence.",)


def _audio(probe: Probe, why: tuple[str, ...], video: Stream) -> Stream:
    if not probe.has_audio:
        return Stream.NONE
    # An edit list that cuts shifts sound against picture: encode both or neither.
    return Stream.ENCODE if why or (probe.has_cuts and video is Stream.ENCODE) else Stream.COPY


def _mode(video: Stream, audio: Stream, container_reasons: tuple[str, ...]) -> Mode:
    if Stream.ENCODE in (video, audio):
        return Mode.ENCODE
    return Mode.REMUX if container_reasons else Mode.COPY


def _frames(probe: Probe, fps: Fraction, trim_s: float | None) -> int:
    return round(min(probe.video_duration_s, trim_s or probe.video_duration_s) * fps)


def _kept(probe: Probe, duration_s: float) -> int:
    share = min(1.0, duration_s / probe.video_duration_s) if probe.video_duration_s else 1.0
    return round(probe.frames * share)
