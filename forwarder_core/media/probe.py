"""What a video file is: every fact the plan needs, read in a way that cannot hurt the worker.

What lives here: `Probe`; `probe`, which sniffs, reads the boxes and asks the child process; `probe_made` for a file of
our own. What does not: whether it is a whole video at all (soundness), and whether a destination would take it (plan).
The fact to know: PyAV runs in a child process (probe_child). Measured on a 10 s clip of 1080x1920: 0.16 CPU-s,
0.1 of it the start, against 0.14 for ffprobe counting packets. They buy that a crash in a decoder, a picture
that eats all memory or an endless loop ends the child and not the worker; ffprobe is missing where ffmpeg is a wheel's.
Processes that carry runs share one that has done its start (reader).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from forwarder_core.errors import LocalFailed, MediaRejected
from forwarder_core.media import reader, soundness, tables
from forwarder_core.media.boxes import BadBoxes, Layout, read_layout
from forwarder_core.media.process import prefix
from forwarder_core.media.sniff import REFETCH, sniff
from forwarder_core.media.soundness import REPOST

_TIMEOUT_S = 60.0
_SIGXCPU_CODES = (-24, -11, -6, -4, -8)  # CPU limit, and the ways a decoder crashes
_FRACTIONS = ("sar", "fps_avg", "fps_real")
_COLORS = {  # the standard's numbers in ffmpeg's words; what is not here is read as if it were not said
    "color_trc": {1: "bt709", 16: "smpte2084", 18: "arib-std-b67"},
    "colorspace": {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 9: "bt2020nc"},
    "color_range": {1: "tv", 2: "pc"},
    "color_primaries": {1: "bt709", 5: "bt470bg", 6: "smpte170m", 9: "bt2020", 12: "smpte432"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A video file in numbers. Width and height are as shown, after `rotation` (degrees) and before `sar`.

    `duration_s` is what the packets really hold, the longest stream counting. `fps_real` is the finest rate the
    timestamps fit in; within 1 % of it `fps_avg` is the same number, beyond that the rate varies (`is_vfr`).
    """

    container: str  # "mp4" or "matroska"
    size_bytes: int
    duration_s: float
    video_duration_s: float
    width: int
    height: int
    rotation: int
    sar: Fraction
    fps_avg: Fraction
    fps_real: Fraction
    frames: int
    video_index: int
    video_codec: str
    video_profile: str
    video_kbps: int
    pix_fmt: str
    color_transfer: str  # this and the next three: ffmpeg's words, empty = the file does not say
    color_matrix: str
    color_range: str
    color_primaries: str
    is_interlaced: bool
    has_audio: bool
    audio_index: int | None
    audio_codec: str
    audio_profile: str
    audio_hz: int
    audio_channels: int
    audio_kbps: int
    n_video: int
    n_audio: int
    other_streams: int
    has_cover_art: bool
    has_location: bool
    is_moov_first: bool
    is_fragmented: bool
    has_edit_list: bool
    has_cuts: bool
    sound_from_s: float | None = None  # the first instant above -60 dBFS; None = none heard in the first minutes

    def to_dict(self) -> dict[str, Any]:
        """For a JSON column; fractions as `30000/1001`."""
        return asdict(self) | {name: str(getattr(self, name)) for name in _FRACTIONS}

    @classmethod
    def of_dict(cls, kept: Mapping[str, Any]) -> Probe:
        """What `to_dict` gave. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(**{**kept, **{name: Fraction(kept[name]) for name in _FRACTIONS}})

    @property
    def is_silent(self) -> bool:
        """A sound track on which nothing is heard. Without a track there is nothing to be silent."""
        return self.has_audio and self.sound_from_s is None

    @property
    def is_vfr(self) -> bool:
        return not self.fps_real or abs(self.fps_avg - self.fps_real) > self.fps_real / 100

    @property
    def is_hdr(self) -> bool:
        return self.color_transfer in ("smpte2084", "arib-std-b67")

    @property
    def aspect(self) -> float:
        """Width / height as a viewer sees it."""
        return float(Fraction(self.width, self.height) * self.sar)


def probe(path: Path) -> Probe:
    """Read a file. Raises MediaRejected, with a sentence for the admin, when it is not one whole video.

    `path` must be absolute: a relative name could be taken for an option or a protocol.
    """
    if not path.is_absolute():
        raise ValueError("probe wants an absolute path")
    kind = sniff(path)
    layout = _layout(path) if kind == "mp4" else None
    return _judged(path, kind, layout, _ask_child(path))


def probe_made(path: Path, *, sound_from_s: float | None) -> Probe:
    """The same of an MP4 our own ffmpeg has just closed, by its index alone where that is plain: without a child.

    `sound_from_s` is what the caller knows of its sound, since an index tells nothing of what is heard.
    """
    facts = tables.facts(path)
    return _judged(path, "mp4", _layout(path), facts | {"sound_from_s": sound_from_s}) if facts else probe(path)


def _judged(path: Path, kind: str, layout: Layout | None, facts: dict[str, Any]) -> Probe:
    soundness.refuse_unreadable(facts)
    streams: list[dict[str, Any]] = facts["streams"]
    video = soundness.main_video(streams, facts)
    audio = next((s for s in streams if s["type"] == "audio" and s["codec"]), None)
    soundness.refuse_broken(facts, video, layout)
    return _build(path, kind, layout, facts, video, audio)


def _layout(path: Path) -> Layout:
    try:
        layout = read_layout(path)
    except BadBoxes as e:
        raise MediaRejected(f"The file is damaged: {e}.", action=REFETCH) from e
    if layout.missing_bytes:
        raise MediaRejected(
            f"The file was cut off: its last {layout.missing_bytes:,} bytes are missing.", action=REFETCH
        )
    if not layout.has_moov:
        raise MediaRejected("The file was cut off: its index (moov) is missing.", action=REFETCH)
    return layout


def _ask_child(path: Path) -> dict[str, Any]:
    """One answer of the child."""
    try:
        code, output, said = _read(path)
    except subprocess.TimeoutExpired as e:
        raise LocalFailed(f"Reading the file took longer than {_TIMEOUT_S:.0f} s.") from e
    except OSError as e:
        raise LocalFailed(f"The reader of video files could not be started: {e.strerror}.") from e
    if code in _SIGXCPU_CODES:
        raise MediaRejected("The file makes the reader of video files crash or run for ever.", action=REPOST)
    try:
        answer = json.loads(output)
    except ValueError as e:
        words = said.decode("utf-8", "replace")[-2000:]
        raise LocalFailed(f"The reader of video files was stopped (code {code}).", raw=words) from e
    return dict(answer)


def _read(path: Path) -> tuple[int, bytes, bytes]:
    """Exit code and both outputs, of the reader that is kept, or of a process for this file alone."""
    asked = [f"file:{path}", str(soundness.MAX_PIXELS)]
    kept = reader.kept()
    if kept is not None:
        with suppress(OSError):
            if output := kept.ask(asked, _TIMEOUT_S):
                return 0, output, b""
    done = subprocess.run(
        [*prefix(), *reader.command(), *asked],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_TIMEOUT_S,
        cwd="/",
        env=reader.environment(),
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def _build(
    path: Path,
    kind: str,
    layout: Layout | None,
    facts: dict[str, Any],
    video: dict[str, Any],
    audio: dict[str, Any] | None,
) -> Probe:
    streams = facts["streams"]
    duration = soundness.length_s(streams)
    n_video = sum(s["type"] == "video" and not s["is_picture"] for s in streams)
    n_audio = sum(s["type"] == "audio" for s in streams)
    return Probe(
        container=kind,
        size_bytes=path.stat().st_size,
        duration_s=duration,
        **_of_video(video, facts["frame"]),
        **_of_audio(audio, duration),
        n_video=n_video,
        n_audio=n_audio,
        other_streams=len(streams) - n_video - n_audio,
        has_cover_art=any(s["is_picture"] for s in streams),
        has_location=facts["has_location"],
        is_moov_first=layout is None or layout.is_moov_first,
        is_fragmented=layout is not None and layout.is_fragmented,
        has_edit_list=layout is not None and layout.has_edit_list,
        has_cuts=layout is not None and layout.has_cuts,
        sound_from_s=facts.get("sound_from_s"),
    )


def _of_video(video: dict[str, Any], frame: dict[str, Any]) -> dict[str, Any]:
    rotation = round(frame["rotation"] / 90) * 90 % 360
    width, height, sar = video["width"], video["height"], Fraction(*video["sar"])
    if rotation in (90, 270):
        width, height, sar = height, width, 1 / sar
    duration = video["end_s"] - max(video["start_s"], 0.0)
    real = _rate(video["fps_real"])
    return {
        "video_duration_s": duration,
        "width": width,
        "height": height,
        "rotation": rotation,
        "sar": sar,
        "fps_avg": _snapped(video["fps_avg"], real),
        "fps_real": real,
        "frames": video["packets"],
        "video_index": video["index"],
        "video_codec": video["codec"],
        "video_profile": video["profile"],
        "video_kbps": _kbps(video, duration),
        "pix_fmt": video["pix_fmt"],
        "color_transfer": _color("color_trc", video, frame),
        "color_matrix": _color("colorspace", video, frame),
        "color_range": _color("color_range", video, frame),
        "color_primaries": _color("color_primaries", video, frame),
        "is_interlaced": video["field_order"] > 1 or frame["is_interlaced"],
    }


def _color(name: str, video: dict[str, Any], frame: dict[str, Any]) -> str:
    """What the container says, else what the picture itself says."""
    said = _COLORS[name]
    return said.get(video[name]) or said.get(frame["colors"][name], "")


def _of_audio(audio: dict[str, Any] | None, duration_s: float) -> dict[str, Any]:
    return {
        "has_audio": audio is not None,
        "audio_index": audio["index"] if audio else None,
        "audio_codec": audio["codec"] if audio else "",
        "audio_profile": audio["profile"] if audio else "",
        "audio_hz": audio["hz"] if audio else 0,
        "audio_channels": audio["channels"] if audio else 0,
        "audio_kbps": _kbps(audio, duration_s) if audio else 0,
    }


def _rate(pair: list[int]) -> Fraction:
    return Fraction(*pair) if pair[1] else Fraction(0)


def _snapped(counted: float, real: Fraction) -> Fraction:
    """The counted rate; the exact one where a dropped frame or rounded times are all the difference."""
    if real and abs(counted - real) <= real / 100:
        return real
    return Fraction(counted).limit_denominator(1001)


def _kbps(stream: dict[str, Any], duration_s: float) -> int:
    return round(int(stream["bytes"]) * 8 / 1000 / max(duration_s, 0.001))
