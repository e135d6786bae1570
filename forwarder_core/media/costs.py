"""What an encode will cost, before it is begun: seconds of processor time, for the admin who chooses it.

The numbers were measured with the preset used here (veryfast): 1.1 CPU-s per second of 1080x1920 at 30 fps, 2.9 of
2160x3840. The fact to know: four times the pixels cost 2.6 times, because x264 finds more to skip in a larger picture.
"""

from __future__ import annotations

from fractions import Fraction

from forwarder_core.domain.transforms import Template
from forwarder_core.media.layouts import Placement

_HD_PIXELS = 1080 * 1920
_PER_SECOND = 1.1
_EXPONENT = 0.7
_LAYER = 0.05
_KEYING = 0.9


def estimate(width: int, height: int, fps: Fraction, duration_s: float, placement: Placement | None) -> float:
    """CPU seconds of one pass; within about a third of the truth, which depends on the picture."""
    rate = float(fps) / 30
    encode: float = _PER_SECOND * (width * height / _HD_PIXELS) ** _EXPONENT
    layer = _LAYER if placement else 0.0
    if placement and placement.template is Template.CHROMA_KEY:
        layer += _KEYING
    return round((encode + layer) * rate * duration_s, 1)
