"""What a destination takes, as data: durations, sizes, shapes, words. The numbers live in `platforms/*/limits.yaml`.

A limit has a date and a source beside it in the YAML; decisions need the values alone. The administrator may override
each of them, and the same reading (`limits_of`) serves both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

LimitValue = int | float | str


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
    caption_bytes: int = 0  # of UTF-8, where it counts those beside the characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    media: MediaLimits
    text: TextLimits
    posts_per_day: int  # of one destination account
    settle_s: int  # how long after a proven death a listing can still lag behind
    quotas: Mapping[str, int] = field(default_factory=dict)  # units a day, by the shared quota's name


@dataclass(frozen=True, slots=True)
class LimitEntry:
    """One limit as its file has it."""

    value: LimitValue
    source: str
    checked_at: date


def limits_of(values: Mapping[str, LimitValue]) -> Limits:
    """From every entry's value by its name: `media.max_bytes`, `text.title_chars`, `quotas.uploads` …"""

    def part(prefix: str) -> dict[str, LimitValue]:
        return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}

    return Limits(
        media=MediaLimits(**part("media.")),  # type: ignore[arg-type]  # the entries are the fields
        text=TextLimits(**part("text.")),  # type: ignore[arg-type]
        posts_per_day=int(values["posts_per_day"]),
        settle_s=int(values["settle_s"]),
        quotas={name: int(value) for name, value in part("quotas.").items()},
    )


def problem_with(name: str, value: object, known: LimitValue) -> str | None:
    """Why `value` cannot take the place of `known`; None where it can. Numbers stay numbers, words words."""
    if isinstance(known, str):
        is_text = isinstance(value, str) and len(value) <= MOST_CHARS
        return None if is_text else f"{name} must be text of at most {MOST_CHARS} characters"
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MOST_NUMBER:
        return f"{name} must be a number from 0 to {MOST_NUMBER:,}"
    if isinstance(known, int) and not float(value).is_integer():
        return f"{name} must be a whole number"
    return None


def contradiction(limits: Limits) -> str | None:
    """Two limits that leave nothing between them, in words."""
    m = limits.media
    pairs = {
        "duration": (m.min_duration_s, m.max_duration_s),
        "width": (m.min_width, m.max_width),
        "height": (m.min_height, m.max_height),
        "aspect": (m.aspect_min, m.aspect_max),
        "fps": (m.min_fps, m.max_fps),
    }
    for what, (least, most) in pairs.items():
        if least > most:
            return f"the least {what} ({least:g}) must not be above the most ({most:g})"
    for what, target, least, most in (
        ("width", m.target_width, m.min_width, m.max_width),
        ("height", m.target_height, m.min_height, m.max_height),
    ):
        if not least <= target <= most:
            return f"the target {what} ({target}) must lie within {least} and {most}"
    return None


MOST_CHARS = 100
MOST_NUMBER = 10**15
