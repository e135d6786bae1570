"""The index of an MP4 of our own making, read in this process: what probe_child says of a file, without the child.

What lives here: the sample tables of a picture and a sound, in the words of probe_child's answer. What does not: any
judgement of them (soundness, verify); a file somebody else wrote (probe).
The fact to know: only for what our own ffmpeg has just closed, with everything its muxer is known to write. Whatever
is not of that plain form is answered by None, and then the child looks: a second reading is dear, not dangerous.
"""

from __future__ import annotations

import io
import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

from forwarder_core.media.boxes import BadBoxes, Box, find, scale_and_duration, walk

_MAX_INDEX_BYTES = 32 << 20  # four hours at 60 fps take 14
_UPRIGHT = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
_PROFILES = {66: "Baseline", 77: "Main", 100: "High"}
_HIGH, _BASELINE = 100, 66
_CONSTRAINED = 0x40
_LC = 2
_AAC_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_PLACES = (b"loci", b"\xa9xyz", b"location")
_DEPTH_8, _CHROMA_420 = 0, 1


def facts(path: Path) -> dict[str, Any] | None:
    """As probe_child answers, but for `sound_from_s`, which only decoding tells. None: ask the child."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            top = {box.kind: box for box in walk(file, 0, size)}
            if "moov" not in top or "mdat" not in top or "moof" in top or top["mdat"].end > size:
                return None
            return _of_movie(_body(file, top["moov"]), top["mdat"])
    except (BadBoxes, struct.error, IndexError, ValueError):
        return None


def _of_movie(index: bytes, data: Box) -> dict[str, Any] | None:
    file, whole = io.BytesIO(index), Box("moov", 0, len(index))
    inner = list(walk(file, 0, len(index)))
    tracks = [_Track.read(file, box) for box in inner if box.kind == "trak"]
    streams = [_stream(number, track, data) for number, track in enumerate(tracks)]
    frame = next((s.pop("frame") for s in streams if s and s["type"] == "video"), None)
    header = find(file, whole, "mvhd")
    if frame is None or header is None or len(streams) > 2 or not all(streams):
        return None
    scale, duration = scale_and_duration(file, header)
    return {
        "container": "mov,mp4,m4a,3gp,3g2,mj2",
        "broke": "",
        "header_s": duration / scale,
        "has_location": any(place in index for place in _PLACES),
        "frame": frame,
        "streams": streams,
        "sound_from_s": None,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Track:
    """One track's boxes, unpacked: times in its own ticks, one entry a sample."""

    handler: str
    is_upright: bool
    scale: int
    header_ticks: int
    entry: bytes  # the sample description, from its four-letter name on
    steps: array[int]
    shifts: array[int]
    sizes: array[int]
    chunks: tuple[int, ...]

    @classmethod
    def read(cls, file: BinaryIO, trak: Box) -> _Track:
        """Raises BadBoxes for a track without one of its tables."""

        def body(*kinds: str) -> bytes:
            return _body(file, find(file, trak, *kinds))

        def table(kind: str) -> bytes:
            return body("mdia", "minf", "stbl", kind)

        if find(file, trak, "edts"):
            raise BadBoxes("an edit list")
        mdhd = find(file, trak, "mdia", "mdhd")
        if mdhd is None:
            raise BadBoxes("a track without a header")
        scale, ticks = scale_and_duration(file, mdhd)
        has_shifts = find(file, trak, "mdia", "minf", "stbl", "ctts") is not None
        wide = find(file, trak, "mdia", "minf", "stbl", "co64") is not None
        sizes = _sizes(table("stsz"))
        shifts = _runs(table("ctts"), "i") if has_shifts else array("q", bytes(8 * len(sizes)))
        (count,) = struct.unpack_from(">I", offsets := table("co64" if wide else "stco"), 4)
        return cls(
            handler=body("mdia", "hdlr")[8:12].decode("latin-1"),
            is_upright=body("tkhd")[-44:-8] == _UPRIGHT,
            scale=scale,
            header_ticks=ticks,
            entry=table("stsd")[12:],
            steps=_runs(table("stts"), "I"),
            shifts=shifts,
            sizes=sizes,
            chunks=struct.unpack_from(f">{count}{'Q' if wide else 'I'}", offsets, 8),
        )

    def is_within(self, data: Box) -> bool:
        """Do all tables speak of as many samples, and is there room for these where the data is?"""
        n = len(self.sizes)
        if not n or len(self.steps) != n or len(self.shifts) != n or not self.chunks:
            return False
        return (
            data.start <= min(self.chunks) and max(self.chunks) < data.end and sum(self.sizes) <= data.end - data.start
        )


def _stream(number: int, track: _Track, data: Box) -> dict[str, Any] | None:
    if not (track.is_upright and track.scale and track.is_within(data)):
        return None
    begins = [at - step for at, step in zip(accumulate(track.steps), track.steps, strict=True)]
    shown = [begin + shift for begin, shift in zip(begins, track.shifts, strict=True)]
    ends = [at + step for at, step in zip(shown, track.steps, strict=True)]
    first, last, tick = min(shown), max(shown), 1 / track.scale
    said: dict[str, Any] = {
        "index": number,
        "is_picture": False,
        "header_s": track.header_ticks / track.scale,
        "packets": len(shown),
        "bytes": sum(track.sizes),
        "start_s": first * tick,
        "end_s": max(ends) * tick,
    }
    if track.handler == "soun":
        about = _sound(track.entry)
    elif track.handler == "vide" and len(set(track.steps[:-1])) == 1:
        rate = (len(shown) - 1) / ((last - first) * tick)
        about = _picture(track.entry, rate, [track.scale, track.steps[0]])
    else:
        about = None
    return said | about if about else None


