"""The child process that runs yt-dlp: one order as JSON on stdin, its course as JSON lines on stdout.

What lives here: yt-dlp's options and what of its troubles is told. What does not: when to stop it (download.py) and
what a trouble means (download_errors.py). Run as `python -m forwarder_core.platforms.youtube.download_child`.
The fact to know: it lives as long as the pipe from its parent. When that closes, whatever the reason, it ends with
everything it has started; so a killed worker leaves no download behind.

Order: video_id, folder, proxy (URL or ""), allowed_networks (private ones, CIDR), cookies (Netscape text or ""),
silence_s (the longest wait for a byte), max_bytes, memory_bytes, ffmpeg (path or ""), runtimes (JavaScript runtimes by
name). Lines: {"progress": [done, total]}, at the end {"done": name} or {"failed": {"text", "warnings", "kinds",
"status", "in_file"}}.
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from forwarder_core.platforms.youtube import download_guard

_PROGRESS_EVERY_S = 0.2
_KEPT_WARNINGS = 20
_JOINED = "bv*[vcodec^=avc1][width<=1080]+ba[acodec^=mp4a]/"
_WHOLE = "b[ext=mp4][vcodec^=avc1][acodec^=mp4a][width<=1080]/"
_ANY_JOINED, _ANY_WHOLE = "bv*[width<=1080]+ba/", "b[ext=mp4][width<=1080]/b[width<=1080]/b"


Tell = Callable[[Mapping[str, Any]], None]


class _TooLarge(Exception):
    """The file grows beyond what was ordered."""


class _Listener:
    """yt-dlp's logger: what it warns of is often the only trace of why it failed in the end."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def debug(self, text: str) -> None:
        pass

    info = error = debug  # an error comes as an exception too

    def warning(self, text: str) -> None:
        self.heard = [*self.heard, text][-_KEPT_WARNINGS:]


class _Course:
    """Tells how far the download is, now and then, and stops one that grows too large."""

    def __init__(self, max_bytes: int, tell: Tell) -> None:
        self._max_bytes = max_bytes
        self._tell = tell
        self._told_at = 0.0
        self.has_begun = False

    def __call__(self, status: Mapping[str, Any]) -> None:
        self.has_begun = True
        done = int(status.get("downloaded_bytes") or 0)
        total = status.get("total_bytes")
        if max(done, int(total or 0)) > self._max_bytes:
            raise _TooLarge
        now = time.monotonic()
        if status.get("status") == "finished" or now - self._told_at > _PROGRESS_EVERY_S:
            self._told_at = now
            self._tell({"progress": [done, int(total) if total else None]})


def main() -> None:
    tell = _teller()
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Not RLIMIT_AS: a JavaScript runtime reserves far more address space than it ever uses.
    resource.setrlimit(resource.RLIMIT_DATA, (order["memory_bytes"], order["memory_bytes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    listener, course = _Listener(), _Course(order["max_bytes"], tell)
    try:
        tell({"done": _download(order, listener, course)})
    except Exception as e:  # noqa: BLE001 - the border of the process: whatever it is, the parent must be told
        tell({"failed": _described(e, listener, course)})


def _download(order: Mapping[str, Any], listener: _Listener, course: _Course) -> str:
    """The name of the file in the order's folder."""
    import yt_dlp  # half a second, and only here

    download_guard.install(order["allowed_networks"], order["proxy"])

    with yt_dlp.YoutubeDL(options(order) | {"logger": listener, "progress_hooks": [course]}) as downloader:
        downloader.extract_info(f"https://www.youtube.com/shorts/{order['video_id']}", download=True)
    made = [file for file in Path(order["folder"]).iterdir() if file.stem == "video" and file.suffix != ".part"]
    if len(made) != 1:
        raise FileNotFoundError("the download ended without a file")
    return made[0].name


def options(order: Mapping[str, Any]) -> dict[str, Any]:
    """yt-dlp's, as its Python interface takes them. No configuration file, cache or environment is read."""
    ffmpeg = order["ffmpeg"]
    return {
        "quiet": True,
        "noprogress": True,
        "color": "no_color",
        "cachedir": False,
        "proxy": order["proxy"],  # "" is "none", while leaving it out would read the environment
        "compat_opts": {"no-certifi"},  # trust what SSL_CERT_FILE names, else the system's
        "cookiefile": io.StringIO(order["cookies"]) if order["cookies"] else None,
        "socket_timeout": order["silence_s"],
        "retries": 2,
        "extractor_retries": 1,
        "fragment_retries": 2,
        "format": (_JOINED + _WHOLE + _ANY_JOINED + _ANY_WHOLE) if ffmpeg else _WHOLE + _ANY_WHOLE,
        "merge_output_format": "mp4",
        "outtmpl": {"default": f"{order['folder'].replace('%', '%%')}/video.%(ext)s"},
        "noplaylist": True,
        "overwrites": True,
        "updatetime": False,
        "geo_bypass": False,  # it would claim an address that is not ours
        "allowed_extractors": ["youtube$"],
        "js_runtimes": {name: {"path": path} for name, path in order["runtimes"].items()},
        **({"ffmpeg_location": ffmpeg} if ffmpeg else {"fixup": "never"}),
    }


def _described(error: Exception, listener: _Listener, course: _Course) -> dict[str, Any]:
    """Words, the names of all classes involved, the HTTP status, and whether it was the file or its page."""
    chain = list(_causes(error))
    statuses = [status for each in chain if isinstance(status := getattr(each, "status", None), int)]
    return {
        "text": str(error)[:2000],
        "warnings": "\n".join(listener.heard)[:4000],
        "kinds": sorted({cls.__name__ for each in chain for cls in type(each).__mro__[:-3]}),
        "status": statuses[0] if statuses else None,
        "in_file": course.has_begun or "unable to download video data" in str(error),
    }


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseException) and each not in seen:
            seen.append(each)
            yield each
            told = getattr(each, "exc_info", None) or (None, None)
            waiting += [each.__cause__, each.__context__, getattr(each, "cause", None), told[1]]


def _end_with_parent() -> None:
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


def _teller() -> Tell:
    """The real stdout is for our lines alone; what anything else prints there goes to stderr."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(line: Mapping[str, Any]) -> None:
        out.write(json.dumps(line) + "\n")
        out.flush()

    return tell


if __name__ == "__main__":
    main()
