"""How a picture comes onto a canvas: pure arithmetic on widths and heights.

What lives here: `Geometry` and the ways to choose one (leave, shrink, enlarge, pad, crop). What does not: whether
it is needed (plan), filters (graph).
The fact to know: every number is worked out here, even and final, because the scale filter's own "keep the ratio"
ignores non-square pixels and rounds differently from build to build.
"""

from __future__ import annotations

from dataclasses import dataclass

from forwarder_core.domain.limits import MediaLimits
from forwarder_core.domain.transforms import Fit

ASPECT_TOLERANCE = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Scale to (scale_width, scale_height), then pad or crop, centred, to (width, height)."""

    scale_width: int
    scale_height: int
    width: int
    height: int

    @property
    def is_padded(self) -> bool:
        return self.scale_width < self.width or self.scale_height < self.height

    def times(self, factor: float) -> Geometry:
        """The same on a smaller or larger canvas."""
        return Geometry(
            scale_width=even(self.scale_width * factor),
            scale_height=even(self.scale_height * factor),
            width=even(self.width * factor),
            height=even(self.height * factor),
        )

    @property
    def is_cropped(self) -> bool:
        return self.scale_width > self.width or self.scale_height > self.height


def even(value: float) -> int:
    """The nearest even number, at least 2: yuv420p knows no other."""
    return max(2, round(value / 2) * 2)


def is_shape_allowed(aspect: float, limits: MediaLimits) -> bool:
    low, high = limits.aspect_min * (1 - ASPECT_TOLERANCE), limits.aspect_max * (1 + ASPECT_TOLERANCE)
    return low <= aspect <= high


def is_size_allowed(width: int, height: int, limits: MediaLimits) -> bool:
    return limits.min_width <= width <= limits.max_width and limits.min_height <= height <= limits.max_height


def choose(width: int, height: int, aspect: float, limits: MediaLimits, *, fit: Fit, upscale: bool) -> Geometry:
    """The canvas for a picture of `width` x `height` samples that is seen with `aspect`.

    A shape the destination takes keeps its shape, and its size where that is taken too; another shape goes onto the
    destination's own canvas.
    """
    if not is_shape_allowed(aspect, limits):
        return _onto_canvas(aspect, limits, fit)
    shown_width, shown_height = even(height * aspect), even(height)
    is_small = shown_width < limits.target_width and shown_height < limits.target_height
    if (upscale and is_small) or not is_size_allowed(shown_width, shown_height, limits):
        return _to_target(aspect, limits)
    return Geometry(scale_width=shown_width, scale_height=shown_height, width=shown_width, height=shown_height)


def _to_target(aspect: float, limits: MediaLimits) -> Geometry:
    """As large as the target allows, whole and without bars; exactly the target when the shapes are the same."""
    width, height = inside(aspect, limits.target_width, limits.target_height)
    if not is_size_allowed(width, height, limits):  # an extreme but allowed shape: only bars keep it in range
        return Geometry(scale_width=width, scale_height=height, width=limits.target_width, height=limits.target_height)
    return Geometry(scale_width=width, scale_height=height, width=width, height=height)


def _onto_canvas(aspect: float, limits: MediaLimits, fit: Fit) -> Geometry:
    canvas_width, canvas_height = limits.target_width, limits.target_height
    inner = inside(aspect, canvas_width, canvas_height)
    outer = around(aspect, canvas_width, canvas_height)
    scale_width, scale_height = outer if fit is Fit.CROP else inner
    return Geometry(scale_width=scale_width, scale_height=scale_height, width=canvas_width, height=canvas_height)


def inside(aspect: float, width: int, height: int) -> tuple[int, int]:
    """The largest even size of this shape within the room; all of the room when the shapes are the same."""
    if abs(aspect - width / height) <= ASPECT_TOLERANCE * width / height:
        return width, height
    if aspect > width / height:
        return width, min(even(width / aspect), height)
    return min(even(height * aspect), width), height


def around(aspect: float, width: int, height: int) -> tuple[int, int]:
    """The smallest even size of this shape that covers the room."""
    if aspect > width / height:
        return max(even(height * aspect), width), height
    return width, max(even(width / aspect), height)
