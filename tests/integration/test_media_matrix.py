"""Odd sources end as the destination takes them: upright, whole or cut by rule, and sound and picture together."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from forwarder_core.domain.limits import MediaLimits
from forwarder_core.domain.transforms import Fit, TransformOptions
from forwarder_core.media.plan import Mode, plan
from forwarder_core.media.probe import Probe, probe
from tests.integration.test_media_render import OPUS, VP9, forward
from tests.unit.media.samples import AAC, SMALL, X264, make_clip, run_ffmpeg

pytestmark = pytest.mark.slow

FLASH_S = 0.5
NARROW = replace(SMALL, aspect_max=0.6)
_LOOKS_A_SECOND, _WIDTH, _HEIGHT = 120, 18, 32


def is_taken(seen: Probe, limits: MediaLimits) -> bool:
    """Would it be copied if it came in again? Then it is all the destination asks for."""
    return plan(seen, TransformOptions(), limits).mode is Mode.COPY


@pytest.mark.parametrize("fit", list(Fit))
@pytest.mark.parametrize("size", ["640x360", "400x400", "1280x200", "200x1280"])
def test_any_shape_comes_onto_the_canvas(tmp_path: Path, size: str, fit: Fit) -> None:
    source = make_clip(tmp_path / "source.mp4", size=size, seconds=0.5)
    _, _, seen = forward(source, limits=NARROW, options=TransformOptions(fit=fit))
    assert (seen.width, seen.height, seen.frames) == (360, 640, 15) and is_taken(seen, SMALL)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A source as it is made, and what it is forwarded with. `turn`: it lies on its side and a mark says so."""

    size: str = "320x180"
    fps: str = "30"
    seconds: float = 1.0
    video: tuple[str, ...] = X264
    audio: tuple[str, ...] | None = AAC
    sound: str = "48000"
    suffix: str = ".mp4"
    filters: str = ""
    turn: bool = False
    limits: MediaLimits = SMALL
    options: TransformOptions = field(default_factory=TransformOptions)


HEVC = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:pools=1")
HDR = (*HEVC, "-pix_fmt", "yuv420p10le", "-color_primaries", "bt2020", "-colorspace", "bt2020nc")
LOUDER = TransformOptions(normalize_loudness=True)
TO_2_S = replace(SMALL, max_duration_s=2)
KINDS = {
    "16:9": Kind(),
    "16:9 cut to shape": Kind(options=TransformOptions(fit=Fit.CROP)),
    "square": Kind(size="240x240", limits=NARROW),
    "square, left alone": Kind(size="240x360"),
    "HEVC": Kind(size="180x320", video=(*HEVC, "-pix_fmt", "yuv420p")),
    "VP9 in WebM": Kind(fps="30000/1001", video=VP9, audio=OPUS, suffix=".webm"),
    "60 fps": Kind(fps="60", options=TransformOptions(fit=Fit.BLUR, normalize_loudness=True)),
    "12 fps": Kind(fps="12"),
    "VFR": Kind(fps="60", filters="select=lt(n\\,20)+not(mod(n\\,3)),", video=(*X264, "-fps_mode", "vfr")),
    "rotated": Kind(size="180x320", turn=True),
    "10-bit HDR, PQ": Kind(size="180x320", video=(*HDR, "-color_trc", "smpte2084")),
    "10-bit HDR, HLG": Kind(size="180x320", video=(*HDR, "-color_trc", "arib-std-b67")),
    "4:4:4": Kind(size="180x320", video=("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p")),
    "odd sizes": Kind(size="201x361", video=VP9, suffix=".mkv"),
    "mono 22 kHz": Kind(sound="22050", audio=(*AAC, "-ac", "1")),
    "mono 22 kHz, made louder": Kind(sound="22050", audio=(*AAC, "-ac", "1"), options=LOUDER),
    "no audio": Kind(audio=None),
    "trimmed": Kind(seconds=3.0, limits=TO_2_S),
    "trimmed without an encode": Kind(size="180x320", seconds=3.0, limits=TO_2_S),
    "75 s": Kind(size="180x320", fps="24", seconds=75.0, limits=replace(SMALL, max_duration_s=60)),
    "4K": Kind(size="2160x3840", fps="24"),
}


