"""The plain script of a bench as a person would start it, the clips it forwards, and the ffmpeg command it uses.

What lives here: starting it (`plain_script` is the program itself) and what it cost, all that it started included. The
fact to know: it has the credentials the stack has, and the command is the one our own plan makes for the clip.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bench import stack
from forwarder_core.connectors import registry
from forwarder_core.domain.transforms import TransformOptions
from forwarder_core.media import graph
from forwarder_core.media.plan import Mode, plan
from forwarder_core.media.probe import probe
from forwarder_core.media.tools import find_ffmpeg
from forwarder_core.services.credentials import StoredCredentials

SECONDS = 10


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds from the first start to the last end; CPU seconds of one forward."""

    wall_s: float
    cpu_s: float


class PlainScript:
    """`plain_script` as a person would start it, with the credentials the stack has."""

    def __init__(self, up: stack.Stack) -> None:
        self._up = up
        self._google = up.world.ensure_account("youtube", "plain_script")["credentials"]["token"]

    def cost(self, posts: Sequence[tuple[int, str]], clip: Path) -> Cost:
        """Started anew for each of these (account, post), all at once."""
        argv = ffmpeg_command(clip)
        with ThreadPoolExecutor(len(posts)) as pool, _Children() as spent:
            list(pool.map(lambda post: self._run(post[0], [post[1]], argv, clip.stem), posts))
        return Cost(spent.wall_s, spent.cpu_s / len(posts))

    def warm_cpu_s(self, account_id: int, post_id: str, times: int, clip: Path) -> float:
        """CPU seconds of one post in a process that has imported everything and forwarded one already."""
        told = self._run(account_id, [post_id] * (times + 1), ffmpeg_command(clip), "warm")
        return float(told["warm_cpu_s"])

    def _run(self, account_id: int, posts: Sequence[str], ffmpeg: Sequence[str] | None, title: str) -> dict[str, Any]:
        """What it printed. Raises CalledProcessError when it failed."""
        settings = self._up.running.settings
        secrets = StoredCredentials(self._up.core, account_id).read()
        with tempfile.TemporaryDirectory(dir=settings.home) as folder:
            told = {
                "gateway": settings.outbound_proxy,
                "ca": str(settings.ca_bundle),
                "instagram": {"settings": json.loads(secrets["settings"])},
                "google": json.loads(self._google),
                "posts": list(posts),
                "ffmpeg": list(ffmpeg) if ffmpeg else None,
                "folder": folder,
                "title": title,
            }
            command = [sys.executable, "-m", "bench.plain_script"]
            done = subprocess.run(command, input=json.dumps(told), text=True, check=True, capture_output=True)
        return dict(json.loads(done.stdout))


def bare_ffmpeg(clip: Path, times: int, at_once: int) -> Cost:
    """The same command alone, so often, so many at a time."""
    argv = ffmpeg_command(clip)
    if argv is None:
        raise ValueError(f"{clip.name} needs no ffmpeg command")
    with tempfile.TemporaryDirectory(dir=clip.parent) as folder:

        def encode(number: int) -> None:
            names = {"SOURCE": f"file:{clip}", "TARGET": f"file:{folder}/{number}.mp4"}
            subprocess.run([names.get(word, word) for word in argv], check=True, stdout=subprocess.DEVNULL)

        with ThreadPoolExecutor(at_once) as pool, _Children() as spent:
            list(pool.map(encode, range(times)))
    return Cost(spent.wall_s, spent.cpu_s / times)


def ffmpeg_command(clip: Path) -> list[str] | None:
    """The command our own plan runs for this clip, with SOURCE and TARGET in the place of files; None for a copy."""
    chosen = plan(probe(clip), TransformOptions(), registry.limits("youtube").media)
    if chosen.mode is Mode.COPY:
        return None
    argv = graph.transform_argv(chosen, find_ffmpeg(), Path("/SOURCE"), Path("/TARGET"))
    return [word.replace("file:/SOURCE", "SOURCE").replace("file:/TARGET", "TARGET") for word in argv]


def make_clip(path: Path, width: int, height: int, *, seed: int, seconds: int = SECONDS) -> Path:
    """H.264 and AAC, no edit list: as a platform serves it."""
    source = f"testsrc2=size={width}x{height}:rate=30:duration={seconds},hue=h={seed * 37}"
    sound = f"sine=frequency={300 + seed * 10}:duration={seconds}:sample_rate=48000"
    command = [str(find_ffmpeg().path), "-v", "error", "-y", "-f", "lavfi", "-i", source, "-f", "lavfi", "-i", sound]
    video = ["-c:v", "libx264", "-preset", "veryfast", "-b:v", "3M", "-pix_fmt", "yuv420p", "-profile:v", "high"]
    audio = ["-c:a", "aac", "-ac", "2", "-shortest"]
    flags = ["-movflags", "+faststart+negative_cts_offsets", "-use_editlist", "0"]
    subprocess.run([*command, *video, *audio, *flags, str(path)], check=True)
    return path


class _Children:
    """Wall and CPU seconds of what ends within the block."""

    wall_s = cpu_s = 0.0

    def __enter__(self) -> Self:
        self._began, self._before = time.monotonic(), self._used()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall_s, self.cpu_s = time.monotonic() - self._began, self._used() - self._before

    @staticmethod
    def _used() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime
