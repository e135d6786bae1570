"""The template images that come with the product, drawn instead of kept: no binary file lies in the repository.

What lives here: three pictures as arithmetic, and a PNG writer. The fact to know: the bytes are the same on every
machine (no clock, no chance, one zlib level of one format), so a picture that looks different was changed by hand.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Iterator

_WIDTH, _HEIGHT = 1080, 1920
_FRAME, _BAND = 24, 150
_RGB, _RGBA = 2, 6
_BRAND = bytes((24, 119, 242, 255))
_CLEAR = bytes(4)

Color = tuple[int, int, int]


def bg_gradient() -> bytes:
    """Violet to petrol, top to bottom: quiet behind anything."""
    rows = (bytes(_mixed((72, 52, 140), (18, 110, 130), y / _HEIGHT)) * _WIDTH for y in range(_HEIGHT))
    return _png(rows, _RGB)


def bg_travel() -> bytes:
    """An evening sky over three ranges of hills, with a low sun."""
    hills = [
        [_ridge(x, *shape) for x in range(_WIDTH)] for shape in ((0.50, 90, 2.0), (0.62, 70, 3.1), (0.75, 60, 1.4))
    ]
    colors = [bytes((122, 92, 140)), bytes((78, 62, 112)), bytes((38, 36, 70))]
    return _png((_landscape_row(y, hills, colors) for y in range(_HEIGHT)), _RGB)


def frame_brand() -> bytes:
    """A coloured frame with a band at the foot; the rest is clear."""
    full = _BRAND * _WIDTH
    open_row = _BRAND * _FRAME + _CLEAR * (_WIDTH - 2 * _FRAME) + _BRAND * _FRAME
    rows = (full if y < _FRAME or y >= _HEIGHT - _BAND else open_row for y in range(_HEIGHT))
    return _png(rows, _RGBA)


ALL: dict[str, Callable[[], bytes]] = {
    "bg_gradient.png": bg_gradient,
    "bg_travel.png": bg_travel,
    "frame_brand.png": frame_brand,
}


def _ridge(x: int, height: float, swing: float, waves: float) -> int:
    at = x / _WIDTH * math.tau * waves
    return round(_HEIGHT * height + swing * math.sin(at) + swing / 3 * math.sin(2.7 * at + 1))


def _landscape_row(y: int, hills: list[list[int]], colors: list[bytes]) -> bytes:
    sky = bytes(_mixed((250, 140, 90), (255, 214, 150), min(1.0, y / (_HEIGHT * 0.55))))
    row = bytearray(sky * _WIDTH)
    reach = 170**2 - (y - 760) ** 2
    if reach > 0:
        half = math.isqrt(reach)
        row[(700 - half) * 3 : (700 + half) * 3] = bytes((255, 240, 200)) * (2 * half)
    for ridge, color in zip(hills, colors, strict=True):
        if y >= min(ridge):
            row = bytearray(
                b"".join(color if y >= top else bytes(row[x * 3 : x * 3 + 3]) for x, top in enumerate(ridge))
                if y < max(ridge)
                else color * _WIDTH
            )
    return bytes(row)


def _mixed(a: Color, b: Color, share: float) -> Color:
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


def _png(rows: Iterator[bytes], color_type: int) -> bytes:
    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, color_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
