"""What one forward costs beside a plain script: seconds from “the post appears” to “the post is live”, and CPU seconds.

Ours: the whole running system, every process of it but the simulated far end. Baseline: `plain_script`, started anew
for each post, with the same calls and the same ffmpeg command. Interleaved rounds; medians.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from forwarder_core.cli.demo import stage_of, up
from forwarder_core.connectors import registry
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.transforms import TransformOptions
from forwarder_core.embedded.bring_up import Running
from forwarder_core.media import graph
from forwarder_core.media.plan import Mode, plan
from forwarder_core.media.probe import probe
from forwarder_core.media.tools import Ffmpeg, find_ffmpeg
from forwarder_core.services import explaining
from forwarder_core.services.context import Core
from forwarder_core.services.credentials import StoredCredentials
from forwarder_core.settings import Settings
from forwarder_core.simulator import demo
from forwarder_core.simulator.client import ControlClient
from forwarder_core.simulator.demo import Road

ROAD = Road("instagram", "youtube")
SECONDS = 10
_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Cost:
    wall_s: float
    cpu_s: float


def measure(rounds: int = 3) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`"""
    with _running() as running:
        stage = stage_of(running)
        bench = _Bench(running, stage.core, stage.world)
        found: dict[str, list[tuple[Cost, Cost]]] = {}
        for number in range(rounds + 1):
            for kind, clip in bench.clips(number).items():
                pair = bench.ours(clip), bench.baseline(clip)
                if number:  # the first round warms both
                    found.setdefault(kind, []).append(pair)
        return {
            f"{kind}_{name}": _row([getattr(p[0], name) for p in pairs], [getattr(p[1], name) for p in pairs])
            for kind, pairs in found.items()
            for name in ("wall_s", "cpu_s")
        }


def _row(ours: list[float], baseline: list[float]) -> dict[str, Any]:
    a, b = statistics.median(ours), statistics.median(baseline)
    return {"ours": round(a, 2), "baseline": round(b, 2), "ratio": round(a / b, 2), "unit": "s", "rounds": len(ours)}


@contextmanager
def _running() -> Iterator[Running]:
    with tempfile.TemporaryDirectory(prefix="forwarder-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with up(Settings(home=Path(folder)), "once", lambda line: None) as running:
            yield running


class _Bench:
    def __init__(self, running: Running, core: Core, world: ControlClient) -> None:
        self._running, self._core, self._world = running, core, world
        self._folder = running.settings.home / "bench"
        self._folder.mkdir()
        self._ffmpeg = find_ffmpeg()
        self._connection: Connection = demo.ensure_connection(core, world, ROAD)
        self._google = world.ensure_account("youtube", "plain_script")["credentials"]["token"]

    def clips(self, number: int) -> dict[str, Path]:
        """A compliant one, and one of the wrong shape; new pictures every round."""
        return {
            "compliant": _clip(self._ffmpeg, self._folder / f"c{number}.mp4", 1080, 1920, number),
            "encoded": _clip(self._ffmpeg, self._folder / f"e{number}.mp4", 1280, 720, number),
        }

    def ours(self, clip: Path) -> Cost:
        before, began = self._cpu(), time.monotonic()
        self._post = demo.post_reel(self._world, ROAD, number=0, video=clip)
        while not self._is_live(str(self._post["id"])):
            self._running.supervisor.poll()
            time.sleep(0.05)
            if time.monotonic() - began > _PATIENCE_S:
                raise TimeoutError(f"not forwarded after {_PATIENCE_S:g} s")
        wall = time.monotonic() - began
        time.sleep(2.0)  # the run's process ends, and is counted with its parent
        return Cost(wall, self._cpu() - before)

    def _is_live(self, post_id: str) -> bool:
        story = explaining.story_of(self._core, self._connection.id, self._connection.source_account_id, post_id)
        return bool(story and story.job and story.job.status.is_terminal)

    def _cpu(self) -> float:
        """CPU seconds of every process of the stack but the simulator, ended children included."""
        total = 0.0
        for name, pid in self._running.supervisor.pids.items():
            if name != "simulator":
                root = psutil.Process(pid)
                for process in (root, *root.children(recursive=True)):
                    with suppress(psutil.NoSuchProcess):  # it has just been counted with its parent
                        times = process.cpu_times()
                        total += times.user + times.system + times.children_user + times.children_system
        return total

    def baseline(self, clip: Path) -> Cost:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            told = json.dumps(self._told(clip, folder))
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            command = [sys.executable, "-m", "bench.plain_script"]
            subprocess.run(command, input=told, text=True, check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
        return Cost(time.monotonic() - began, cpu)

    def _told(self, clip: Path, folder: str) -> dict[str, Any]:
        settings = self._running.settings
        secrets = StoredCredentials(self._core, self._connection.source_account_id).read()
        return {
            "gateway": settings.outbound_proxy,
            "ca": str(settings.ca_bundle),
            "instagram": {"settings": json.loads(secrets["settings"])},
            "google": json.loads(self._google),
            "post": str(self._post["id"]),
            "ffmpeg": self._argv(clip),
            "folder": folder,
            "title": clip.stem,
        }

    def _argv(self, clip: Path) -> list[str] | None:
        """The command our own plan runs for this clip, with its names taken out."""
        chosen = plan(probe(clip), TransformOptions(), registry.limits(ROAD.destination).media)
        if chosen.mode is Mode.COPY:
            return None
        argv = graph.transform_argv(chosen, self._ffmpeg, Path("/SOURCE"), Path("/TARGET"))
        return [word.replace("file:/SOURCE", "SOURCE").replace("file:/TARGET", "TARGET") for word in argv]


def _clip(ffmpeg: Ffmpeg, path: Path, width: int, height: int, seed: int) -> Path:
    """10 s, H.264 and AAC, no edit list: as a platform serves it."""
    source = f"testsrc2=size={width}x{height}:rate=30:duration={SECONDS},hue=h={seed * 37}"
    sound = f"sine=frequency={300 + seed * 10}:duration={SECONDS}:sample_rate=48000"
    command = [str(ffmpeg.path), "-v", "error", "-y", "-f", "lavfi", "-i", source, "-f", "lavfi", "-i", sound]
    video = ["-c:v", "libx264", "-preset", "veryfast", "-b:v", "3M", "-pix_fmt", "yuv420p", "-profile:v", "high"]
    audio = ["-c:a", "aac", "-ac", "2", "-shortest"]
    flags = ["-movflags", "+faststart+negative_cts_offsets", "-use_editlist", "0"]
    subprocess.run([*command, *video, *audio, *flags, str(path)], check=True)
    return path
