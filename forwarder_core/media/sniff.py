"""What a file is by its first bytes, before any library opens it.

What lives here: the one test that lets a file through (MP4/MOV or Matroska/WebM) and names for what it is instead.
What does not: anything behind the first bytes (boxes, probe).
The fact to know: libraries choose a reader by content, so a playlist or a list of files named .mp4 would be followed
to other files on this disk. It never gets that far: it has no `ftyp` at byte 4 and no EBML mark.
"""

from __future__ import annotations

from pathlib import Path

from forwarder_core.errors import LocalFailed, MediaRejected

REFETCH = "Look at the post at its source; if it plays there, retry the job to fetch the file again."
_NOT_A_VIDEO = "Only posts with a video file can be forwarded; look at the post at its source."

_EBML = b"\x1a\x45\xdf\xa3"
_PICTURE_BRANDS = (b"heic", b"heix", b"mif1", b"avif", b"msf1")
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"\xff\xd8\xff", "a JPEG picture", _NOT_A_VIDEO),
    (b"\x89PNG", "a PNG picture", _NOT_A_VIDEO),
    (b"GIF8", "a GIF picture", _NOT_A_VIDEO),
    (b"ID3", "an MP3 sound file", _NOT_A_VIDEO),
    (b"OggS", "an Ogg file", _NOT_A_VIDEO),
    (b"%PDF", "a PDF document", _NOT_A_VIDEO),
    (b"PK\x03\x04", "a ZIP archive", _NOT_A_VIDEO),
    (b"FLV", "a Flash video", "Convert it to MP4 and post it again."),
    (b"#EXTM3U", "a playlist (HLS), not the video itself", REFETCH),
    (b"ffconcat", "a list of other files (ffconcat)", _NOT_A_VIDEO),
    (b"v=0", "a stream description (SDP), not the video itself", _NOT_A_VIDEO),
    (b"{", "JSON text: the source answered with data instead of the file", REFETCH),
    (b"[", "JSON text: the source answered with data instead of the file", REFETCH),
    (b"<?xml", "XML text", REFETCH),
    (b"<svg", "an SVG drawing", _NOT_A_VIDEO),
    (b"<", "a web page: the source answered with HTML instead of the file", REFETCH),
)


def sniff(path: Path) -> str:
    """`mp4` or `matroska`. Raises MediaRejected that names what the file is instead."""
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as e:
        raise LocalFailed(f"The fetched file cannot be read: {e.strerror}.") from e
    if not head:
        raise MediaRejected("The file is empty (0 bytes).", action=REFETCH)
    if head[4:8] == b"ftyp":
        if head[8:12] in _PICTURE_BRANDS:
            raise MediaRejected("The file is a HEIC or AVIF picture, not a video.", action=_NOT_A_VIDEO)
        return "mp4"
    if head.startswith(_EBML):
        return "matroska"
    what, action = _name(head)
    raise MediaRejected(f"The file is {what}, not an MP4, MOV or WebM video.", action=action)


def _name(head: bytes) -> tuple[str, str]:
    if head.startswith(b"RIFF"):
        kinds = {b"WEBP": "a WebP picture", b"WAVE": "a WAV sound file", b"AVI ": "an AVI video"}
        return kinds.get(head[8:12], "a RIFF file"), _NOT_A_VIDEO
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for mark, what, action in _OTHERS:
        if head.startswith(mark) or text.startswith(mark.lower()):
            return what, action
    return "of an unknown kind", REFETCH
