"""What a failed ffmpeg means: our server, our mistake, or the file. Pure.

What lives here: the words ffmpeg and the kernel use. What does not: how it was run (runner).
The fact to know: ffmpeg says 1 for nearly everything, so the words decide; what is not
known to be ours is the file's.
"""

from __future__ import annotations

import signal

from forwarder_core.errors import Bug, FfmpegMissing, ForwarderError, LocalFailed, MediaRejected, StepFailed
from forwarder_core.media.soundness import REPOST

_RAW_CHARS = 2000
_OURS = (
    "Unrecognized option",
    "Option not found",
    "No such filter",
    "Unknown encoder",
    "Error initializing filter",
    "Error parsing options",
    "Error parsing filterchain",
    "frame to the encoder",
    "Nothing was written into output file",
)


class Cancelled(ForwarderError):
    """Somebody asked for the work to stop; nothing of it was kept."""

    code = "cancelled"
    action = "Nothing: the work was stopped on request."


def failure(returncode: int, stderr: str) -> StepFailed:
    """The class of a run that ended by itself with `returncode` (negative = the signal that ended it)."""
    raw = stderr[-_RAW_CHARS:]
    if "No space left on device" in stderr or "Disk quota exceeded" in stderr:
        return LocalFailed(
            "The disk is full.",
            raw=raw,
            action="Free space on the disk that holds FORWARDER_HOME; the job goes on by itself.",
        )
    if "Cannot allocate memory" in stderr:  # our own limit says so; a server without memory kills
        return MediaRejected(
            "The video needs more memory than one transform may take.",
            raw=raw,
            action="Export the video as MP4 (H.264, 8 bit, 4:2:0) at 4K or less and post it anew.",
        )
    if returncode in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return LocalFailed(
            "ffmpeg was stopped by the system, most likely for lack of memory.",
            raw=raw,
            action="Give the server more memory, or let it transform fewer videos at once.",
        )
    if returncode in (-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, 255) and not stderr.strip():
        return LocalFailed("ffmpeg was stopped from outside.", raw=raw, action="Nothing yet: it is retried by itself.")
    if returncode in (126, 127):
        return LocalFailed("ffmpeg could not be started.", raw=raw, action=FfmpegMissing.action)
    if "Permission denied" in stderr or "Read-only file system" in stderr:
        return LocalFailed(
            "ffmpeg may not write its file.", raw=raw, action="Check the owner of FORWARDER_HOME and its folders."
        )
    if any(words in stderr for words in _OURS):
        return Bug("ffmpeg did not understand what it was asked.", raw=raw)
    if returncode < 0:
        return MediaRejected("The video makes ffmpeg crash.", raw=raw, action=REPOST)
    return MediaRejected("The video is damaged: it cannot be decoded to its end.", raw=raw, action=REPOST)
