"""The same video is known again after what platforms do to it, and a stranger is not taken for it.

The table of everything tried, with what is missed, stands in docs/performance.md; here are the sides of each threshold.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from forwarder_core.media import fingerprint
from forwarder_core.media.fingerprint import Kept, Likeness, Seen
from forwarder_core.media.probe import probe
from forwarder_core.media.tools import find_ffmpeg
from tests.unit.media.samples import AAC, X264, make_clip, run_ffmpeg

pytestmark = pytest.mark.slow

SCENE = "mandelbrot=s=180x320:r=25:start_x=-0.74:start_y=-0.13:start_scale=0.3:end_scale=0.005:end_pts=250"
# One of 25 pitches after the other, three a second.
TUNE = "aevalsrc=0.3*sin(2*PI*t*220*pow(2\\,floor(25*abs(sin({n}+floor(t*3)*{n})))/12))*exp(-2*mod(t\\,1/3)):s=44100"


def seen(path: Path) -> Seen:
    return fingerprint.take(path, probe(path), find_ffmpeg())


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "original.mp4"
    run_ffmpeg("-f", "lavfi", "-i", SCENE, "-f", "lavfi", "-i", TUNE.format(n=3), "-t", "6", *X264, *AAC, str(path))
    return path


@pytest.fixture(scope="module")
def kept(original: Path) -> Kept:
    return seen(original).keep()


@pytest.mark.parametrize(
    "change",
    [
        ("-crf", "38"),
        ("-vf", "scale=90:160"),
        ("-vf", "scale=360:640,eq=brightness=0.06:saturation=1.3"),
        ("-vf", "pad=204:344:12:12:white"),
        ("-vf", "scale=90:160,pad=180:320:45:80:black"),
        ("-vf", "fps=30,drawbox=10:10:55:20:white:fill"),
        ("-ss", "0.7"),
        ("-ss", "1.34", "-b:a", "32k", "-ac", "1", "-ar", "22050"),
        ("-af", "volume=-12dB"),
        ("-an",),
    ],
)
def test_a_changed_copy_is_the_same(tmp_path: Path, original: Path, kept: Kept, change: tuple[str, ...]) -> None:
    copy = tmp_path / "copy.mp4"
    run_ffmpeg("-i", str(original), *X264, *change, str(copy))
    assert fingerprint.likeness(kept, seen(copy)) is Likeness.SAME


def test_a_stranger_is_another_and_so_is_one_of_another_length(tmp_path: Path, original: Path, kept: Kept) -> None:
    stranger = tmp_path / "stranger.mp4"
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=180x320:r=25:d=6", *X264, str(stranger))
    assert fingerprint.share(kept, seen(stranger)) > fingerprint.UNCLEAR_SHARE
    same = seen(original)
    assert fingerprint.share(kept, same) == 0
    assert fingerprint.likeness(kept, Seen(same.duration_s + 2.5, same.hashes)) is Likeness.OTHER


def test_the_sound_settles_what_the_pictures_leave_open(tmp_path: Path, original: Path, kept: Kept) -> None:
    """Another sound under the same pictures, the same sound under others: neither is the same video, nor a stranger."""
    dubbed, danced = tmp_path / "dubbed.mp4", tmp_path / "danced.mp4"
    other = ("-f", "lavfi", "-i", TUNE.format(n=7))
    run_ffmpeg("-i", str(original), *other, "-map", "0:v", "-map", "1:a", "-t", "6", "-c:v", "copy", *AAC, str(dubbed))
    stranger = ("-f", "lavfi", "-i", "testsrc2=s=180x320:r=25:d=6")
    run_ffmpeg("-i", str(original), *stranger, "-map", "1:v", "-map", "0:a", *X264, "-c:a", "copy", str(danced))
    assert [fingerprint.likeness(kept, seen(path)) for path in (dubbed, danced)] == [Likeness.UNCLEAR] * 2
    same = seen(original)
    halves = {"pictures alone": Kept(kept.duration_s, kept.data[:96]), "both": kept}
    far = Seen(same.duration_s, tuple(one ^ 0x11111111_11111111 for one in same.hashes), same.heard)  # a quarter
    assert {name: fingerprint.likeness(one, far) for name, one in halves.items()} == {
        "pictures alone": Likeness.UNCLEAR, "both": Likeness.SAME,
    }  # fmt: skip


def test_a_steady_tone_says_nothing(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=6.0, size="90x160")
    assert seen(clip).keep().sound == b""


def test_what_is_kept_is_small_and_reads_back(kept: Kept) -> None:
    assert (len(kept.data), len(kept.sound)) == (144, 48)
    assert len(kept.hashes()) == 12


def test_flat_pictures_are_like_nothing() -> None:
    black = Seen(6.0, fingerprint.of_frames(bytes(72 * 64 * 86)))
    assert len(black.hashes) == 86
    assert fingerprint.share(black.keep(), black) == 1.0
