"""Colours stay what they were: bars of known RGB go in by every marking, and come out as BT.709 within two levels."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from forwarder_core.domain.transforms import TransformOptions
from forwarder_core.media.plan import Mode, plan
from forwarder_core.media.probe import probe
from forwarder_core.media.render import render
from forwarder_core.media.tools import Ffmpeg, find_ffmpeg
from tests.unit.media.samples import SMALL, run_ffmpeg

pytestmark = pytest.mark.slow

BARS = (
    (191, 191, 191),
    (191, 191, 0),
    (0, 191, 191),
    (0, 191, 0),
    (191, 0, 191),
    (191, 0, 0),
    (0, 0, 191),
    (30, 60, 120),
)
EXACT = "flags=accurate_rnd+full_chroma_int+full_chroma_inp"
SD, HD = (360, 480), (540, 960)
WHEEL = Path(imageio_ffmpeg.get_ffmpeg_exe())


def bars(path: Path, size: tuple[int, int], *, matrix: str, full: bool = False, video: tuple[str, ...] = ()) -> Path:
    """Half a second of upright bars, coded by `matrix`; marked only as `video` says."""
    width, height = size
    row = b"".join(bytes(BARS[x * len(BARS) // width]) for x in range(width))
    raw = path.with_suffix(".rgb")
    raw.write_bytes(row * height * 10)
    by = f"scale=out_color_matrix={matrix}:out_range={'pc' if full else 'tv'}:{EXACT}"
    given = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "20", "-i", str(raw))
    picture = video or ("-pix_fmt", "yuvj420p" if full else "yuv420p")
    lossless = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "1")
    run_ffmpeg(*given, "-vf", by, *lossless, *picture, str(path))
    return path


def shown(path: Path, size: tuple[int, int], matrix: str) -> list[tuple[int, ...]]:
    """The middle of each bar as RGB, read by `matrix`."""
    width, height = size
    at = f"{'in_range=tv:' if path.suffix == '.mp4' else ''}in_color_matrix={matrix}"
    argv = [str(shutil.which("ffmpeg")), "-v", "error", "-i", str(path), "-vf", f"scale={at}:{EXACT}", "-frames:v", "1"]
    data = subprocess.run([*argv, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], check=True, capture_output=True).stdout
    middles = [(height // 2 * width + width * (2 * n + 1) // 16) * 3 for n in range(len(BARS))]
    return [tuple(data[middle : middle + 3]) for middle in middles]


def furthest(seen: list[tuple[int, ...]]) -> int:
    return max(abs(a - b) for one, bar in zip(seen, BARS, strict=True) for a, b in zip(one, bar, strict=True))


def marks(matrix: str, primaries: str = "bt709") -> tuple[str, ...]:
    return ("-colorspace", matrix, "-color_primaries", primaries, "-color_trc", "bt709", "-pix_fmt", "yuv420p")


CASES: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {
    "SD without marks": (SD, {"matrix": "bt601"}),
    "SD marked BT.601": (SD, {"matrix": "bt601", "video": marks("smpte170m", "smpte170m")}),
    "SD marked BT.601 of 625 lines": (SD, {"matrix": "bt601", "video": marks("bt470bg", "bt470bg")}),
    "SD marked BT.709": (SD, {"matrix": "bt709", "video": marks("bt709")}),
    "SD in full range": (SD, {"matrix": "bt601", "full": True}),
    "HD without marks": (HD, {"matrix": "bt709"}),
    "HD in full range": (HD, {"matrix": "bt709", "full": True}),
    "HD marked BT.601": (HD, {"matrix": "bt601", "video": marks("smpte170m")}),
    "SD in 10 bit, marked BT.2020": (
        SD, {"matrix": "bt2020", "video": (*marks("bt2020nc")[:-1], "yuv420p10le")}),
    "RGB": (SD, {"matrix": "bt709", "video": ("-c:v", "libx264rgb", "-pix_fmt", "rgb24")}),
}  # fmt: skip
BUILDS = [(name, "system") for name in CASES] + [(name, "wheel") for name in ("SD without marks", "SD in full range")]


@pytest.mark.parametrize(("name", "build"), BUILDS)
def test_bars_keep_their_colours(tmp_path: Path, name: str, build: str) -> None:
    size, how = CASES[name]
    ffmpeg = find_ffmpeg(WHEEL if build == "wheel" else None)
    source = bars(tmp_path / "s.mp4", size, **how)
    decided = plan(probe(source), TransformOptions(), SMALL)
    made = render(decided, source, tmp_path / "r.mp4", ffmpeg=ffmpeg, cover=tmp_path / "c.jpg")
    assert decided.mode is Mode.ENCODE and made.seen
    seen = made.seen
    said = (seen.color_matrix, seen.color_primaries, seen.color_transfer, seen.color_range)
    assert (*said, seen.pix_fmt) == ("bt709", "bt709", "bt709", "tv", "yuv420p")
    assert furthest(shown(made.path, (seen.width, seen.height), "bt709")) <= 2
    assert furthest(shown(tmp_path / "c.jpg", (seen.width, seen.height), "bt601")) <= 8
    assert bool(decided.notes) is (name not in ("HD without marks", "SD marked BT.709"))


@pytest.mark.parametrize("name", ["SD without marks", "SD in full range"])
def test_an_ffmpeg_without_zscale_comes_as_near_by_its_scaler(tmp_path: Path, name: str) -> None:
    size, how = CASES[name]
    source = bars(tmp_path / "s.mp4", size, **how)
    plain: Ffmpeg = replace(find_ffmpeg(), can_tone_map=False)
    decided = plan(probe(source), TransformOptions(), SMALL, can_tone_map=False)
    made = render(decided, source, tmp_path / "r.mp4", ffmpeg=plain)
    assert made.seen and furthest(shown(made.path, (made.seen.width, made.seen.height), "bt709")) <= 2


def test_the_cover_of_a_copied_clip_shows_its_colours(tmp_path: Path) -> None:
    source = bars(tmp_path / "s.mp4", SD, matrix="bt601")
    decided = plan(probe(source), TransformOptions(), replace(SMALL, min_fps=15))
    made = render(decided, source, tmp_path / "r.mp4", ffmpeg=find_ffmpeg(), cover=tmp_path / "c.jpg")
    assert made.mode is not Mode.ENCODE
    assert furthest(shown(tmp_path / "c.jpg", SD, "bt601")) <= 8
