"""How much of the picture an encode has kept: SSIM, and VMAF where this ffmpeg has it. Asked for, never by itself.

What lives here: the comparison of a rendition with its source, both made to measure by the plan's own filters, so that
only the encode is judged and not the layout. What does not: the receipt it is kept in (services).
The fact to know: two streams are compared frame by frame, and one frame of shift looks like bad quality. So both are
numbered anew from their first frame, at the plan's constant rate.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from forwarder_core.media import graph
from forwarder_core.media.plan import Plan, Stream
from forwarder_core.media.runner import IsCancelled, run
from forwarder_core.media.tools import Ffmpeg

LOOKED_AT_S = 10.0  # of the video: 1080x1920 costs about 1.5 CPU-s a second with VMAF
NOT_AVAILABLE = "not available: this ffmpeg is built without libvmaf"
_VMAF_EVERY = 3  # frames
_SSIM = re.compile(r"SSIM .*All:([\d.]+)")
_VMAF = re.compile(r"VMAF score: ([\d.]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """`ssim` 0 to 1, `vmaf` 0 to 100 (None: see `note`), over the first `seconds`."""

    ssim: float
    vmaf: float | None
    seconds: float
    note: str

    @property
    def words(self) -> str:
        vmaf = f"VMAF {self.vmaf:.1f}" if self.vmaf is not None else f"VMAF {self.note}"
        return f"SSIM {self.ssim:.4f}, {vmaf}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure(
    plan: Plan,
    source: Path,
    made: Path,
    size: tuple[int, int],
    *,
    ffmpeg: Ffmpeg,
    image: Path | None = None,
    cancelled: IsCancelled | None = None,
) -> Quality:
    """Compare `made`, of `size` (width, height), with its source. Raises what a render raises."""
    if plan.video is not Stream.ENCODE:
        return Quality(ssim=1.0, vmaf=None, seconds=plan.duration_s, note="the picture was not encoded: it is the same")
    seconds = min(LOOKED_AT_S, plan.duration_s)
    argv = _argv(plan, source, made, size, seconds, ffmpeg, image)
    said = run(argv, duration_s=seconds, cancelled=cancelled, is_large=plan.is_large).stderr
    ssim, vmaf = _SSIM.findall(said), _VMAF.findall(said)
    return Quality(
        ssim=float(ssim[-1]) if ssim else 0.0,
        vmaf=float(vmaf[-1]) if vmaf else None,
        seconds=seconds,
        note="" if ffmpeg.can_vmaf else NOT_AVAILABLE,
    )


def _argv(
    plan: Plan, source: Path, made: Path, size: tuple[int, int], seconds: float, ffmpeg: Ffmpeg, image: Path | None
) -> list[str]:
    import ffmpeg as graphs

    wanted = graph.picture(graph.opening(source, seconds)[str(plan.video_index)], plan, image)
    if size != (plan.width, plan.height):  # the size ladder came down
        wanted = wanted.filter("scale", *size, flags="lanczos")
    pair = [_numbered(graph.opening(made, seconds)["v:0"]), _numbered(wanted)]
    if not ffmpeg.can_vmaf:
        compared = graphs.output(graphs.filter(pair, "ssim"), "pipe:", f="null")
    else:
        ours, theirs = (one.filter_multi_output("split") for one in pair)
        vmaf = graphs.filter([ours[1], theirs[1]], "libvmaf", n_subsample=_VMAF_EVERY, n_threads=2)
        outputs = (graphs.filter([ours[0], theirs[0]], "ssim"), vmaf)
        compared = graphs.merge_outputs(*(graphs.output(one, "pipe:", f="null") for one in outputs))
    argv = graph.to_null(graph.compiled(compared, ffmpeg))
    argv[argv.index("-v") + 1] = "info"  # the figures are said at this level
    return argv


def _numbered(video: Any) -> Any:
    return video.filter("settb", "1/1000").filter("setpts", "N*10")
