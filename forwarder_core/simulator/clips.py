"""Making video clips for simulated posts: moving pictures with a running clock, a tone, no two alike.

By default a clip is what every platform takes (H.264 High, 4:2:0, 30 frames/s, AAC 48 kHz stereo, index first). Other
codecs and rates can be asked for, so that something is left to be transformed. Raises `ClipFailed`.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import imageio_ffmpeg

_LIMIT_S = 120
_ENCODERS = {
    "h264": ("libx264", "-preset", "superfast", "-profile:v", "high"),
    "hevc": ("libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-x265-params", "log-level=error"),
    "mpeg4": ("mpeg4", "-q:v", "4"),
    "vp9": ("libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "2M"),
}
CODECS = tuple(_ENCODERS)


class ClipFailed(RuntimeError):
    """ffmpeg could not make the clip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """`seed` makes clips differ in colour, pitch and bytes; the same seed gives the same clip."""

    seed: int
    seconds: float = 6.0
    width: int = 720
    height: int = 1280
    fps: float = 30.0
    codec: str = "h264"
    audio: bool = True
    audio_hz: int = 48_000
    audio_channels: int = 2
    faststart: bool = True


def make(clip: Clip, into: Path) -> Path:
    command = [
        _ffmpeg(),
        *("-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-fflags", "+bitexact"),
        *("-f", "lavfi", "-i", f"testsrc2=size={clip.width}x{clip.height}:rate={clip.fps}"),
        *(("-f", "lavfi", "-i", _tone(clip)) if clip.audio else ()),
        *("-vf", f"hue=h={clip.seed * 47 % 360},format=yuv420p", "-t", f"{clip.seconds}"),
        *("-c:v", *_ENCODERS[clip.codec], "-g", f"{max(1, round(clip.fps * 2))}", "-threads", "2"),
        *(("-c:a", "aac", "-b:a", "128k") if clip.audio else ()),
        *(("-ar", f"{clip.audio_hz}", "-ac", f"{clip.audio_channels}") if clip.audio else ()),
        *("-metadata", f"comment=clip {clip.seed}", *(("-movflags", "+faststart") if clip.faststart else ())),
        *("-f", "mp4", str(into)),
    ]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_LIMIT_S, check=False)
    except subprocess.TimeoutExpired as e:
        raise ClipFailed(f"ffmpeg did not finish within {_LIMIT_S} s") from e
    if done.returncode:
        raise ClipFailed(
            done.stderr.decode("utf-8", "replace").strip()[-400:] or f"ffmpeg ended with {done.returncode}"
        )
    return into


def _tone(clip: Clip) -> str:
    return f"sine=frequency={220 + clip.seed * 37 % 660}:sample_rate={clip.audio_hz}"


@cache
def _ffmpeg() -> str:
    return shutil.which("ffmpeg") or str(imageio_ffmpeg.get_ffmpeg_exe())
