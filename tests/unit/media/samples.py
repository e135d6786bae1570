"""Limits, probes and tiny clips for the media tests, all of them compliant until a test says otherwise."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from forwarder_core.domain.limits import MediaLimits
from forwarder_core.media.probe import Probe

LIMITS = MediaLimits(
    min_duration_s=3,
    max_duration_s=60,
    max_bytes=100_000_000,
    min_width=540,
    max_width=1920,
    min_height=960,
    max_height=3600,
    target_width=1080,
    target_height=1920,
    aspect_min=0.5,
    aspect_max=1.0,
    min_fps=23,
    max_fps=60,
    max_video_kbps=8000,
    max_audio_hz=48000,
    max_audio_channels=2,
)

# A tenth of the pixels: what is tested is the way, and it is the same.
SMALL = replace(
    LIMITS,
    min_duration_s=0.4,
    max_duration_s=20,
    min_width=180,
    min_height=320,
    target_width=360,
    target_height=640,
    max_width=1080,
    max_height=1920,
)

_COMPLIANT = Probe(
    container="mp4",
    size_bytes=20_000_000,
    duration_s=30.0,
    video_duration_s=30.0,
    width=1080,
    height=1920,
    rotation=0,
    sar=Fraction(1),
    fps_avg=Fraction(30),
    fps_real=Fraction(30),
    frames=900,
    video_index=0,
    video_codec="h264",
    video_profile="High",
    video_kbps=5000,
    pix_fmt="yuv420p",
    color_transfer="bt709",
    color_matrix="bt709",
    color_range="tv",
    color_primaries="bt709",
    is_interlaced=False,
    has_audio=True,
    audio_index=1,
    audio_codec="aac",
    audio_profile="LC",
    audio_hz=44100,
    audio_channels=2,
    audio_kbps=128,
    n_video=1,
    n_audio=1,
    other_streams=0,
    has_cover_art=False,
    has_location=False,
    is_moov_first=True,
    is_fragmented=False,
    has_edit_list=False,
    has_cuts=False,
    sound_from_s=0.0,
)


def a_probe(**changes: Any) -> Probe:
    return replace(_COMPLIANT, **changes)


def limits(**changes: Any) -> MediaLimits:
    return replace(LIMITS, **changes)


X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-profile:v", "main")
AAC = ("-c:a", "aac", "-b:a", "64k")
CLEAN = ("-movflags", "+faststart+negative_cts_offsets", "-use_editlist", "0")


def make_clip(
    path: Path,
    *,
    size: str = "360x640",
    fps: str = "30",
    seconds: float = 1.0,
    sound: str | None = "44100",
    video: tuple[str, ...] = X264,
    audio: tuple[str, ...] = AAC,
    more: tuple[str, ...] = CLEAN,
) -> Path:
    """A test picture, with a tone of `sound` Hz sample rate. The defaults are what every destination takes."""
    inputs = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r={fps}:d={seconds}"]
    if sound is not None:
        inputs += ["-f", "lavfi", "-i", f"sine=f=440:r={sound}:d={seconds}", *audio]
    run_ffmpeg(*inputs, *video, *more, str(path))
    return path


def run_ffmpeg(*arguments: str) -> None:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise RuntimeError("these tests make their clips with the system's ffmpeg")
    subprocess.run([ffmpeg, "-v", "error", "-nostdin", "-y", *arguments], check=True, timeout=60)
