"""What our transforms cost, and how good they are, beside the raw ffmpeg CLI and the client's own recipe.

Same clip, same run, in turn, each going first in every other round; medians. CPU seconds of the whole way a job takes
(probe, plan, encode, cover, a look at the output), counted by the system for all children. The client's recipes (slow
crf 18; three passes) cost so much that they run once. The command by hand has the same filter, preset and quality and
copies the sound as we do; it makes no key frame every 4 s, no marks of colours and no cover, and nobody looks at what
goes in or comes out: what a forward needs besides is ours to pay. VMAF comes from the wheel's ffmpeg; PSNR is against a
nearly lossless one-pass file.
The fact to know: on a shared machine seconds mean nothing and CPU seconds little; the ratios are what to read.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import psutil

from bench.figures import row
from forwarder_core.connectors import registry
from forwarder_core.domain.transforms import Layout, Template, TransformOptions
from forwarder_core.media import graph, shipped
from forwarder_core.media.plan import Mode, Plan, plan
from forwarder_core.media.probe import probe
from forwarder_core.media.render import Rendered, render
from forwarder_core.media.slots import Slots
from forwarder_core.media.tools import find_ffmpeg

SECONDS = 12
_PATIENCE_S = 1800
_CAP_BYTES = 1_500_000
_TEN = 10
_TEN_SECONDS = 3.0
_LIMITS = registry.limits("instagram").media
_UPSCALE = TransformOptions(upscale=True)
_LAID = TransformOptions(upscale=True, layout=Layout(template=Template.PICTURE_IN_PICTURE, border_width=4))
_FAST = ("-movflags", "+faststart")


def measure(rounds: int = 3) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`"""
    with tempfile.TemporaryDirectory(prefix="forwarder-bench-") as folder:
        bench = _Bench(Path(folder))
        found: dict[str, Any] = {}
        found["compliant_copy_cpu_s"] = copied = bench.pair(rounds, bench.ours_copy, bench.bare_copy)
        allowed = row([copied["ours"]], [1.5 * copied["baseline"] + 0.3], "CPU-s")
        found["compliant_copy_vs_1_5_copies_and_0_3_s"] = allowed | {"rounds": rounds}
        found["upscale_vs_same_cli_cpu_s"] = bench.pair(rounds, bench.ours_upscale, bench.cli_upscale)
        found["upscale_vs_client_cpu_s"] = bench.pair(1, bench.ours_upscale, bench.client_upscale)
        ours, theirs = bench.file("ours_upscale"), bench.file("client_upscale")
        found["upscale_vs_client_vmaf"] = row([bench.vmaf(ours)], [bench.vmaf(theirs)], "VMAF")
        found["upscale_vs_client_bytes"] = row([ours.stat().st_size], [theirs.stat().st_size], "bytes")
        found["layout_vs_three_passes_cpu_s"] = bench.pair(1, bench.ours_layout, bench.client_layout)
        bench.lossless_layout()
        ours, theirs = bench.file("ours_layout"), bench.file("client_3")
        found["layout_vs_three_passes_psnr"] = row([bench.psnr(ours)], [bench.psnr(theirs)], "dB")
        found["layout_vs_three_passes_bytes"] = row([ours.stat().st_size], [theirs.stat().st_size], "bytes")
        found["size_cap_12_s_bytes"] = row([bench.capped()], [_CAP_BYTES], "bytes")
        return found | bench.ten_at_once()


