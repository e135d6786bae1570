"""Which ffmpeg this machine runs, and what it can do.

What lives here: the search (setting, system, the wheel's) and the one question asked of a candidate, `-version`.
What does not: any option of a transform (graph), running one (runner).
The fact to know: a build without libx264 starts fine and fails at the first video, so it counts as none at all. A
distribution's build is linked to two hundred libraries, and its start costs 0.068 CPU-s; the wheel's is in one piece,
0.013, so that one is taken for work that is shorter than that.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from forwarder_core.errors import FfmpegMissing

_VERSION_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Ffmpeg:
    """A working ffmpeg. `path` is absolute; `can_tone_map`: HDR can be brought down to ordinary colours (zscale);
    `can_vmaf`: it can say how good a rendition is (libvmaf)."""

    path: Path
    version: str
    can_tone_map: bool
    can_vmaf: bool = False
    light_path: Path | None = None

    @property
    def light(self) -> Ffmpeg:
        """For a look at a few pictures: the wheel's, where it is there and no path was set by hand."""
        return replace(self, path=self.light_path) if self.light_path else self


def find_ffmpeg(configured: Path | None = None) -> Ffmpeg:
    """The first that works of: the setting, `ffmpeg` on the PATH, the imageio-ffmpeg wheel's.

    A path set by hand is the only candidate: silently using another one would hide the mistake. Raises FfmpegMissing.
    """
    refused: list[str] = []
    for path in _candidates(configured):
        answer = _ask(path)
        if isinstance(answer, Ffmpeg):
            return answer if configured else replace(answer, light_path=_light())
        refused.append(f"{path}: {answer}")
    raise FfmpegMissing("No usable ffmpeg was found. " + ("; ".join(refused) or "None is installed") + ".")


def _candidates(configured: Path | None) -> Iterator[Path]:
    if configured is not None:
        yield configured.absolute()
        return
    if system := shutil.which("ffmpeg"):
        yield Path(system).absolute()
    if wheel := _of_the_wheel():
        yield wheel


def _light() -> Path | None:
    wheel = _of_the_wheel()
    return wheel if wheel and isinstance(_ask(wheel), Ffmpeg) else None


def _of_the_wheel() -> Path | None:
    try:
        import imageio_ffmpeg
    except ImportError:
        return None
    try:
        return Path(imageio_ffmpeg.get_ffmpeg_exe()).absolute()
    except RuntimeError:  # the wheel of this machine's kind carries no binary
        return None


@lru_cache(maxsize=8)
def _ask(path: Path) -> Ffmpeg | str:
    """The ffmpeg at `path`, or why it is none. Asked once per process: it costs 0.05 CPU-s."""
    try:
        answer = subprocess.run(
            [str(path), "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_TIMEOUT_S,
            check=False,
        )
    except OSError as e:
        return e.strerror or "cannot be started"
    except subprocess.TimeoutExpired:
        return f"gave no answer within {_VERSION_TIMEOUT_S:.0f} s"
    words = answer.stdout.decode("utf-8", "replace")
    if answer.returncode or not words.startswith("ffmpeg version "):
        return "is not ffmpeg"
    if "--enable-libx264" not in words:
        return "is built without libx264"
    return Ffmpeg(
        path,
        words.split()[2],
        can_tone_map="--enable-libzimg" in words,
        can_vmaf="--enable-libvmaf" in words,
    )
