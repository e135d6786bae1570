"""Is this file a picture a layout can use? Judged by its first bytes, its size, and a strict decode in a child.

What lives here: the checks, and the numbers they check against. What does not: where template images are kept and what
they are called (services.templates), how they are laid over a video (layers).
The fact to know: a PNG of 100 kB can unfold to 900 megapixels. The size is read from the header before anything is
decoded, and the decoder is told the limit as well, because a header is only a promise.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from forwarder_core.errors import MediaRejected
from forwarder_core.media import graph
from forwarder_core.media.runner import Clocks, run
from forwarder_core.media.tools import Ffmpeg

MAX_BYTES = 5_000_000
MAX_SIDE = 4096
_MIN_SIDE = 16
_DECODE_S = 20.0
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_FRAME_MARKS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class BadStill(Exception):
    """The bytes are no picture a layout can use. `str(error)` is a sentence for the admin."""


@dataclass(frozen=True, slots=True)
class Still:
    """A picture by its header: `kind` is `png` or `jpeg`."""

    kind: str
    width: int
    height: int


def read(data: bytes) -> Still:
    """What the picture says of itself. Raises BadStill for anything too large, or neither PNG nor JPEG."""
    if len(data) > MAX_BYTES:
        raise BadStill(f"The picture has {len(data) / 1e6:.1f} MB; {MAX_BYTES / 1e6:.0f} MB are taken.")
    if data.startswith(_PNG) and data[12:16] == b"IHDR" and len(data) >= 24:
        still = Still("png", *struct.unpack(">II", data[16:24]))
    elif data.startswith(_JPEG):
        still = Still("jpeg", *_jpeg_size(data))
    else:
        raise BadStill("The file is neither a PNG nor a JPEG picture.")
    if min(still.width, still.height) < _MIN_SIDE or max(still.width, still.height) > MAX_SIDE:
        raise BadStill(
            f"The picture is {still.width}x{still.height}; {_MIN_SIDE} to {MAX_SIDE} pixels a side are taken."
        )
    return still


def check(path: Path, ffmpeg: Ffmpeg) -> None:
    """Decode the whole file, strictly. Raises BadStill when it is damaged, LocalFailed when ffmpeg cannot run."""
    argv = graph.still_argv(ffmpeg, path)
    try:
        run(argv, duration_s=1.0, clocks=Clocks(wall_s=_DECODE_S))
    except MediaRejected as e:
        raise BadStill("The picture is damaged: it cannot be decoded to its end.") from e


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Walk the segments to the one that starts the frame."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        mark, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if mark in _FRAME_MARKS:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + max(length, 2)
    raise BadStill("The JPEG picture does not say how large it is.")
