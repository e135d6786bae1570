"""The quality receipt of a forward: what came in, what went out, and what that cost, kept with the plan as JSON. Pure.

What does not live here: whether the output is what was planned (verify) — a receipt is only written for one that is.
"""

from __future__ import annotations

from typing import Any

from forwarder_core.media.probe import Probe
from forwarder_core.media.quality import Quality
from forwarder_core.media.render import Rendered


def of(source: Probe, made: Rendered, quality: Quality | None = None) -> dict[str, Any]:
    """`input` and `output` in the same words; sizes in bytes, `seconds` with the wait for a slot, `cpu_s` ffmpeg's.

    `quality` None: nobody asked for it; there is no such key then.
    """
    asked = {"quality": quality.to_dict()} if quality else {}
    return asked | {
        "input": _facts(source),
        "output": _facts(made.seen or source),
        "bytes_in": source.size_bytes,
        "bytes_out": made.size_bytes,
        "sha256": made.sha256,
        "seconds": round(made.seconds, 3),
        "cpu_s": round(made.cpu_s, 3),
        "tries": made.tries,
    }


def _facts(probe: Probe) -> dict[str, Any]:
    return {
        "container": probe.container,
        "width": probe.width,
        "height": probe.height,
        "duration_s": round(probe.duration_s, 3),
        "frames": probe.frames,
        "fps": str(probe.fps_avg),
        "video": f"{probe.video_codec} {probe.video_profile}".strip(),
        "video_kbps": probe.video_kbps,
        "audio": f"{probe.audio_codec} {probe.audio_profile}".strip() or None,
        "audio_hz": probe.audio_hz or None,
        "sound": "none" if not probe.has_audio else "silent" if probe.is_silent else "present",
    }
