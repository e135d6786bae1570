"""The outer boxes of hand-made files."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from forwarder_core.media.boxes import BadBoxes, Layout, read_layout

FTYP = struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0)


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def header(kind: bytes, scale: int, duration: int, *, version: int = 0) -> bytes:
    if version:
        return box(kind, b"\x01\0\0\0" + struct.pack(">QQIQ", 0, 0, scale, duration) + bytes(8))
    return box(kind, bytes(4) + struct.pack(">IIII", 0, 0, scale, duration) + bytes(8))


def elst(*edits: tuple[int, int], version: int = 0) -> bytes:
    form = ">Qqhh" if version else ">Iihh"
    body = b"".join(struct.pack(form, duration, time, 1, 0) for duration, time in edits)
    return box(b"elst", struct.pack(">B3xI", version, len(edits)) + body)


def moov(edit_list: bytes = b"", *, media: int = 90_000, version: int = 0) -> bytes:
    """A movie of one 10 s track: timescale 1000 for the movie, 9000 for the track."""
    edts = box(b"edts", edit_list) if edit_list else b""
    trak = box(b"trak", box(b"tkhd", bytes(8)) + edts + box(b"mdia", header(b"mdhd", 9000, media, version=version)))
    return box(b"moov", header(b"mvhd", 1000, 10_000, version=version) + trak)


def layout(tmp_path: Path, data: bytes) -> Layout:
    path = tmp_path / "x.mp4"
    path.write_bytes(data)
    return read_layout(path)


def test_index_first_and_index_last(tmp_path: Path) -> None:
    mdat = box(b"mdat", bytes(100))
    first = layout(tmp_path, FTYP + moov() + box(b"free") + mdat)
    assert (first.is_moov_first, first.has_moov, first.has_mdat, first.missing_bytes) == (True, True, True, 0)
    assert not layout(tmp_path, FTYP + mdat + moov()).is_moov_first


def test_a_large_size_and_a_size_to_the_end(tmp_path: Path) -> None:
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 50) + bytes(50)
    assert not layout(tmp_path, FTYP + large + moov()).is_moov_first
    to_the_end = layout(tmp_path, FTYP + moov() + struct.pack(">I4s", 0, b"mdat") + bytes(77))
    assert (to_the_end.has_mdat, to_the_end.missing_bytes) == (True, 0)


def test_a_file_that_was_cut_off_says_how_much_is_missing(tmp_path: Path) -> None:
    whole = FTYP + moov() + box(b"mdat", bytes(1000))
    assert layout(tmp_path, whole[:-400]).missing_bytes == 400
    no_index = layout(tmp_path, FTYP + box(b"mdat", bytes(10)))
    assert not no_index.has_moov


def test_fragments_are_seen(tmp_path: Path) -> None:
    assert layout(tmp_path, FTYP + moov() + box(b"moof") + box(b"mdat")).is_fragmented


@pytest.mark.parametrize(
    ("edits", "cuts"),
    [
        (elst((10_000, 0)), False),
        (elst((10_000, 600)), False),  # 0.067 s: two reordered frames
        (elst((10_000, 600), version=1), False),
        (elst((40, -1), (10_000, 0)), False),  # a track that starts 40 ms late
        (elst((0, 600)), False),  # a fragmented file: length unknown
        (elst((10_000, 18_000)), True),  # begins 2 s in
        (elst((5_000, 0)), True),  # ends 5 s early
        (elst((3_000, 0), (3_000, 45_000)), True),  # two pieces
    ],
)
def test_only_an_edit_list_that_cuts_counts_as_one(tmp_path: Path, edits: bytes, cuts: bool) -> None:
    seen = layout(tmp_path, FTYP + moov(edits) + box(b"mdat"))
    assert (seen.has_edit_list, seen.has_cuts) == (True, cuts)


def test_version_one_headers(tmp_path: Path) -> None:
    assert layout(tmp_path, FTYP + moov(elst((5_000, 0)), version=1) + box(b"mdat")).has_cuts


@pytest.mark.parametrize("damage", [struct.pack(">I4s", 3, b"moov"), struct.pack(">I4sQ", 1, b"moov", 2)])
def test_impossible_sizes_are_an_error_not_a_loop(tmp_path: Path, damage: bytes) -> None:
    with pytest.raises(BadBoxes):
        layout(tmp_path, FTYP + damage + bytes(50))


def test_a_million_tiny_boxes_are_given_up(tmp_path: Path) -> None:
    with pytest.raises(BadBoxes, match="more than"):
        layout(tmp_path, FTYP + box(b"free") * 100_001)


def test_stray_zeros_at_the_end_are_no_damage(tmp_path: Path) -> None:
    seen = layout(tmp_path, FTYP + moov() + box(b"mdat") + bytes(3))
    assert seen.missing_bytes == 0
