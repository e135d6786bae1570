"""What a video file is: measured with PyAV, because a file is only as good as what a decoder can read from it.

Raises `NotAVideo` for anything that holds no decodable picture.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import av
import av.error


class NotAVideo(ValueError):
    """The file holds no picture a decoder can read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Sizes as shown, i.e. after rotation. Rates are 0 where the file has no such stream."""

    sha256: str
    size_bytes: int
    duration_ms: int
    width: int
    height: int
    fps: float
    video_codec: str
    pixel_format: str
    video_kbps: int
    audio_codec: str
    audio_hz: int
    audio_channels: int
    is_faststart: bool


def probe(file: Path) -> Probe:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    try:
        return _measure(file, digest)
    except (av.error.FFmpegError, IndexError, StopIteration) as e:
        raise NotAVideo(f"{file.name} is not a playable video") from e


def _measure(file: Path, digest: str) -> Probe:
    size = file.stat().st_size
    with av.open(str(file)) as container:
        video = container.streams.video[0]
        audio = container.streams.audio[0] if container.streams.audio else None
        frame = next(container.decode(video))
        turned = frame.rotation % 180 != 0
        seconds = (container.duration or 0) / av.time_base
        return Probe(
            sha256=digest,
            size_bytes=size,
            duration_ms=round(seconds * 1000),
            width=frame.height if turned else frame.width,
            height=frame.width if turned else frame.height,
            fps=float(video.average_rate or 0),
            video_codec=video.codec_context.name,
            pixel_format=frame.format.name,
            video_kbps=round((video.bit_rate or (size * 8 / seconds if seconds else 0)) / 1000),
            audio_codec=audio.codec_context.name if audio else "",
            audio_hz=audio.codec_context.sample_rate if audio else 0,
            audio_channels=audio.codec_context.channels if audio else 0,
            is_faststart=_is_faststart(file),
        )


def _is_faststart(file: Path) -> bool:
    """Does the index (`moov`) stand before the data (`mdat`)? Files that are not MP4 count as not."""
    with file.open("rb") as stream:
        position = 0
        while len(head := stream.read(16)) >= 8:
            length, kind = int.from_bytes(head[:4], "big"), head[4:8]
            if kind in (b"moov", b"mdat"):
                return kind == b"moov"
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            if length < 8:
                return False
            position += length
            stream.seek(position)
    return False
