"""What a connection wants done to a video on its way. What must be done besides, the destination's limits say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Quality(StrEnum):
    """The client's three presets. `original` re-encodes only what the destination would refuse."""

    ORIGINAL = "original"
    OPTIMIZED = "optimized"
    MAXIMUM_COMPATIBILITY = "maximum_compatibility"


class TooLong(StrEnum):
    """What becomes of a video longer than the destination takes."""

    TRIM = "trim"
    REJECT = "reject"


class Fit(StrEnum):
    """How a video of another shape comes onto the destination's canvas."""

    PAD = "pad"
    CROP = "crop"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformOptions:
    upscale: bool = False
    quality: Quality = Quality.OPTIMIZED
    too_long: TooLong = TooLong.TRIM
    fit: Fit = Fit.PAD
