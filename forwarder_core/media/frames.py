"""One picture of a video, for a person to look at: its first key frame that is not black."""

from __future__ import annotations

from pathlib import Path

from forwarder_core.media import graph
from forwarder_core.media.colors import read_as
from forwarder_core.media.probe import Probe
from forwarder_core.media.runner import IsCancelled, run
from forwarder_core.media.tools import Ffmpeg


def take(video: Path, facts: Probe, into: Path, *, ffmpeg: Ffmpeg, cancelled: IsCancelled | None = None) -> None:
    """Write `into`, a JPEG. Raises MediaRejected for a picture that cannot be decoded, LocalFailed, Cancelled."""
    argv = graph.keyframes_argv(
        ffmpeg, video, into, video_index=facts.video_index, of=read_as(facts, has_zscale=ffmpeg.can_tone_map)
    )
    run(argv, duration_s=facts.duration_s, cancelled=cancelled)
