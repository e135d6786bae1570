"""Would the real platform take this upload? Each reason against it is one sentence; none means it would.

The numbers come from the platform's `limits.yaml`; formats are the ones every short-video platform takes. The
simulated platform accepts the upload all the same: a verdict is for whoever checks the result, not for the client.
"""

from __future__ import annotations

import re

from forwarder_core.domain.limits import Limits, MediaLimits, TextLimits
from forwarder_core.simulator.probe import Probe

_VIDEO = frozenset({"h264", "hevc"})
_PIXELS = frozenset({"yuv420p", "yuvj420p"})
_AUDIO = frozenset({"aac"})


def judge(limits: Limits, file: Probe, *, title: str, caption: str, tags: tuple[str, ...]) -> tuple[str, ...]:
    return (*_format(file), *_media(limits.media, file), *_text(limits.text, title, caption, tags))


def _format(file: Probe) -> list[str]:
    reasons = []
    if file.video_codec not in _VIDEO:
        reasons.append(f"video codec {file.video_codec} is not H.264 or HEVC")
    if file.pixel_format not in _PIXELS:
        reasons.append(f"pixel format {file.pixel_format} is not 4:2:0 with 8 bits")
    if file.audio_codec and file.audio_codec not in _AUDIO:
        reasons.append(f"audio codec {file.audio_codec} is not AAC")
    if not file.is_faststart:
        reasons.append("the index does not stand before the data")
    return reasons


def _media(limits: MediaLimits, file: Probe) -> list[str]:
    ratio = file.width / file.height
    measured: tuple[tuple[str, float, float, float], ...] = (
        ("duration in ms", file.duration_ms, limits.min_duration_s * 1000, limits.max_duration_s * 1000 + 50),
        ("size in bytes", file.size_bytes, 1, limits.max_bytes),
        ("width", file.width, limits.min_width, limits.max_width),
        ("height", file.height, limits.min_height, limits.max_height),
        ("width / height", round(ratio, 4), limits.aspect_min - 0.005, limits.aspect_max + 0.005),
        ("frames per second", round(file.fps, 3), limits.min_fps - 0.1, limits.max_fps + 0.1),
        ("video kbit/s", file.video_kbps, 0, limits.max_video_kbps),
        ("audio Hz", file.audio_hz, 0, limits.max_audio_hz),
        ("audio channels", file.audio_channels, 0, limits.max_audio_channels),
    )
    return [
        f"{what} {value:g} is not within {low:g} and {high:g}"
        for what, value, low, high in measured
        if not low <= value <= high
    ]


def _text(limits: TextLimits, title: str, caption: str, tags: tuple[str, ...]) -> list[str]:
    reasons = []
    for what, text, most in (("title", title, limits.title_chars), ("caption", caption, limits.caption_chars)):
        if most and len(text) > most:
            reasons.append(f"{what} has {len(text)} characters, more than {most}")
        if bad := sorted(set(limits.forbidden) & set(text)):
            reasons.append(f"{what} holds forbidden characters: {' '.join(bad)}")
    if limits.tags_chars and len(",".join(tags)) > limits.tags_chars:
        reasons.append(f"tags have more than {limits.tags_chars} characters")
    if limits.hashtags and (count := len(re.findall(r"#\w+", caption))) > limits.hashtags:
        reasons.append(f"caption has {count} hashtags, more than {limits.hashtags}")
    return reasons
