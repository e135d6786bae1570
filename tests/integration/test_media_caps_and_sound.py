"""The size cap by its ladder, and the sound that must not get lost on the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from forwarder_core.domain.transforms import Quality, TransformOptions
from forwarder_core.errors import LocalFailed
from forwarder_core.media import receipt, verify
from forwarder_core.media.plan import Mode, plan
from forwarder_core.media.probe import probe
from forwarder_core.media.render import render
from forwarder_core.media.tools import find_ffmpeg
from tests.unit.media.samples import AAC, CLEAN, SMALL, X264, make_clip, run_ffmpeg

pytestmark = pytest.mark.slow

BUSY = ("-vf", "noise=alls=12:allf=t:all_seed=3", *X264)


def test_twelve_seconds_come_to_90_to_100_percent_of_a_cap_of_1_5_mb(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "s.mp4", seconds=12.0, video=BUSY)
    limits = replace(SMALL, max_bytes=1_500_000)
    decided = plan(probe(source), TransformOptions(), limits)
    made = render(decided, source, tmp_path / "r.mp4", ffmpeg=find_ffmpeg())
    assert 0.9 <= made.size_bytes / limits.max_bytes <= 1.0
    assert made.seen and made.seen.duration_s == pytest.approx(12.0, abs=0.05)
    assert made.seen.frames == 360
    assert [entry.name for entry in sorted(tmp_path.iterdir())] == ["r.mp4", "s.mp4"]


def test_a_rendition_says_what_it_was_and_is(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "s.mp4", size="640x360")
    facts = probe(source)
    made = render(plan(facts, TransformOptions(), SMALL), source, tmp_path / "r.mp4", ffmpeg=find_ffmpeg())
    told = receipt.of(facts, made)
    assert (told["input"]["width"], told["output"]["width"]) == (640, 360)
    assert (told["input"]["sound"], told["output"]["sound"]) == ("present", "present")
    assert told["bytes_out"] == made.size_bytes
    assert told["cpu_s"] > 0
    assert told["tries"] == 1


def silent(path: Path) -> Path:
    inputs = ["-f", "lavfi", "-i", "testsrc2=s=360x640:r=30:d=1", "-f", "lavfi", "-i", "anullsrc=r=44100"]
    run_ffmpeg(*inputs, "-t", "1", *X264, *AAC, *CLEAN, str(path))
    return path


def test_silence_is_heard(tmp_path: Path) -> None:
    loud, quiet = probe(make_clip(tmp_path / "a.mp4")), probe(silent(tmp_path / "b.mp4"))
    none = probe(make_clip(tmp_path / "c.mp4", sound=None))
    assert (loud.is_silent, quiet.is_silent, none.is_silent) == (False, True, False)
    assert loud.sound_from_s is not None and loud.sound_from_s < 0.1
    noted = plan(quiet, TransformOptions(quality=Quality.ORIGINAL), SMALL)
    assert (noted.mode, noted.notes) == (Mode.COPY, ("The source file is silent.",))


def test_sound_that_begins_late_is_found(tmp_path: Path) -> None:
    late = ("-af", "volume=0:enable='lt(t,2)'", *AAC)
    facts = probe(make_clip(tmp_path / "s.mp4", seconds=3.0, audio=late))
    assert facts.sound_from_s == pytest.approx(2.0, abs=0.1)


def test_a_rendition_that_lost_its_sound_is_ours_to_make_again(tmp_path: Path) -> None:
    decided = plan(probe(make_clip(tmp_path / "a.mp4")), TransformOptions(), SMALL)
    mute = probe(silent(tmp_path / "b.mp4"))
    with pytest.raises(LocalFailed, match="finished file is silent"):
        verify.check(decided, mute)
    verify.check(replace(decided, sound_from_s=0.9), mute)  # heard so late that a cut may have taken it
    verify.check(replace(decided, sound_from_s=None), mute)