def _picture(entry: bytes, rate: float, steps: Sequence[int]) -> dict[str, Any] | None:
    """Of an `avc1`: its size, profile and marks. Other codecs, other than 8-bit 4:2:0 of television range: None."""
    boxes = _boxes(entry, 82)
    config, marks = boxes.get("avcC"), boxes.get("colr", b"")
    if not entry.startswith(b"avc1") or not config or marks[:4] != b"nclx" or marks[10] & 0x80:
        return None
    profile = _PROFILES.get(config[1])
    if profile is None or (config[1] == _HIGH and not _is_ordinary(config)):
        return None
    if config[1] == _BASELINE and config[2] & _CONSTRAINED:
        profile = "Constrained Baseline"
    width, height = struct.unpack_from(">2H", entry, 28)
    primaries, transfer, matrix = struct.unpack_from(">3H", marks, 4)
    colors = {"colorspace": matrix, "color_range": 1, "color_primaries": primaries}
    colors["color_trc"] = transfer
    return {
        "type": "video",
        "codec": "h264",
        "profile": profile,
        "width": width,
        "height": height,
        "sar": list(struct.unpack(">2I", boxes["pasp"][:8])) if "pasp" in boxes else [1, 1],
        "pix_fmt": "yuv420p",
        "fps_avg": rate,
        "fps_real": list(steps),
        **colors,
        "field_order": 0,
        "frame": {"rotation": 0, "is_interlaced": False, "colors": colors},
    }


def _is_ordinary(config: bytes) -> bool:
    """Of an avcC of profile High: does it say 8 bits and 4:2:0, behind its parameter sets?"""
    at = 6
    for _ in range(config[5] & 0x1F):
        at += 2 + int.from_bytes(config[at : at + 2], "big")
    sets, at = config[at], at + 1
    for _ in range(sets):
        at += 2 + int.from_bytes(config[at : at + 2], "big")
    chroma, luma_depth, chroma_depth = config[at] & 3, config[at + 1] & 7, config[at + 2] & 7
    return (chroma, luma_depth, chroma_depth) == (_CHROMA_420, _DEPTH_8, _DEPTH_8)


def _sound(entry: bytes) -> dict[str, Any] | None:
    """Of an `mp4a`: what its AudioSpecificConfig says. Anything but AAC-LC of a usual rate: None."""
    esds = _boxes(entry, 32).get("esds")
    if not entry.startswith(b"mp4a") or not esds:
        return None
    config = _decoder_config(esds[4:])
    kind, rate, channels = config[0] >> 3, (config[0] & 7) << 1 | config[1] >> 7, config[1] >> 3 & 15
    if kind != _LC or rate >= len(_AAC_HZ) or channels not in (1, 2):
        return None
    return {"type": "audio", "codec": "aac", "profile": "LC", "hz": _AAC_HZ[rate], "channels": channels}


def _decoder_config(descriptors: bytes) -> bytes:
    """ES descriptor (3 bytes of head) > decoder's (13) > its specific part."""
    at = 0
    for tag, head in ((3, 3), (4, 13), (5, 0)):
        if descriptors[at] != tag:
            raise BadBoxes("no sound description")
        at += 1
        while descriptors[at] & 0x80:
            at += 1
        at += 1 + head
    return descriptors[at : at + 2]


def _boxes(entry: bytes, start: int) -> dict[str, bytes]:
    """The boxes in a sample description, which begin `start` bytes behind its name's beginning."""
    file = io.BytesIO(entry)
    return {box.kind: _body(file, box) for box in walk(file, start, len(entry))}


def _body(file: BinaryIO, box: Box | None) -> bytes:
    if box is None or box.end - box.start > _MAX_INDEX_BYTES:
        raise BadBoxes("a box is missing, or too large")
    file.seek(box.start)
    body = file.read(box.end - box.start)
    if len(body) < box.end - box.start:
        raise BadBoxes("a box that is cut off")
    return body


def _runs(body: bytes, form: str) -> array[int]:
    """`stts` and `ctts`: pairs of how often and what, one entry a sample."""
    (count,) = struct.unpack_from(">I", body, 4)
    found = array("q")
    for times, value in struct.iter_unpack(f">I{form}", body[8 : 8 + 8 * count]):
        if len(found) + times > _MAX_INDEX_BYTES // 4:
            raise BadBoxes("more samples than an index can hold")
        found.extend([value] * times)
    return found


def _sizes(body: bytes) -> array[int]:
    every, count = struct.unpack_from(">2I", body, 4)
    if every:
        return array("q", [every] * min(count, _MAX_INDEX_BYTES // 4))
    return array("q", struct.unpack_from(f">{count}I", body, 12))
