"""What is tried next when a file came out too large: a ceiling, two passes at the exact budget, a smaller picture.

What lives here: the next plan. Pure. What does not: the first try (plan), running any (render).
The fact to know: `-fs` would keep any cap, by cutting the video short with exit code 0. Two passes at 0.97 of the cap
come to 98-99 % of it, for 43 % more processor time than one (measured), so they are the second try, never the first.
"""

from __future__ import annotations

from dataclasses import replace

from forwarder_core.media.plan import Plan, Stream
from forwarder_core.media.rates import MIN_KBPS

_SHARE_OF_CAP = 0.97
_SMALLER = 2 / 3  # 1080 -> 720
_NEARLY = 1.1  # short clips miss by a few percent: the rate is mended once before the picture pays


def is_over(plan: Plan, made_bytes: int, made_kbps: int) -> bool:
    """Over the size cap, or over a rate that the encoder was not told of because it seemed far away."""
    return made_bytes > plan.max_bytes or (not plan.has_ceiling and made_kbps > plan.video_kbps)


def next_try(plan: Plan, made_bytes: int, tries: int) -> Plan | None:
    """The plan after `plan`, which as try number `tries` made too large a file; None when nothing is left to try."""
    if plan.video is not Stream.ENCODE:
        return None
    if not plan.has_ceiling:
        return replace(plan, has_ceiling=True)
    if plan.passes == 1:
        return replace(plan, passes=2, video_kbps=_exact_kbps(plan))
    share = min(1.0, plan.max_bytes / made_bytes) * _SHARE_OF_CAP
    mended = replace(plan, video_kbps=max(MIN_KBPS, int(plan.video_kbps * share)))
    if tries == 2 and made_bytes <= plan.max_bytes * _NEARLY:
        return mended
    return _smaller(mended)


def _exact_kbps(plan: Plan) -> int:
    audio = 0 if plan.audio is Stream.NONE else plan.audio_kbps
    fits = int(plan.max_bytes * _SHARE_OF_CAP * 8 / 1000 / plan.duration_s) - audio
    return max(MIN_KBPS, fits)


def _smaller(plan: Plan) -> Plan | None:
    if plan.geometry is None:
        return None
    placement = plan.placement and plan.placement.times(_SMALLER)
    geometry = plan.geometry.times(_SMALLER)
    if placement:
        room = placement.video
        geometry = replace(geometry, width=room.width, height=room.height)
        if plan.is_blurred:  # rounding may not make it larger than the room it stands in
            inner = min(geometry.scale_width, room.width), min(geometry.scale_height, room.height)
            geometry = replace(geometry, scale_width=inner[0], scale_height=inner[1])
    width, height = (placement or geometry).width, (placement or geometry).height
    if width < plan.least_size[0] or height < plan.least_size[1]:
        return None
    return replace(plan, width=width, height=height, geometry=geometry, placement=placement)
