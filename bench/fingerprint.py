"""How often the fingerprint finds a changed copy, and how often it takes a stranger for one: counts, over made clips.

Each clip's kept fingerprint is compared with a fresh one of every change and of every other clip, as the echo guard
compares them. `found` of a change: copies called the same, of all; `unclear` counts as missed. The fact to know: these
clips are synthetic; real ones with a common intro lie closer together.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from itertools import permutations
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from forwarder_core.media import fingerprint
from forwarder_core.media.fingerprint import Likeness, Seen
from forwarder_core.media.probe import probe
from forwarder_core.media.tools import find_ffmpeg

SECONDS = 10
_CLIPS = (
    *(f"mandelbrot=s=360x640:r=25:start_scale={scale}:start_x={x}" for scale, x in ((3, -0.7), (0.5, -1.2), (1, 0.2))),
    *(f"gradients=s=360x640:r=25:d={SECONDS}:seed={seed}:n=6:speed=0.03" for seed in (1, 2, 3)),
    "testsrc2=s=360x640:r=25",
    "life=s=90x160:r=25:ratio=0.3:seed=5:mold=10,scale=360:640:flags=neighbor",
)
_CHANGES = {
    "re_encoded_crf_35": ("-crf", "35"),
    "half_size": ("-vf", "scale=180:320"),
    "double_size": ("-vf", "scale=720:1280"),
    "brighter": ("-vf", "eq=brightness=0.08:saturation=1.4"),
    "letterboxed": ("-vf", "scale=180:320,pad=360:640:90:160"),
    "white_border": ("-vf", "scale=336:616,pad=360:640:12:12:white"),
    "cropped_5_percent": ("-vf", "crop=342:608,scale=360:640"),
    "watermark": ("-vf", "drawbox=20:20:120:40:white:fill"),
    "30_fps": ("-r", "30"),
    "5_percent_faster": ("-vf", "setpts=PTS/1.05"),
    "first_second_cut": ("-ss", "1"),
    "first_3_5_seconds_cut": ("-ss", "3.5"),
    "picture_in_picture": ("-vf", "split[a][b];[b]boxblur=20,negate[c];[a]scale=266:474[d];[c][d]overlay=47:83"),
    "mirrored": ("-vf", "hflip"),
}


def measure(_rounds: int = 1) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`; the clips are what is counted, so one round says all."""
    with tempfile.TemporaryDirectory(prefix="forwarder-bench-") as folder:
        clips = [_made(Path(folder) / f"{n}.mp4", ("-f", "lavfi", "-i", clip), ()) for n, clip in enumerate(_CLIPS)]
        seen = [_seen(clip) for clip in clips]
        found = {f"found_{name}": _found(clips, seen, change) for name, change in _CHANGES.items()}
        strangers = [fingerprint.likeness(a.keep(), b) for a, b in permutations(seen, 2)]
        for likeness in (Likeness.SAME, Likeness.UNCLEAR):
            found[f"strangers_called_{likeness}"] = _row(strangers.count(likeness), len(strangers), "pairs")
        return found


def _found(clips: list[Path], seen: list[Seen], change: tuple[str, ...]) -> dict[str, Any]:
    called = []
    for clip, known in zip(clips, seen, strict=True):
        copy = _made(clip.with_name("copy.mp4"), ("-i", str(clip)), change)
        called.append(fingerprint.likeness(known.keep(), _seen(copy)))
    return _row(called.count(Likeness.SAME), len(called), "copies")


def _row(ours: int, of: int, unit: str) -> dict[str, Any]:
    return {"ours": ours, "baseline": of, "ratio": round(ours / of, 3), "unit": unit, "rounds": 1}


def _seen(clip: Path) -> Seen:
    return fingerprint.take(clip, probe(clip), find_ffmpeg())


def _made(target: Path, source: tuple[str, ...], change: tuple[str, ...]) -> Path:
    program = shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()
    encode = ("-t", str(SECONDS), "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-an")
    argv = [program, "-v", "error", "-nostdin", "-y", *source, *encode, *change, str(target)]
    subprocess.run(argv, check=True, timeout=600)
    return target
