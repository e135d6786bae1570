"""Is it one whole video? What the child process read, judged before anybody plans anything with it.

What lives here: each way in which a readable file is no video to forward, as a sentence with an action. What does
not: reading (probe, probe_child), what a destination takes (plan).
The fact to know: a header promises; only packets are there. A download that broke off has the header of the whole.
"""

from __future__ import annotations

from typing import Any

from forwarder_core.errors import MediaRejected
from forwarder_core.media.boxes import Layout
from forwarder_core.media.sniff import REFETCH

MAX_PIXELS = 3840 * 3840
MAX_DURATION_S = 4 * 3600.0
REPOST = "Export the video again as MP4 (H.264, AAC) and post it anew."
_MISSING_S, _MISSING_SHARE = 0.25, 0.02


def refuse_unreadable(facts: dict[str, Any]) -> None:
    match facts.get("problem"):
        case "pixels":
            raise MediaRejected(
                f"The picture is {facts['width']}x{facts['height']}, larger than this product opens "
                f"({MAX_PIXELS // 1_000_000} megapixels).",
                action="Export the video at 4K or less and post it anew.",
            )
        case "memory":
            raise MediaRejected("The file would need more than 1 GB of memory to be read.", action=REPOST)
        case "unreadable":
            raise MediaRejected("The file is no readable video.", action=REFETCH, raw=str(facts.get("detail")))


def main_video(streams: list[dict[str, Any]], facts: dict[str, Any]) -> dict[str, Any]:
    videos = [s for s in streams if s["type"] == "video"]
    if not videos:
        what = "only sound" if any(s["type"] == "audio" for s in streams) else "neither picture nor sound"
        raise MediaRejected(f"The file holds {what}, no video.", action="Only posts with a video can be forwarded.")
    moving = [s for s in videos if not s["is_picture"]]
    if not moving:
        raise MediaRejected(
            "The file holds a cover picture and no video.", action="Only posts with a video can be forwarded."
        )
    known = next((s for s in moving if s["codec"]), None)
    if known is None:
        raise MediaRejected("The video's codec is unknown here.", action=REPOST, raw=str(facts.get("broke")))
    if not known["width"] or not known["height"]:
        raise MediaRejected("The file does not say how large its picture is.", action=REPOST)
    return known


def refuse_broken(facts: dict[str, Any], video: dict[str, Any], layout: Layout | None) -> None:
    if facts["broke"]:
        raise MediaRejected("The video in the file is damaged.", action=REFETCH, raw=facts["broke"])
    if not video["packets"] or "frame" not in facts or not facts["frame"]:
        raise MediaRejected("The file holds no picture that can be decoded.", action=REFETCH)
    if video["packets"] == 1:
        raise MediaRejected(
            "The file holds a single picture, not a video.", action="Only posts with a video can be forwarded."
        )
    length, promised = length_s(facts["streams"]), _promised(facts, video)
    said = max(length, promised, layout.header_s if layout else 0.0)  # libraries pass over an odd movie header
    if said > MAX_DURATION_S:
        raise MediaRejected(
            f"The file says it runs for {said / 3600:,.1f} hours; "
            f"over {MAX_DURATION_S / 3600:.0f} is taken for a broken header.",
            action=REPOST,
        )
    # Where an edit list cuts, the header tells the length before the cut and the packets the one after it.
    held = video["end_s"] - min(video["start_s"], 0.0) if video["header_s"] else length
    if not (layout and layout.has_cuts) and promised - held > max(_MISSING_S, promised * _MISSING_SHARE):
        raise MediaRejected(
            f"The file was cut off: it promises {promised:.1f} s and holds {held:.1f} s.", action=REFETCH
        )


def _promised(facts: dict[str, Any], video: dict[str, Any]) -> float:
    """What the header says: of the picture, or where only the whole has a length (Matroska), of that."""
    return float(video["header_s"] or facts["header_s"] or 0.0)


def length_s(streams: list[dict[str, Any]]) -> float:
    """From the first shown instant of any picture or sound to the last, as ffmpeg will count it."""
    played = [s for s in streams if s["type"] in ("video", "audio") and not s["is_picture"] and s["packets"]]
    start = min((s["start_s"] for s in played), default=0.0)
    return float(max((s["end_s"] for s in played), default=0.0) - max(start, 0.0))
