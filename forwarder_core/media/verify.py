"""Is what came out what the plan asked for? ffmpeg's exit code 0 is no proof: truncated and one-frame files have it.

What lives here: the comparison of a plan with the probe of the output. Pure; the probe is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator

from forwarder_core.errors import MediaRejected
from forwarder_core.media.plan import Mode, Plan, Stream
from forwarder_core.media.probe import Probe

_DURATION_TOLERANCE_S = 0.2
_CUT_TOLERANCE_S = 0.2  # a cut on copied packets: reordered neighbours in time stand behind it
_TAIL_S = 0.05  # the last AAC frame
_FRAME_TOLERANCE = 3


def check(plan: Plan, made: Probe) -> None:
    """Raise MediaRejected naming every difference; return when there is none."""
    found = list(_differences(plan, made))
    if found:
        raise MediaRejected(
            "The finished file is not what was planned: " + "; ".join(found) + ".",
            action="The source file is most likely damaged; look at it, and post it anew.",
        )


def _differences(plan: Plan, made: Probe) -> Iterator[str]:
    if (made.width, made.height) != (plan.width, plan.height):
        yield f"{made.width}x{made.height} instead of {plan.width}x{plan.height}"
    if made.n_video != 1 or made.n_audio != (plan.audio is not Stream.NONE) or made.other_streams:
        yield f"{made.n_video} pictures, {made.n_audio} sounds, {made.other_streams} other streams"
    is_cut_copy = plan.trim_s is not None and plan.video is Stream.COPY
    cut_s = _CUT_TOLERANCE_S if is_cut_copy else 0.0
    tolerance_s = max(_DURATION_TOLERANCE_S, 1 / float(plan.fps) if plan.fps else 0.0) + cut_s
    if abs(made.duration_s - plan.duration_s) > tolerance_s:
        yield f"{made.duration_s:.2f} s instead of {plan.duration_s:.2f} s"
    elif made.duration_s > plan.max_duration_s + _TAIL_S:
        yield f"{made.duration_s:.2f} s, over the {plan.max_duration_s:g} s the destination takes"
    if abs(made.frames - plan.frames) > _FRAME_TOLERANCE + round(cut_s * float(plan.fps)):
        yield f"{made.frames} frames instead of {plan.frames}"
    if plan.mode is not Mode.COPY and (not made.is_moov_first or made.has_edit_list or made.is_fragmented):
        yield "the index is not first, or an edit list is left"
    if plan.video is Stream.ENCODE and (made.video_codec != "h264" or made.pix_fmt != "yuv420p" or made.sar != 1):
        yield f"{made.video_codec} {made.pix_fmt}"
    if made.size_bytes > plan.max_bytes:
        yield f"{made.size_bytes / 1e6:.1f} MB, over the {plan.max_bytes / 1e6:.1f} MB the destination takes"
