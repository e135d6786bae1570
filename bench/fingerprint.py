"""How often the fingerprint finds a changed copy, and how often it takes a stranger for one: counts, over made clips.

Each clip's kept fingerprint, of pictures and sound, is compared with a fresh one of every change and of every other
clip, as the echo guard compares them. `found` of a change: copies called the same, of all; `unclear` counts as missed.
Strangers: every pair of clips, and every clip under another one's sound. The fact to know: these clips are synthetic;
real ones with a common intro lie closer together.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import permutations, product
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from bench.figures import row
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
_NOTE = "220*pow(2\\,floor(25*abs(sin(1+{n}+floor(t*{pace})*{n})))/12)"  # two octaves, one note after the other
_TUNE = f"aevalsrc=0.3*sin(2*PI*t*{_NOTE})*exp(-2*mod(t\\,1/{{pace}})):s=44100"
_NOISE = "anoisesrc=c=pink:r=44100:a=0.4:seed={n},tremolo=f={pace}:d=0.9,vibrato=f=3"
_SOUNDS = [(_NOISE if n % 3 == 0 else _TUNE).format(n=n, pace=2 + n % 4) for n in range(1, len(_CLIPS) + 1)]
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
    "sound_at_32_kbps": ("-b:a", "32k", "-ar", "22050", "-ac", "1"),
    "sound_10_db_down": ("-af", "volume=-10dB"),
    "sound_taken_out": ("-an",),
    "5_percent_faster": ("-vf", "setpts=PTS/1.05", "-af", "atempo=1.05"),
    "first_second_cut": ("-ss", "1"),
    "first_3_5_seconds_cut": ("-ss", "3.5"),
    "picture_in_picture": ("-vf", "split[a][b];[b]boxblur=20,negate[c];[a]scale=266:474[d];[c][d]overlay=47:83"),
    "mirrored": ("-vf", "hflip"),
}


def measure(_rounds: int = 1) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`; the clips are what is counted, so one round says all."""
    with tempfile.TemporaryDirectory(prefix="forwarder-bench-") as folder:
        drawn = [
            ("-f", "lavfi", "-i", clip, "-f", "lavfi", "-i", tune) for clip, tune in zip(_CLIPS, _SOUNDS, strict=True)
        ]
        clips = [_made(Path(folder) / f"{n}.mp4", words, ()) for n, words in enumerate(drawn)]
        seen = [_seen(clip) for clip in clips]
        found = {f"found_{name}": _found(clips, seen, change) for name, change in _CHANGES.items()}
        strangers = [fingerprint.likeness(a.keep(), b) for a, b in permutations(seen, 2)]
        dubbed = list(_dubbed(clips))
        own = [fingerprint.likeness(a.keep(), b) for a, b in zip(seen, dubbed, strict=True)]
        others = [fingerprint.likeness(a.keep(), b) for a, b in zip(seen[1:] + seen[:1], dubbed, strict=True)]
        kinds = {"strangers": strangers, "another_sound": own, "strangers_of_one_sound": others}
        for (name, called), likeness in product(kinds.items(), (Likeness.SAME, Likeness.UNCLEAR)):
            found[f"{name}_called_{likeness}"] = row([called.count(likeness)], [len(called)], "pairs")
        return found


def _dubbed(clips: list[Path]) -> Iterator[Seen]:
    """Each clip under the next one's sound."""
    for clip, other in zip(clips, clips[1:] + clips[:1], strict=True):
        both = ("-i", str(clip), "-i", str(other))
        yield _seen(_made(clip.with_name("dubbed.mp4"), both, ("-map", "0:v", "-map", "1:a")))


def _found(clips: list[Path], seen: list[Seen], change: tuple[str, ...]) -> dict[str, Any]:
    called = []
    for clip, known in zip(clips, seen, strict=True):
        copy = _made(clip.with_name("copy.mp4"), ("-i", str(clip)), change)
        called.append(fingerprint.likeness(known.keep(), _seen(copy)))
    return row([called.count(Likeness.SAME)], [len(called)], "copies")


def _seen(clip: Path) -> Seen:
    return fingerprint.take(clip, probe(clip), find_ffmpeg())


def _made(target: Path, source: tuple[str, ...], change: tuple[str, ...]) -> Path:
    program = shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()
    encode = ("-t", str(SECONDS), "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac")
    argv = [program, "-v", "error", "-nostdin", "-y", *source, *encode, *change, str(target)]
    subprocess.run(argv, check=True, timeout=600)
    return target
