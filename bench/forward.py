"""What forwards cost beside a plain script: seconds from “the post appears” to “the post is live”, and CPU seconds.

Ours: the whole running system, every process of it but the simulated far end. Baseline: `plain_script`, started anew
for each post, with the same calls and the same ffmpeg command. One, five and fifteen at once, interleaved; medians. The
fact to know: the wait for the next look at the source is ours, and what the stack uses at rest is counted with us.
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
from random import Random
from typing import Any

from bench import stack
from bench.figures import row
from forwarder_core.connectors import registry
from forwarder_core.db import verdicts
from forwarder_core.domain.transforms import TransformOptions
from forwarder_core.media import graph
from forwarder_core.media.plan import Mode, plan
from forwarder_core.media.probe import probe
from forwarder_core.media.tools import find_ffmpeg
from forwarder_core.services import tunables
from forwarder_core.services.credentials import StoredCredentials
from forwarder_core.simulator.drill import Author, Ground, Lane, lay_lanes

SECONDS = 10
AT_ONCE = (1, 5, 15)
_LANES = 5
_EVERY_S = 5.0
_PATIENCE_S = 600.0
_LAST_END_S = 2.0  # a run's process ends after its job, and is counted with its parent
_SHAPES = {"compliant": (1080, 1920), "encoded": (1280, 720)}
_TUNED = {"dispatch.max_running": max(AT_ONCE), "dispatch.per_destination": 3}


@dataclass(frozen=True, slots=True)
class Cost:
    wall_s: float
    cpu_s: float


def measure(rounds: int = 3) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`; CPU is that of one forward."""
    with stack.running() as up:
        tunables.change(up.core, _TUNED)
        bench = _Bench(up)
        bench.forward("compliant", 1)  # warms
        found: dict[str, list[tuple[Cost, Cost]]] = {}
        for _ in range(rounds):
            for shape in _SHAPES:
                for posts in AT_ONCE:
                    found.setdefault(f"{shape}_{posts}_at_once", []).append(bench.pair(shape, posts))
    return {
        f"{name}_{what}": row([getattr(ours, what) for ours, _ in pairs], [getattr(b, what) for _, b in pairs], "s")
        for name, pairs in found.items()
        for what in ("wall_s", "cpu_s")
    }


class _Bench:
    def __init__(self, up: stack.Stack) -> None:
        self._up, self._script = up, PlainScript(up)
        ground = Ground(up.core, up.world, Random(1))
        self._lanes = lay_lanes(ground, _LANES, every_s=_EVERY_S, destinations=("youtube",), at_once=_LANES)
        home = up.running.settings.home
        self._clips = {name: make_clip(home / f"{name}.mp4", *size, seed=1) for name, size in _SHAPES.items()}
        self._authors = {name: Author(ground, seed, [clip]) for seed, (name, clip) in enumerate(self._clips.items(), 1)}

    def pair(self, shape: str, posts: int) -> tuple[Cost, Cost]:
        """Ours and the script's, of so many posts at once."""
        ours, made = self.forward(shape, posts)
        return ours, self._script_for(shape, made)

    def forward(self, shape: str, posts: int) -> tuple[Cost, Sequence[tuple[Lane, str]]]:
        up, before, ended = self._up, self._up.usage(), self._ended()
        lanes = [self._lanes[number % len(self._lanes)] for number in range(posts)]
        made = [(lane, self._authors[shape].post(lane.source)) for lane in lanes]
        up.wait_until(lambda: self._ended() >= ended + posts, _PATIENCE_S)
        wall = up.usage().since(before).at
        up.rest(_LAST_END_S)
        return Cost(wall, up.usage().since(before).total_cpu_s / posts), made

    def _script_for(self, shape: str, made: Sequence[tuple[Lane, str]]) -> Cost:
        clip = self._clips[shape]
        before, began = _children_cpu(), time.monotonic()
        with ThreadPoolExecutor(len(made)) as pool:
            list(pool.map(lambda m: self._script.run(m[0].source.account_id, [m[1]], _argv(clip), clip.stem), made))
        return Cost(time.monotonic() - began, (_children_cpu() - before) / len(made))

    def _ended(self) -> int:
        with self._up.core.begin() as tx:
            return sum(verdicts.count_ended_jobs(tx).values())


class PlainScript:
    """`plain_script` as a person would start it, with the credentials the stack has."""

    def __init__(self, up: stack.Stack) -> None:
        self._up = up
        self._google = up.world.ensure_account("youtube", "plain_script")["credentials"]["token"]

    def cost(self, account_id: int, post_id: str, ffmpeg: Sequence[str] | None, title: str) -> Cost:
        """One post, the interpreter's start included."""
        before, began = _children_cpu(), time.monotonic()
        self.run(account_id, [post_id], ffmpeg, title)
        return Cost(time.monotonic() - began, _children_cpu() - before)

    def warm_cpu_s(self, account_id: int, post_id: str, times: int) -> float:
        """CPU seconds of one post in a process that has imported everything and forwarded one already."""
        return float(self.run(account_id, [post_id] * (times + 1), None, "warm")["warm_cpu_s"])

    def run(self, account_id: int, posts: Sequence[str], ffmpeg: Sequence[str] | None, title: str) -> dict[str, Any]:
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


def _argv(clip: Path) -> list[str] | None:
    """The command our own plan runs for this clip, with its names taken out."""
    chosen = plan(probe(clip), TransformOptions(), registry.limits("youtube").media)
    if chosen.mode is Mode.COPY:
        return None
    argv = graph.transform_argv(chosen, find_ffmpeg(), Path("/SOURCE"), Path("/TARGET"))
    return [word.replace("file:/SOURCE", "SOURCE").replace("file:/TARGET", "TARGET") for word in argv]


def make_clip(path: Path, width: int, height: int, *, seed: int) -> Path:
    """10 s, H.264 and AAC, no edit list: as a platform serves it."""
    source = f"testsrc2=size={width}x{height}:rate=30:duration={SECONDS},hue=h={seed * 37}"
    sound = f"sine=frequency={300 + seed * 10}:duration={SECONDS}:sample_rate=48000"
    command = [str(find_ffmpeg().path), "-v", "error", "-y", "-f", "lavfi", "-i", source, "-f", "lavfi", "-i", sound]
    video = ["-c:v", "libx264", "-preset", "veryfast", "-b:v", "3M", "-pix_fmt", "yuv420p", "-profile:v", "high"]
    audio = ["-c:a", "aac", "-ac", "2", "-shortest"]
    flags = ["-movflags", "+faststart+negative_cts_offsets", "-use_editlist", "0"]
    subprocess.run([*command, *video, *audio, *flags, str(path)], check=True)
    return path


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
