"""Odd sources end as the destination takes them: upright, whole or cut by rule, and sound and picture together."""

from __future__ import annotations

from array import array
from dataclasses import replace
from pathlib import Path

import pytest

from forwarder_core.domain.transforms import Fit, TransformOptions
from forwarder_core.media.plan import Mode, plan
from forwarder_core.media.probe import Probe
from tests.integration.test_media_render import OPUS, VP9, forward
from tests.unit.media.samples import AAC, SMALL, X264, make_clip, run_ffmpeg

pytestmark = pytest.mark.slow
FLASH_S = 0.6
NARROW = replace(SMALL, aspect_max=0.6)


def is_taken(seen: Probe) -> bool:
    """Would it be copied if it came in again? Then it is all the destination asks for."""
    return plan(seen, TransformOptions(), SMALL).mode is Mode.COPY


@pytest.mark.parametrize("fit", list(Fit))
@pytest.mark.parametrize("size", ["640x360", "400x400", "1280x200", "200x1280"])
def test_any_shape_comes_onto_the_canvas(tmp_path: Path, size: str, fit: Fit) -> None:
    source = make_clip(tmp_path / "source.mp4", size=size, seconds=0.5)
    _, _, seen = forward(source, limits=NARROW, options=TransformOptions(fit=fit))
    assert (seen.width, seen.height, seen.frames) == (360, 640, 15) and is_taken(seen)


def test_a_square_video_is_left_as_it_is_where_squares_are_taken(tmp_path: Path) -> None:
    decided, _, _ = forward(make_clip(tmp_path / "source.mp4", size="400x400"))
    assert decided.mode is Mode.COPY


def test_4k_is_brought_down(tmp_path: Path) -> None:
    _, _, seen = forward(make_clip(tmp_path / "source.mp4", size="2160x3840", seconds=0.5))
    assert (seen.width, seen.height, seen.frames) == (360, 640, 15) and is_taken(seen)


def test_75_seconds_are_cut_to_the_60_that_are_taken(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mp4", size="180x320", fps="25", seconds=75.0)
    decided, _, seen = forward(source, limits=replace(SMALL, max_duration_s=60))
    assert decided.trim_s is not None and any("75.0 s" in reason for reason in decided.reasons)
    assert 59.5 <= seen.duration_s <= 60.0


def flashing(path: Path, *, fps: str, **how: tuple[str, ...]) -> Path:
    """Black and silent until FLASH_S; from then on white and loud."""
    white = f"drawbox=t=fill:color=black,drawbox=t=fill:color=white:enable='gte(t,{FLASH_S})'"
    loud = f"volume=0:enable='lt(t,{FLASH_S})'"
    video, audio = how.get("video", X264), how.get("audio", AAC)
    return make_clip(path, size="320x180", fps=fps, seconds=1.5, sound="48000", video=("-vf", white, *video),
                     audio=("-af", loud, *audio), more=how.get("more", ()))  # fmt: skip


def instants(path: Path) -> tuple[float, float]:
    """When the picture turns white and when the sound sets in, in seconds of playing."""
    gray, pcm = path.with_name("x.gray"), path.with_name("x.pcm")
    run_ffmpeg("-i", str(path), "-vf", "fps=200,crop=2:2,format=gray", "-f", "rawvideo", str(gray))
    run_ffmpeg("-i", str(path), "-vn", "-af", "aresample=async=1:first_pts=0", "-ar", "8000", "-ac", "1", "-f", "s16le",
               str(pcm))  # fmt: skip
    frames, samples = gray.read_bytes()[::4], array("h", pcm.read_bytes())
    white = next(n for n, value in enumerate(frames) if value > 128) / 200
    loud = next(n for n, value in enumerate(samples) if abs(value) > 1000) / 8000
    return white, loud


@pytest.mark.parametrize(
    ("fps", "how", "options"),
    [
        ("30", {}, TransformOptions()),
        ("60", {}, TransformOptions(fit=Fit.BLUR, normalize_loudness=True)),
        ("12", {}, TransformOptions()),
        ("30000/1001", {"video": VP9, "audio": OPUS}, TransformOptions()),
        ("30", {"video": (*X264, "-fps_mode", "vfr")}, TransformOptions(fit=Fit.CROP)),
    ],
)
def test_sound_and_picture_stay_together(
    tmp_path: Path, fps: str, how: dict[str, tuple[str, ...]], options: TransformOptions
) -> None:
    source = flashing(tmp_path / ("source.webm" if how.get("audio") else "source.mp4"), fps=fps, **how)
    before = instants(source)
    decided, made, _ = forward(source, options=options)
    after = instants(made.path)
    frame_s = 1 / float(decided.fps)
    assert abs((after[0] - after[1]) - (before[0] - before[1])) <= frame_s
    assert abs(after[0] - before[0]) <= frame_s
