"""Is what came out what the plan asked for? ffmpeg's exit code 0 is no proof: truncated and one-frame files have it.

What lives here: the comparison of a plan with the probe of the output. Pure; the probe is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator

from forwarder_core.errors import LocalFailed, MediaRejected
from forwarder_core.media.plan import Mode, Plan, Stream
from forwarder_core.media.probe import Probe

_DURATION_TOLERANCE_S = 0.2
_CUT_TOLERANCE_S = 0.2  # a cut on copied packets: reordered neighbours in time stand behind it
_TAIL_S = 0.05  # the last AAC frame
_FRAME_TOLERANCE = 3
_HEARD_BY_S = 0.5  # sound this near the cut may fall behind it


def check(plan: Plan, made: Probe) -> None:
    """Raise MediaRejected naming every difference, LocalFailed for a sound that was lost; return when all is well."""
    found = list(_differences(plan, made))
    if found:
        raise MediaRejected(
            "The finished file is not what was planned: " + "; ".join(found) + ".",
            action="The source file is most likely damaged; look at it, and post it anew.",
        )
    if _should_be_heard(plan) and made.is_silent:
        raise LocalFailed(
            "The source has sound and the finished file is silent.",
            action="Nothing yet: it is made again by itself. If it repeats, report the log of this job.",
        )


def _should_be_heard(plan: Plan) -> bool:
    has_sound = plan.audio is not Stream.NONE and plan.sound_from_s is not None
    return has_sound and (plan.sound_from_s or 0.0) < plan.duration_s - _HEARD_BY_S


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
