"""What a connection wants done to a video on its way. What must be done besides, the destination's limits say.

What lives here: the options, the green-screen layout and the reading of both from what the client's API stores. What
does not: pixels (media), the pictures themselves (services.templates).
The fact to know: an unknown word raises ValueError with a sentence, and the API's 422 says that sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

LAYOUT_KEYS = frozenset(
    {"enabled", "template", "background_image", "position", "size", "border_color", "border_width", "key_color"}
)
MAX_BORDER = 100
MIN_SIZE, MAX_SIZE = 20, 100
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,58}\.(png|jpe?g)")
_FOLDER = "/templates/"

W = TypeVar("W", bound=StrEnum)


class Quality(StrEnum):
    """The client's three presets. `original` re-encodes only what the destination would refuse."""

    ORIGINAL = "original"
    OPTIMIZED = "optimized"
    MAXIMUM_COMPATIBILITY = "maximum_compatibility"


class TooLong(StrEnum):
    """What becomes of a video longer than the destination takes. `ask`: its job waits until a person says which."""

    TRIM = "trim"
    REJECT = "reject"
    ASK = "ask"


class Fit(StrEnum):
    """How a video of another shape comes onto the destination's canvas. `blur`: whole, before itself out of focus."""

    PAD = "pad"
    CROP = "crop"
    BLUR = "blur"


class Template(StrEnum):
    """The green-screen layouts."""

    NONE = "none"
    SPLIT_SCREEN = "split_screen"
    PICTURE_IN_PICTURE = "picture_in_picture"
    BRANDED_OVERLAY = "branded_overlay"
    CHROMA_KEY = "chroma_key"


class Position(StrEnum):
    """Where the video stands. A split screen knows top and bottom; everything else in it means bottom."""

    CENTER = "center"
    TOP = "top"
    BOTTOM = "bottom"
    LEFT = "left"
    RIGHT = "right"
    TOP_LEFT = "top_left"
    TOP_RIGHT = "top_right"
    BOTTOM_LEFT = "bottom_left"
    BOTTOM_RIGHT = "bottom_right"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A picture and a video in one frame. `image` is a template's name, never a path.

    `size`: percent of the canvas the video may take (picture in picture, chroma key; None = the template's own).
    `border_width` in pixels of a canvas 1080 wide; colours as `#rrggbb`; `key_color` is what chroma key takes out.
    """

    template: Template = Template.NONE
    image: str = "bg_travel.png"
    position: Position = Position.CENTER
    size: int | None = None
    border_color: str = "#000000"
    border_width: int = 2
    key_color: str = "#00d000"

    @property
    def is_on(self) -> bool:
        return self.template is not Template.NONE

    def to_dict(self) -> dict[str, object]:
        """As the client writes it."""
        return {
            "enabled": self.is_on,
            "template": str(self.template),
            "background_image": _FOLDER + self.image,
            "position": str(self.position),
            "size": self.size,
            "border_color": self.border_color,
            "border_width": self.border_width,
            "key_color": self.key_color,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformOptions:
    """`upscale`: to the destination's own size. `upscale_to_4k`: twice that, where the destination takes it.

    `normalize_loudness`: bring the sound to the loudness platforms play at. `measure_quality`: compare each rendition
    with its source and keep the figures in the receipt.
    """

    upscale: bool = False
    upscale_to_4k: bool = False
    quality: Quality = Quality.OPTIMIZED
    too_long: TooLong = TooLong.TRIM
    fit: Fit = Fit.PAD
    normalize_loudness: bool = False
    measure_quality: bool = False
    mute: bool = False  # of one post, whose sound must not go along
    layout: Layout = field(default_factory=Layout)


def layout_of(stored: object) -> Layout:
    """`greenscreen` as stored: true, false, or the client's object. Raises ValueError naming what is unknown in it."""
    if stored is None or stored is False:
        return Layout()
    if stored is True:
        return Layout(template=Template.SPLIT_SCREEN)
    if not isinstance(stored, Mapping):
        raise ValueError("greenscreen must be true, false or an object")
    if unknown := sorted(str(key) for key in stored.keys() - LAYOUT_KEYS):
        raise ValueError(f"greenscreen has no {', '.join(unknown)}")
    enabled = stored.get("enabled", True)
    if not isinstance(enabled, bool):
        raise ValueError("greenscreen.enabled must be true or false")
    template = _word(Template, stored, "template", Template.SPLIT_SCREEN)
    return Layout(
        template=template if enabled else Template.NONE,
        image=image_name(stored.get("background_image") or _image_for(template)),
        position=_word(Position, stored, "position", Position.CENTER),
        size=_number(stored, "size", None, MIN_SIZE, MAX_SIZE),
        border_color=_color(stored, "border_color", "#000000"),
        border_width=_number(stored, "border_width", 2, 0, MAX_BORDER) or 0,
        key_color=_color(stored, "key_color", "#00d000"),
    )


def upscale_of(stored: Mapping[str, object]) -> tuple[bool, bool]:
    """`upscale` and `upscale_to_4k`. `"upscale": "4k"` says both. Raises ValueError for anything but these."""
    upscale, to_4k = stored.get("upscale", False), stored.get("upscale_to_4k", False)
    if upscale == "4k":
        return True, True
    if not isinstance(upscale, bool) or not isinstance(to_4k, bool):
        raise ValueError('upscale must be true, false or "4k", and upscale_to_4k true or false')
    return upscale or to_4k, to_4k


def switch_of(stored: Mapping[str, object], key: str) -> bool:
    """An option that is on or off. Raises ValueError for any other word."""
    value = stored.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"{key} must be true or false")
    return value


def image_name(text: object) -> str:
    """The plain name in `x.png` or `/templates/x.png`. Raises ValueError for any other path."""
    name = str(text).removeprefix(_FOLDER)
    if not _IMAGE.fullmatch(name):
        raise ValueError(f"{str(text)[:80]!r} is no template image: a plain name ending in .png or .jpg is wanted")
    return name


def _image_for(template: Template) -> str:
    return "frame_brand.png" if template is Template.BRANDED_OVERLAY else "bg_travel.png"


def _word(kind: type[W], stored: Mapping[object, object], key: str, default: W) -> W:
    word = stored.get(key, default)
    try:
        return kind(str(word).replace("-", "_").replace(" ", "_"))
    except ValueError as e:
        raise ValueError(f"greenscreen.{key} {str(word)[:40]!r} is not one of {', '.join(kind)}") from e


def _number(stored: Mapping[object, object], key: str, default: int | None, least: int, most: int) -> int | None:
    value = stored.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"greenscreen.{key} must be a number from {least} to {most}")
    return round(value)


def _color(stored: Mapping[object, object], key: str, default: str) -> str:
    value = stored.get(key) or default
    if not isinstance(value, str) or not _COLOR.fullmatch(value):
        raise ValueError(f"greenscreen.{key} must be a colour like #1a2b3c")
    return value.lower()
