"""What a destination takes, as data: durations, sizes, shapes, words. The numbers live in `platforms/*/limits.yaml`.

A limit has a date and a source beside it in the YAML; here only the values, because decisions need nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLimits:
    """What a destination accepts as a file. Lengths in seconds, sizes in bytes, rates in frames per second."""

    min_duration_s: float
    max_duration_s: float
    max_bytes: int
    min_width: int
    max_width: int
    min_height: int
    max_height: int
    target_width: int
    target_height: int
    aspect_min: float  # width / height
    aspect_max: float
    min_fps: float
    max_fps: float
    max_video_kbps: int
    max_audio_hz: int
    max_audio_channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLimits:
    """What a destination accepts as words. A length of 0 means the destination has no such field."""

    title_chars: int
    caption_chars: int
    tags_chars: int
    hashtags: int
    forbidden: str  # characters the destination refuses


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    media: MediaLimits
    text: TextLimits
    posts_per_day: int  # of one destination account
    settle_s: int  # how long after a proven death a listing can still lag behind
