"""How many bits a picture may take, and whether it has to be told so. Pure.

What lives here: the budget of an encode, and the guess whether it comes near that. What does not: what is tried when
the guess was wrong, or a file came out too large (ladder).
The fact to know: an encoder that keeps a ceiling looks ahead for it with every frame: 3 to 6 % of an upscale's CPU,
measured beside the same command without. So a picture that will stay far below it is not told of it.
"""

from __future__ import annotations

from fractions import Fraction

from forwarder_core.domain.limits import MediaLimits
from forwarder_core.errors import MediaRejected
from forwarder_core.media.probe import Probe

MIN_KBPS = 250
_SIZE_MARGIN = 0.93  # one pass at maxrate = budget overshoots by 4 % (measured); the container takes the rest
_GROWTH = 2.5  # an H.264 source made larger at crf 18 takes 1 to 2 times its bits, 3 where it was pressed hard
_DENSER = 2  # as many bits of another codec hold twice as much


def budget(limits: MediaLimits, duration_s: float, audio_kbps: int) -> int:
    """kbit/s the picture may take at most, so that the file stays under the size cap. Raises MediaRejected."""
    fits = int(limits.max_bytes * _SIZE_MARGIN * 8 / 1000 / duration_s) - audio_kbps
    if fits < MIN_KBPS:
        raise MediaRejected(
            f"{duration_s:.0f} s of video do not fit into {limits.max_bytes / 1_000_000:.1f} MB and stay watchable.",
            action="Let the connection cut long videos, or filter them out.",
        )
    return min(limits.max_video_kbps, fits)


def needs_ceiling(probe: Probe, fps: Fraction, video_kbps: int) -> bool:
    """Could the picture, encoded anew at `fps` by quality alone, come near `video_kbps`?"""
    faster = max(1.0, float(fps / probe.fps_avg)) if probe.fps_avg else 1.0
    holds = probe.video_kbps * (1 if probe.video_codec == "h264" else _DENSER) * faster
    return holds * _GROWTH > video_kbps