def _cpu(act: Callable[[], None]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    act()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def _seconds(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


class _Peak:
    """The most memory (RSS) that all children of this process held at one time, looked at twenty times a second."""

    def __init__(self) -> None:
        self.mib = 0.0
        self._ended = threading.Event()
        self._look = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Peak:
        self._look.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._look.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._ended.wait(0.05):
            held = 0
            for child in me.children(recursive=True):
                with suppress(psutil.Error):
                    held += child.memory_info().rss
            self.mib = max(self.mib, held / 2**20)


@dataclass(frozen=True, slots=True)
class _Clips:
    """The 1080x1920 original, the 720x1280 made of it, and the original as a platform serves it."""

    original: Path
    small: Path
    compliant: Path


class _Bench:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ffmpeg = find_ffmpeg(Path(shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()))
        self._image = folder / "bg_travel.png"
        self._image.write_bytes(shipped.bg_travel())
        self._clips = self._made_clips()
        if (chosen := self._plan(self._clips.compliant, TransformOptions())).mode is not Mode.COPY:
            raise RuntimeError(f"the compliant clip is none: {chosen.reasons}")

    def pair(self, rounds: int, ours: Callable[[], None], baseline: Callable[[], None]) -> dict[str, Any]:
        """CPU seconds of both; whoever goes second finds warmer caches, so they take turns in that."""
        pairs = []
        for number in range(rounds):
            first, second = (ours, baseline) if number % 2 == 0 else (baseline, ours)
            spent = _cpu(first), _cpu(second)
            pairs.append(spent if first is ours else spent[::-1])
        return row([a for a, _ in pairs], [b for _, b in pairs], "CPU-s")

    def file(self, name: str) -> Path:
        return self._folder / f"{name}.mp4"

    def ours_copy(self) -> None:
        self._forward(self._clips.compliant, TransformOptions(), "ours_copy")

    def bare_copy(self) -> None:
        self._cli("-i", self._clips.compliant, "-c", "copy", *_FAST, self.file("bare_copy"))

    def ours_upscale(self) -> None:
        self._forward(self._clips.small, _UPSCALE, "ours_upscale")

    def cli_upscale(self) -> None:
        """The same filter, preset and quality, by hand."""
        self._scaled("veryfast", "cli_upscale")

    def client_upscale(self) -> None:
        self._scaled("slow", "client_upscale")

    def ours_layout(self) -> None:
        self._forward(self._clips.small, _LAID, "ours_layout")

    def client_layout(self) -> None:
        """Upscale, layout, compliance, each an encode of its own; the layout's graph is ours, theirs does not run."""
        self._scaled("slow", "client_1")
        subprocess.run(
            self._laid(self.file("client_1"), "client_2", preset="medium", crf=20), check=True, timeout=_PATIENCE_S
        )
        fit = "scale=1080:1920:force_original_aspect_ratio=decrease,pad=1080:1920:(ow-iw)/2:(oh-ih)/2"
        encode = ("-c:v", "libx264", "-preset", "medium", "-crf", "23", "-c:a", "aac", "-b:a", "128k")
        self._cli("-i", self.file("client_2"), "-vf", fit, "-t", "60", *encode, *_FAST, self.file("client_3"))

    def capped(self) -> int:
        """Bytes of the small clip under a cap it cannot keep by itself; an error where it comes out shorter."""
        facts = probe(self._clips.small)
        decided = plan(facts, TransformOptions(), replace(_LIMITS, max_bytes=_CAP_BYTES))
        made = render(decided, self._clips.small, self.file("capped"), ffmpeg=self._ffmpeg)
        if abs(made.duration_ms - facts.duration_s * 1000) > 1000 / 30:
            raise RuntimeError(f"the capped clip runs {made.duration_ms} ms")
        return made.size_bytes

    def lossless_layout(self) -> None:
        """What both are compared with: one pass, nearly without loss."""
        argv = self._laid(self._clips.small, "lossless_layout", preset="ultrafast", crf=2)
        subprocess.run(argv, check=True, timeout=_PATIENCE_S)

    def ten_at_once(self) -> dict[str, Any]:
        """Ten jobs that all want to encode at the same moment, beside the same ten one after the other."""
        self._cli("-i", self._clips.small, "-t", _TEN_SECONDS, "-c", "copy", *_FAST, self.file("short"))
        slots = Slots(self._folder / "slots", os.cpu_count() or 1)
        with _Peak() as alone:
            one_by_one = _seconds(lambda: self._shorts(map, None))
        with _Peak() as together, ThreadPoolExecutor(_TEN) as pool:
            at_once = _seconds(lambda: self._shorts(pool.map, slots))
        return {
            "ten_at_once_vs_one_by_one_wall": row([at_once], [one_by_one], "s"),
            "ten_at_once_vs_one_by_one_peak": row([together.mib], [alone.mib], "MiB"),
        }

    def _shorts(self, run_all: Callable[..., Iterable[Rendered]], slots: Slots | None) -> None:
        chosen = self._plan(self.file("short"), _UPSCALE)

        def make(number: int) -> Rendered:
            return render(chosen, self.file("short"), self.file(f"ten_{number}"), ffmpeg=self._ffmpeg, slots=slots)

        for _ in run_all(make, range(_TEN)):
            """Each is waited for."""

    def vmaf(self, made: Path) -> float:
        """Against the original the small clip was made of; every third frame."""
        told = self._folder / "vmaf.json"
        # Said to be the same colours: the wheel's ffmpeg would convert what is marked into what is not.
        same = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
        pair = f"[0:v]{same}[made];[1:v]{same}[original];[made][original]"
        compare = f"{pair}libvmaf=log_fmt=json:log_path={told}:n_subsample=3:n_threads=2"
        argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(made), "-i", str(self._clips.original)]
        subprocess.run([*argv, "-lavfi", compare, "-f", "null", "-"], check=True, timeout=_PATIENCE_S)
        return float(json.loads(told.read_text())["pooled_metrics"]["vmaf"]["mean"])

    def psnr(self, made: Path) -> float:
        argv = [str(self._ffmpeg.path), "-v", "info", "-i", str(made), "-i", str(self.file("lossless_layout"))]
        argv += ["-lavfi", "[0:v][1:v]psnr", "-f", "null", "-"]
        said = subprocess.run(argv, check=True, timeout=_PATIENCE_S, capture_output=True, text=True).stderr
        found = re.search(r"average:([\d.]+)", said)
        return float(found[1]) if found else 0.0

    def _forward(self, source: Path, options: TransformOptions, name: str) -> None:
        """All a job does with a file, as services.transforming does it."""
        chosen = self._plan(source, options)
        image = self._image if chosen.image else None
        cover = self._folder / f"{name}.jpg"
        render(chosen, source, self.file(name), ffmpeg=self._ffmpeg, cover=cover, image=image)

    def _plan(self, source: Path, options: TransformOptions) -> Plan:
        return plan(probe(source), options, _LIMITS, can_tone_map=self._ffmpeg.can_tone_map)

    def _laid(self, source: Path, name: str, *, preset: str, crf: int) -> list[str]:
        chosen = replace(self._plan(source, _LAID), crf=crf, video_kbps=200_000)
        argv = graph.transform_argv(chosen, self._ffmpeg, source, self.file(name), image=self._image)
        argv = [word for word in argv if word not in ("-progress", "pipe:1")]
        argv[argv.index("-preset") + 1] = preset
        return argv

    def _scaled(self, preset: str, name: str) -> None:
        encode = ("-c:v", "libx264", "-preset", preset, "-crf", "18", "-c:a", "copy")
        self._cli("-i", self._clips.small, "-vf", "scale=1080:1920:flags=lanczos", *encode, *_FAST, self.file(name))

    def _cli(self, *words: object) -> None:
        argv = [str(self._ffmpeg.path), "-v", "error", "-nostdin", "-y", *map(str, words)]
        subprocess.run(argv, check=True, timeout=_PATIENCE_S)

    def _made_clips(self) -> _Clips:
        """A camera gliding over one detailed picture, with grain: motion, texture and noise, nothing flat."""
        still, scene = self._folder / "still.png", "mandelbrot=s=866x1440:start_scale=0.02:start_y=-0.13"
        self._cli("-f", "lavfi", "-i", f"{scene},scale=1300:2160:flags=lanczos,setsar=1", "-frames:v", 1, still)
        clips = _Clips(self.file("original"), self.file("small"), self.file("compliant"))
        glide = "crop=1080:1920:x='50*t':y='55*t',noise=alls=2:allf=t:all_seed=7,format=yuv420p"
        sound = ("-f", "lavfi", "-i", f"sine=f=440:r=48000:d={SECONDS}", "-c:a", "aac", "-ac", "2")
        picture = ("-loop", "1", "-framerate", "30", "-i", still, *sound, "-t", SECONDS, "-vf", glide)
        high = ("-c:v", "libx264", "-profile:v", "high")
        self._cli(*picture, *high, "-preset", "ultrafast", "-crf", "8", clips.original)
        clean = ("-movflags", "+faststart+negative_cts_offsets", "-use_editlist", "0")
        serve = (*high, "-preset", "veryfast", "-b:v", "5M", "-c:a", "copy", *clean)
        self._cli("-i", clips.original, *serve, clips.compliant)
        small = (
            "-vf",
            "scale=720:1280:flags=lanczos",
            *high,
            "-preset",
            "medium",
            "-crf",
            "18",
            "-c:a",
            "copy",
            *clean,
        )
        self._cli("-i", clips.original, *small, clips.small)
        return clips
