"""Real files through the whole way: probe, plan, render, and a look at what came out."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from forwarder_core.domain.limits import MediaLimits
from forwarder_core.domain.transforms import TransformOptions
from forwarder_core.errors import MediaRejected
from forwarder_core.media.failures import Cancelled
from forwarder_core.media.plan import Mode, Plan, Stream, plan
from forwarder_core.media.probe import Probe, probe
from forwarder_core.media.render import Rendered, render
from forwarder_core.media.slots import Slots
from forwarder_core.media.tools import find_ffmpeg
from tests.unit.media.samples import LIMITS, SMALL, X264, make_clip, run_ffmpeg

pytestmark = pytest.mark.slow

VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8")
OPUS = ("-c:a", "libopus")


def forward(
    source: Path, *, limits: MediaLimits = SMALL, options: TransformOptions | None = None
) -> tuple[Plan, Rendered, Probe]:
    decided = plan(probe(source), options or TransformOptions(), limits)
    folder = source.parent
    made = render(decided, source, folder / "rendition.mp4", ffmpeg=find_ffmpeg(), cover=folder / "cover.jpg")
    assert made.path.stat().st_size == made.size_bytes
    assert hashlib.sha256(made.path.read_bytes()).hexdigest() == made.sha256
    assert made.cover is not None
    assert made.cover.read_bytes()[:3] == b"\xff\xd8\xff"
    assert not list(folder.glob("*.part.*"))
    seen = probe(made.path)
    assert (seen.width, seen.height, made.width, made.height) == (decided.width, decided.height) * 2
    assert made.duration_ms == pytest.approx(seen.duration_s * 1000, abs=1)
    assert made.seen in (None, seen), "what its index says is what a reader of every packet finds"
    return decided, made, seen


def test_a_compliant_clip_goes_through_byte_for_byte(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mp4")
    decided, made, _ = forward(source)
    assert (decided.mode, made.mode) == (Mode.COPY, Mode.COPY)
    assert made.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert made.path.samefile(source)


def test_a_landscape_clip_becomes_a_padded_1080x1920(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mp4", size="640x360", seconds=0.5)
    decided, made, seen = forward(source, limits=replace(LIMITS, min_duration_s=0.4))
    assert (decided.mode, decided.audio) == (Mode.ENCODE, Stream.COPY)
    assert (seen.width, seen.height, seen.frames, seen.fps_avg) == (1080, 1920, 15, 30)
    assert (seen.video_codec, seen.video_profile, seen.pix_fmt, seen.sar) == ("h264", "High", "yuv420p", 1)
    assert (seen.is_moov_first, seen.has_edit_list, seen.other_streams) == (True, False, 0)
    assert made.cpu_s > 0


def test_the_picture_lies_in_the_middle_and_the_result_would_be_copied_if_it_came_in_again(tmp_path: Path) -> None:
    _, made, seen = forward(make_clip(tmp_path / "source.mp4", size="640x360", seconds=0.5))
    assert plan(seen, TransformOptions(), SMALL).mode is Mode.COPY
    assert _rows_with_picture(made.path, 360, 640) == (pytest.approx(219, abs=3), pytest.approx(421, abs=3))


def _rows_with_picture(path: Path, width: int, height: int) -> tuple[int, int]:
    raw = path.with_name("frame.gray")
    run_ffmpeg("-i", str(path), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", str(raw))
    data = raw.read_bytes()
    raw.unlink()
    lit = [row for row in range(height) if max(data[row * width : (row + 1) * width]) > 40]
    return lit[0], lit[-1]


def test_h264_with_opus_keeps_its_picture(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mkv", sound="48000", audio=OPUS, more=())
    decided, _, seen = forward(source)
    assert (decided.mode, decided.video, decided.audio) == (Mode.ENCODE, Stream.COPY, Stream.ENCODE)
    assert (seen.container, seen.audio_codec, seen.frames) == ("mp4", "aac", 30)


def test_matroska_with_the_right_streams_is_only_repacked(tmp_path: Path) -> None:
    decided, made, seen = forward(make_clip(tmp_path / "source.mkv", more=()))
    assert decided.mode is Mode.REMUX
    assert (seen.container, seen.frames, seen.is_moov_first, seen.has_edit_list) == ("mp4", 30, True, False)
    assert made.cpu_s < 1.0


def test_an_index_at_the_end_and_an_edit_list_are_only_repacked(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mp4", more=())
    before = probe(source)
    assert (before.is_moov_first, before.has_edit_list, before.has_cuts) == (False, True, False)
    decided, _, seen = forward(source)
    assert decided.mode is Mode.REMUX
    assert (seen.is_moov_first, seen.has_edit_list, seen.frames) == (True, False, 30)


def test_fragments_become_one_file(tmp_path: Path) -> None:
    source = make_clip(
        tmp_path / "source.mp4", seconds=3.0, more=("-movflags", "frag_keyframe+empty_moov+default_base_moof")
    )
    assert probe(source).is_fragmented
    decided, _, seen = forward(source)
    assert (decided.mode, seen.is_fragmented, seen.frames) == (Mode.REMUX, False, 90)


@pytest.mark.parametrize(
    ("turn", "shown", "corner"),
    [(90, (360, 640), (False, True)), (180, (640, 360), (True, True)), (270, (360, 640), (True, False))],
)
def test_a_turned_clip_stands_upright(
    tmp_path: Path, turn: int, shown: tuple[int, int], corner: tuple[bool, bool]
) -> None:
    """A white mark in the stored picture is turned against the clock; `corner`: is it seen at the right, and below?"""
    mark = "drawbox=color=gray:t=fill,drawbox=0:0:100:60:white:fill"
    flat = make_clip(tmp_path / "flat.mp4", size="640x360", sound=None, video=("-vf", mark, *X264))
    source = tmp_path / "source.mp4"
    run_ffmpeg("-i", str(flat), "-c", "copy", "-metadata:s:v", f"rotate={turn}", str(source))
    before = probe(source)
    assert (before.rotation, before.width, before.height) == (turn, *shown)
    decided, made, seen = forward(source)
    assert decided.mode is Mode.ENCODE
    assert (seen.rotation, seen.has_audio) == (0, False)
    first, last = _rows_with_picture(made.path, 360, 640)
    assert last - first + 1 == pytest.approx(640 if turn % 180 else 202, abs=4)
    x, y = (350 if corner[0] else 10), (last - 10 if corner[1] else first + 10)
    assert _gray_at(made.path, x, y) > 220 > 160 > _gray_at(made.path, 360 - x, y)


def _gray_at(path: Path, x: int, y: int) -> int:
    raw = path.with_name("dot.gray")
    run_ffmpeg("-i", str(path), "-frames:v", "1", "-vf", f"crop=2:2:{x}:{y}", "-f", "rawvideo", "-pix_fmt", "gray",
               str(raw))  # fmt: skip
    return raw.read_bytes()[0]


@pytest.mark.parametrize(("fps", "expected"), [("60", 60), ("120", 60), ("30000/1001", 29.97)])
def test_frame_rates(tmp_path: Path, fps: str, expected: float) -> None:
    decided, _, seen = forward(make_clip(tmp_path / "source.mp4", fps=fps, size="360x640"))
    assert float(seen.fps_avg) == pytest.approx(expected, abs=0.01)
    assert decided.video is (Stream.COPY if fps in ("60", "30000/1001") else Stream.ENCODE)


def test_mono_at_22_khz_and_no_sound_at_all_are_fine_as_they_are(tmp_path: Path) -> None:
    mono = make_clip(tmp_path / "source.mp4", sound="22050")
    assert forward(mono)[0].mode is Mode.COPY
    silent = make_clip(tmp_path / "source.mp4", sound=None)
    decided, _, seen = forward(silent)
    assert (decided.mode, decided.audio, seen.has_audio) == (Mode.COPY, Stream.NONE, False)


@pytest.mark.parametrize("how", ["copied", "encoded"])
def test_a_long_clip_is_cut_below_the_limit(tmp_path: Path, how: str) -> None:
    video = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-pix_fmt", "yuv420p")
    source = make_clip(
        tmp_path / "source.mp4", seconds=3.0, video=video, size="360x640" if how == "copied" else "640x360"
    )
    limits = replace(SMALL, max_duration_s=2)
    decided, _, seen = forward(source, limits=limits)
    assert decided.mode is (Mode.REMUX if how == "copied" else Mode.ENCODE)
    assert 1.7 <= seen.duration_s <= 2.0


def test_an_edit_list_that_cuts_is_honoured_not_undone(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mp4", seconds=2.0, video=(*_BFRAMELESS, "-g", "60"))
    source = tmp_path / "source.mp4"
    run_ffmpeg("-ss", "0.5", "-i", str(whole), "-c", "copy", str(source))
    before = probe(source)
    assert before.has_cuts
    decided, _, seen = forward(source)
    assert (decided.video, decided.audio) == (Stream.ENCODE, Stream.ENCODE)
    assert seen.duration_s == pytest.approx(1.5, abs=0.1)


_BFRAMELESS = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", "0")


def test_extra_streams_places_and_chapters_are_left_out(tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "plain.mp4")
    source = tmp_path / "source.mp4"
    run_ffmpeg(
        "-i", str(plain), "-map", "0", "-map", "0:a", "-c", "copy", "-metadata", "location=+48.1+011.5/", str(source)
    )
    before = probe(source)
    assert (before.n_audio, before.has_location) == (2, True)
    decided, _, seen = forward(source)
    assert decided.mode is Mode.REMUX
    assert (seen.n_audio, seen.other_streams, seen.has_location) == (1, 0, False)


def test_the_cap_is_kept_even_by_a_picture_that_does_not_want_to(tmp_path: Path) -> None:
    noise = ("-vf", "noise=alls=60:allf=t", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
    source = make_clip(tmp_path / "source.mp4", video=noise)
    limits = replace(SMALL, max_bytes=100_000)
    assert source.stat().st_size > limits.max_bytes
    _, made, _ = forward(source, limits=limits)
    assert made.size_bytes <= limits.max_bytes


def test_a_rate_that_seemed_far_away_is_kept_by_a_second_try(tmp_path: Path) -> None:
    noise = ("-vf", "noise=alls=60:allf=t", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
    source = make_clip(tmp_path / "source.mp4", size="180x320", video=noise)
    decided = replace(plan(probe(source), TransformOptions(upscale=True), SMALL), has_ceiling=False)
    free, held = (
        render(replace(decided, video_kbps=kbps), source, tmp_path / f"{kbps}.mp4", ffmpeg=find_ffmpeg())
        for kbps in (100_000, 300)
    )
    assert (free.tries, held.tries) == (1, 2)
    assert held.size_bytes < free.size_bytes / 2


def test_the_cover_is_not_black_unless_everything_is(tmp_path: Path) -> None:
    late = ("-vf", "fade=in:st=0.4:d=0.1", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
    for video, is_dark in ((late, False), (("-vf", "drawbox=t=fill:color=black", *_BFRAMELESS), True)):
        source = make_clip(tmp_path / "source.mp4", video=video, size="640x360")
        forward(source)
        gray = tmp_path / "cover.gray"
        run_ffmpeg("-i", str(tmp_path / "cover.jpg"), "-f", "rawvideo", "-pix_fmt", "gray", str(gray))
        assert (max(gray.read_bytes()) < 40) is is_dark


def test_slots_and_progress(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mp4", size="640x360")
    seen: list[float] = []
    decided = plan(probe(source), TransformOptions(), SMALL)
    render(
        decided,
        source,
        tmp_path / "r.mp4",
        ffmpeg=find_ffmpeg(),
        progress=lambda state: seen.append(state.fraction),
        slots=Slots(tmp_path / "slots", 1),
    )
    assert seen[-1] == 1.0
    assert seen == sorted(seen)


def test_a_copy_waits_for_other_copies_and_for_no_encode(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mp4")
    copied, slots = plan(probe(source), TransformOptions(), SMALL), Slots(tmp_path / "slots", 1)
    assert copied.mode is Mode.COPY
    target, ffmpeg = tmp_path / "r.mp4", find_ffmpeg()
    with slots.take():
        assert render(copied, source, target, ffmpeg=ffmpeg, slots=slots).path.exists()
    with slots.of_copies.take(), slots.of_copies.take(), pytest.raises(Cancelled):
        render(copied, source, target, ffmpeg=ffmpeg, slots=slots, cancelled=lambda: True)


def test_an_output_that_is_not_as_planned_is_thrown_away(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mp4", size="640x360")
    wrong = replace(plan(probe(source), TransformOptions(), SMALL), duration_s=5.0, frames=150)
    with pytest.raises(MediaRejected, match=r"1\.0\d s instead of 5\.00 s; 30 frames instead of 150"):
        render(wrong, source, tmp_path / "r.mp4", ffmpeg=find_ffmpeg(), cover=tmp_path / "c.jpg")
    assert [entry.name for entry in tmp_path.iterdir()] == ["source.mp4"]
