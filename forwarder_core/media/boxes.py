"""The outer boxes of an MP4, read with struct: what no media library tells.

What lives here: the order of index and data, whether the data is all there, and the edit lists.
What does not: codecs, durations, pictures (probe).
The fact to know: an edit list is nearly always there and means nothing (it hides an encoder's lead-in), but one
that really cuts makes a stream copy show what its author had cut away. `cuts` tells the two apart.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_MAX_BOXES = 100_000
_MAX_EDITS = 64
_LEAD_IN_S = 0.2  # three reordered frames at 23.976 are 0.125 s; AAC's lead-in is 0.05 s
_TAIL_S = 0.2


class BadBoxes(Exception):
    """The bytes are not a row of boxes. `str(error)` says where."""


@dataclass(frozen=True, slots=True)
class Box:
    """One box: `start` of its body and `end`, both offsets in the file; `end` may lie behind the file's own."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How an MP4 is laid out. `missing_bytes`: how much of the last box the file does not hold."""

    has_moov: bool
    has_mdat: bool
    is_moov_first: bool
    is_fragmented: bool
    has_edit_list: bool
    has_cuts: bool
    missing_bytes: int
    header_s: float = 0.0  # what the movie header promises; 0 = it does not say


@dataclass(frozen=True, slots=True)
class _Edit:
    duration: int  # in the movie's timescale
    media_time: int  # in the track's; -1 = nothing is shown


def read_layout(path: Path) -> Layout:
    """Read the layout of an MP4. Raises BadBoxes on bytes that are none, OSError on a file that cannot be read."""
    size = path.stat().st_size
    with path.open("rb") as file:
        top = list(walk(file, 0, size))
        moov = next((box for box in top if box.kind == "moov"), None)
        mdat = next((box for box in top if box.kind == "mdat"), None)
        whole = moov if moov and moov.end <= size else None
        edit_list, cuts = _edit_lists(file, whole) if whole else (False, False)
        header_s = _header_s(file, find(file, whole, "mvhd"))
    return Layout(
        has_moov=moov is not None,
        has_mdat=mdat is not None,
        is_moov_first=moov is not None and (mdat is None or moov.start < mdat.start),
        is_fragmented=any(box.kind == "moof" for box in top),
        has_edit_list=edit_list,
        has_cuts=cuts,
        missing_bytes=max((box.end for box in top), default=0) - size if top and top[-1].end > size else 0,
        header_s=header_s,
    )


def walk(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """The boxes between two offsets, without what lies in them. Raises BadBoxes."""
    for _ in range(_MAX_BOXES):
        if start >= end:
            return
        box = _header(file, start, end)
        if box is None:
            return
        yield box
        start = box.end
    raise BadBoxes(f"more than {_MAX_BOXES} boxes")


def _header(file: BinaryIO, start: int, end: int) -> Box | None:
    """The box at `start`; None for the few stray bytes some writers leave at the end."""
    file.seek(start)
    head = file.read(8)
    if len(head) < 8:
        return None
    size, kind = struct.unpack(">I4s", head)
    body = start + 8
    if size == 1:
        large = file.read(8)
        if len(large) < 8:
            return None
        (size,), body = struct.unpack(">Q", large), start + 16
    elif size == 0:
        size = end - start
    if start + size < body:
        if head == bytes(8):
            return None
        raise BadBoxes(f"a box of impossible size at byte {start}")
    return Box(kind.decode("latin-1"), body, start + size)


def _edit_lists(file: BinaryIO, moov: Box) -> tuple[bool, bool]:
    """Is there an edit list in any track, and does any of them cut?"""
    inner = list(walk(file, moov.start, moov.end))
    mvhd = next((box for box in inner if box.kind == "mvhd"), None)
    movie_scale = scale_and_duration(file, mvhd)[0] if mvhd else 0
    found = cuts = False
    for trak in (box for box in inner if box.kind == "trak"):
        elst = find(file, trak, "edts", "elst")
        mdhd = find(file, trak, "mdia", "mdhd")
        if elst is None:
            continue
        edits = _edits(file, elst)
        found = found or bool(edits)
        media_scale, length = scale_and_duration(file, mdhd) if mdhd else (0, 0)
        cuts = cuts or _do_cut(edits, movie_scale, media_scale, length)
    return found, cuts


def find(file: BinaryIO, box: Box | None, *kinds: str) -> Box | None:
    """The first box of a kind within the first of another, and so on; None where one of them is missing."""
    for kind in kinds:
        if box is None:
            return None
        box = next((inner for inner in walk(file, box.start, box.end) if inner.kind == kind), None)
    return box


def _header_s(file: BinaryIO, mvhd: Box | None) -> float:
    scale, duration = scale_and_duration(file, mvhd) if mvhd else (0, 0)
    is_said = scale and duration not in (2**32 - 1, 2**64 - 1)  # all ones: it is not known yet
    return duration / scale if is_said else 0.0


def scale_and_duration(file: BinaryIO, box: Box) -> tuple[int, int]:
    """Of an mvhd or mdhd: ticks per second, and the length in ticks."""
    file.seek(box.start)
    body = file.read(32)
    form = ">IQ" if body[:1] == b"\x01" else ">II"
    offset = 20 if form == ">IQ" else 12
    if len(body) < offset + struct.calcsize(form):
        raise BadBoxes("a header box too short")
    scale, duration = struct.unpack_from(form, body, offset)
    return scale, duration


def _edits(file: BinaryIO, box: Box) -> list[_Edit]:
    file.seek(box.start)
    head = file.read(8)
    if len(head) < 8:
        raise BadBoxes("an edit list too short")
    form = ">Qqhh" if head[0] == 1 else ">Iihh"
    step = struct.calcsize(form)
    count = min(int.from_bytes(head[4:8], "big"), _MAX_EDITS, (box.end - box.start - 8) // step)
    body = file.read(step * count)
    return [_Edit(*struct.unpack_from(form, body, step * i)[:2]) for i in range(len(body) // step)]


def _do_cut(edits: list[_Edit], movie_scale: int, media_scale: int, length: int) -> bool:
    """Does playing by these edits differ from playing the track from its start to its end?

    A first empty edit (a track that starts late) and a media time of a few frames (reordering, lead-in) do not count.
    """
    shown = [edit for edit in edits if edit.media_time >= 0]
    if not edits:
        return False
    if len(shown) != 1 or len(edits) > 2 or not movie_scale or not media_scale:
        return True
    if shown[0].media_time / media_scale > _LEAD_IN_S:
        return True
    played = shown[0].duration / movie_scale
    has_length = bool(shown[0].duration and length)  # a fragmented file says 0 here
    return has_length and played < (length - shown[0].media_time) / media_scale - _TAIL_S