def flashing(folder: Path, kind: Kind) -> Path:
    """Black and silent until FLASH_S, from then on white and loud; always with a gray mark in the upper left corner."""
    source = folder / f"source{kind.suffix}"
    flash = f"drawbox=t=fill:color=black,drawbox=t=fill:color=white:enable='gte(t,{FLASH_S})'"
    picture = f"{flash},{kind.filters}drawbox=0:0:iw/2:ih/3:gray:fill" + (",transpose=cclock" if kind.turn else "")
    loud = f"adelay={FLASH_S * 1000:.0f}:all=1,atrim=end={kind.seconds}"
    made = source.with_stem("flat") if kind.turn else source
    make_clip(
        made, size=kind.size, fps=kind.fps, seconds=kind.seconds, sound=kind.sound if kind.audio else None,
        video=("-vf", picture, *kind.video), audio=("-af", loud, *(kind.audio or ())),
        more=(),  # with the edit list phones write: what it hides of the sound must not be heard
    )  # fmt: skip
    if kind.turn:
        run_ffmpeg("-i", str(made), "-c", "copy", "-metadata:s:v", "rotate=270", str(source))
    return source


def instants(path: Path, *, is_heard: bool) -> tuple[float, float, bytes]:
    """When the picture turns white, when the sound sets in, both in seconds of playing; and the last picture."""
    gray, pcm = path.with_name("x.gray"), path.with_name("x.pcm")
    small = f"fps={_LOOKS_A_SECOND},scale={_WIDTH}:{_HEIGHT}:flags=area,format=gray"
    heard = ("-map", "0:a", "-af", "aresample=async=1:first_pts=0", "-ar", "8000", "-ac", "1", "-f", "s16le", str(pcm))
    run_ffmpeg("-i", str(path), "-map", "0:v", "-vf", small, "-t", "3", "-f", "rawvideo", str(gray),
               *(heard if is_heard else ()))  # fmt: skip
    data, size = gray.read_bytes(), _WIDTH * _HEIGHT
    middles = data[size // 2 + _WIDTH // 2 :: size]
    white = next(n for n, value in enumerate(middles) if value > 128) / _LOOKS_A_SECOND
    samples = array("h", pcm.read_bytes()) if is_heard else array("h")
    loud = next(n for n, value in enumerate(samples) if abs(value) > 1000) / 8000 if is_heard else white
    return white, loud, data[-size:]


def corners(picture: bytes, kind: Kind, seen: Probe) -> tuple[int, ...]:
    """A quarter of the way into the shown picture from each corner of it: upper left, upper right, lower left."""
    is_wide = seen.height > seen.width and kind.size == "320x180" and kind.options.fit is not Fit.CROP
    tall = _HEIGHT * (202 / 640) if is_wide else _HEIGHT * (360 / 640) if kind.limits is NARROW else _HEIGHT
    ys, xs = ((_HEIGHT - tall) / 2 + tall * at for at in (0.15, 0.85)), (0.1, 0.9)
    top, foot = (int(y) for y in ys)
    return tuple(picture[y * _WIDTH + int(_WIDTH * x)] for y, x in ((top, xs[0]), (top, xs[1]), (foot, xs[0])))


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_comes_out_whole_upright_and_in_sync(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    source = flashing(tmp_path, kind)
    before = probe(source)
    decided, made, seen = forward(source, limits=kind.limits, options=kind.options)
    frame_s = 1 / float(seen.fps_avg)
    assert is_taken(seen, kind.limits), "it is what the destination asks for"
    white, loud, last = instants(made.path, is_heard=kind.audio is not None)
    assert abs(white - loud) <= frame_s, "in sync"
    assert abs(white - FLASH_S) <= frame_s + 1 / _LOOKS_A_SECOND, "and where it was"
    whole_s = decided.trim_s or before.video_duration_s
    assert abs(seen.video_duration_s - whole_s) <= frame_s, "all of it, or as much as is taken"
    assert abs(seen.frames - whole_s * float(seen.fps_avg)) <= 1
    assert bool(decided.trim_s) is (before.duration_s > kind.limits.max_duration_s)
    mark, right, foot = corners(last, kind, seen)
    assert mark < 200 < min(right, foot), "the right way up"
    assert not seen.is_hdr and seen.audio_profile in ("LC", "")
    assert seen.has_audio is (kind.audio is not None) and not seen.is_vfr
