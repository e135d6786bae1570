"""Clips are what they were asked to be, and no two are alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from forwarder_core.simulator.clips import Clip, ClipFailed, make
from forwarder_core.simulator.probe import probe

SMALL = Clip(seed=1, seconds=0.5, width=96, height=128)


def test_by_default_a_clip_is_what_platforms_take(clip: Path) -> None:
    found = probe(clip)

    assert (found.video_codec, found.pixel_format, found.fps) == ("h264", "yuv420p", 30)
    assert (found.audio_codec, found.audio_hz, found.audio_channels) == ("aac", 48_000, 2)
    assert found.is_faststart


def test_the_seed_makes_the_file(tmp_path: Path) -> None:
    one, same, other = (
        probe(make(replace(SMALL, seed=seed), tmp_path / f"{name}.mp4")).sha256
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    )

    assert one == same
    assert one != other


def test_a_clip_can_be_one_that_must_be_transformed(tmp_path: Path) -> None:
    wanted = replace(SMALL, codec="mpeg4", audio=False, fps=15, faststart=False)

    found = probe(make(wanted, tmp_path / "odd.mp4"))

    assert (found.video_codec, found.audio_codec, found.fps) == ("mpeg4", "", 15)
    assert not found.is_faststart


def test_a_clip_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    with pytest.raises(ClipFailed, match="No such file"):
        make(SMALL, tmp_path / "no" / "folder.mp4")
