"""Where the video and the still picture stand on the canvas of a green-screen layout: pure arithmetic.

What lives here: `Placement` and the way to one for each template. What does not: filters (layers), the picture's file
(services.templates).
The fact to know: every number is even, because yuv420p keeps one colour for four pixels: a hole at an odd place would
show a seam of the border's colour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from forwarder_core.domain.transforms import Fit, Layout, Position, Template
from forwarder_core.media.shapes import Geometry, around, even, inside

_PIP_PERCENT = 74
_MARGIN_PERCENT = 4
_DRAWN_FOR_WIDTH = 1080
_LEFT = (Position.LEFT, Position.TOP_LEFT, Position.BOTTOM_LEFT)
_RIGHT = (Position.RIGHT, Position.TOP_RIGHT, Position.BOTTOM_RIGHT)
_TOP = (Position.TOP, Position.TOP_LEFT, Position.TOP_RIGHT)
_BOTTOM = (Position.BOTTOM, Position.BOTTOM_LEFT, Position.BOTTOM_RIGHT)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the canvas, in even pixels from its upper left corner."""

    x: int
    y: int
    width: int
    height: int

    def times(self, factor: float) -> Box:
        sides = (even_down(side * factor) for side in (self.x, self.y, self.width, self.height))
        return Box(*sides)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The canvas of `width` x `height`, what the still covers of it, and where the video stands."""

    template: Template
    width: int
    height: int
    video: Box
    still: Box
    border: int
    border_color: str
    key_color: str

    def times(self, factor: float) -> Placement:
        """The same on a smaller canvas."""
        return replace(
            self,
            width=even(self.width * factor),
            height=even(self.height * factor),
            video=self.video.times(factor),
            still=self.still.times(factor),
            border=even_down(self.border * factor),
        )

    @classmethod
    def of_dict(cls, stored: Mapping[str, Any]) -> Placement:
        """What `asdict` makes of one, read back from JSON."""
        boxes = {name: Box(**stored[name]) for name in ("video", "still")}
        return cls(**{**stored, **boxes, "template": Template(stored["template"])})


def place(aspect: float, width: int, height: int, layout: Layout, fit: Fit) -> tuple[Geometry, Placement]:
    """Geometry scales (and crops) the video to its box; the placement says where that box lies."""
    border = even_down(layout.border_width * width / _DRAWN_FOR_WIDTH)
    still = Box(0, 0, width, height)
    match layout.template:
        case Template.SPLIT_SCREEN:
            half, still = _halves(width, height, border, layout.position)
            geometry, video = _fitted(aspect, half, fit)
        case Template.BRANDED_OVERLAY:
            border = 0
            geometry, video = _fitted(aspect, still, fit)
        case _:
            is_pip = layout.template is Template.PICTURE_IN_PICTURE
            border = border if is_pip else 0
            percent = layout.size or (_PIP_PERCENT if is_pip else 100)
            geometry, video = _inset(aspect, still, percent, layout.position, border)
    return geometry, Placement(
        template=layout.template,
        width=width,
        height=height,
        video=video,
        still=still,
        border=border,
        border_color=layout.border_color,
        key_color=layout.key_color,
    )


def even_down(value: float) -> int:
    return int(value / 2) * 2


def _halves(width: int, height: int, border: int, position: Position) -> tuple[Box, Box]:
    """The video's half and what the still covers of the other: the border between them is the still's loss."""
    half = even(height / 2)
    if position in _TOP:
        return Box(0, 0, width, half), Box(0, half + border, width, height - half - border)
    return Box(0, height - half, width, half), Box(0, 0, width, height - half - border)


def _fitted(aspect: float, room: Box, fit: Fit) -> tuple[Geometry, Box]:
    """Where the video would leave room beside itself, `blur` gives it all of the room, to be laid before itself."""
    scale_width, scale_height = (around if fit is Fit.CROP else inside)(aspect, room.width, room.height)
    if fit is Fit.BLUR:
        return Geometry(scale_width=scale_width, scale_height=scale_height, width=room.width, height=room.height), room
    width, height = min(scale_width, room.width), min(scale_height, room.height)
    x = room.x + even_down((room.width - width) / 2)
    y = room.y + even_down((room.height - height) / 2)
    geometry = Geometry(scale_width=scale_width, scale_height=scale_height, width=width, height=height)
    return geometry, Box(x, y, width, height)


def _inset(aspect: float, canvas: Box, percent: int, position: Position, border: int) -> tuple[Geometry, Box]:
    """Whole, within `percent` of the canvas, border and all, and pushed to where it is wanted."""
    room_width = min(even(canvas.width * percent / 100), canvas.width - 2 * border)
    room_height = min(even(canvas.height * percent / 100), canvas.height - 2 * border)
    width, height = inside(aspect, room_width, room_height)
    margin = even_down(canvas.width * _MARGIN_PERCENT / 100) if percent < 100 else 0
    x = _along(canvas.width - width, margin + border, near=position in _LEFT, far=position in _RIGHT)
    y = _along(canvas.height - height, margin + border, near=position in _TOP, far=position in _BOTTOM)
    geometry = Geometry(scale_width=width, scale_height=height, width=width, height=height)
    return geometry, Box(x, y, width, height)


def _along(free: int, margin: int, *, near: bool, far: bool) -> int:
    middle = even_down(free / 2)
    if near:
        return min(margin, middle)
    return max(free - margin, middle) if far else middle
