"""Fetching one Short with yt-dlp, in a process of its own that can be stopped at any moment.

What lives here: that process from start to end, and the age of yt-dlp. What does not: yt-dlp's options
(download_child.py) and the meaning of its troubles (download_errors.py).
The fact to know: yt-dlp writes several files under names of its own choosing, so it gets the folder `<into>.part`,
which is gone afterwards however the fetch ends. Proxy login and cookies pass through the child's stdin: neither a
command line nor a file ever holds them.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import IO, Any

from forwarder_core.connectors.base import FetchedFile
from forwarder_core.egress import Exit
from forwarder_core.errors import LocalFailed, NetworkFailed, PlatformTransient
from forwarder_core.platforms.youtube import download_errors
from forwarder_core.platforms.youtube.errors import redacted

_MODULE = "forwarder_core.platforms.youtube.download_child"
_ROOT = Path(__file__).resolve().parents[3]
_RUNTIMES = ("deno", "node", "bun", "quickjs")
_END_S = 5.0
_SILENCE_S = 30.0
_HEAD_BYTES, _MP4, _MATROSKA = 64, b"ftyp", b"\x1a\x45\xdf\xa3"  # what the two kinds of file begin with

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadLimits:
    """`seconds` for everything together; `memory_bytes` for each process; `max_bytes` against a server gone mad."""

    seconds: float = 900.0
    memory_bytes: int = 1 << 30
    max_bytes: int = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    video_id: str
    into: Path
    cookies: str
    limits: DownloadLimits


def fetch(order: Order, exit_: Exit, progress: Progress) -> FetchedFile:
    """The video's file at `order.into`. An address that was refused is asked for anew, once.

    Raises BotCheck, SourceLoginRequired, SourceGone, GeoBlocked, RateLimited, ClientOutdated, and the classes of
    network, proxy and this server. Neither a process nor a part of the file is left behind.
    """
    try:
        return _fetch_once(order, exit_, progress)
    except download_errors.FileRefused:
        return _fetch_once(order, exit_, progress)


def downloader_age_days(today: date) -> int | None:
    """How old the installed yt-dlp is, which names its versions after their day; None where it cannot be told."""
    try:
        year, month, day = (int(part) for part in metadata.version("yt-dlp").split(".")[:3])
        return (today - date(year, month, day)).days
    except (metadata.PackageNotFoundError, ValueError):
        return None


def _fetch_once(order: Order, exit_: Exit, progress: Progress) -> FetchedFile:
    folder = order.into.with_name(order.into.name + ".part")
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        made = folder / _run(order, folder, exit_, progress)
        size = made.stat().st_size
        with made.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if not size:
            raise PlatformTransient("YouTube sent an empty file.")
        if not head.startswith(_MATROSKA) and _MP4 not in head:
            raise PlatformTransient("YouTube's file server sent something else than a video.")
        made.replace(order.into)
    except OSError as e:
        raise LocalFailed(f"The fetched file could not be written: {e.strerror}.") from e
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return FetchedFile(path=order.into, size_bytes=size, sha256=digest)


def _run(order: Order, folder: Path, exit_: Exit, progress: Progress) -> str:
    """The name of the file the child has made."""
    with tempfile.TemporaryFile() as said:
        child = _start(folder, exit_, said)
        try:
            _hand_over(child, _order_line(order, folder, exit_))
            for line in _lines(child, time.monotonic() + order.limits.seconds):
                if "progress" in line:
                    progress(*line["progress"])
                elif "done" in line:
                    return Path(str(line["done"])).name
                elif "failed" in line:
                    raise download_errors.failure(line["failed"], exit_)
            raise LocalFailed(f"The downloader ended by itself (exit code {_exit_code(child)}).", raw=_tail(said))
        except TimeoutError as e:
            raise NetworkFailed(f"Fetching the video took longer than {order.limits.seconds:g} s.") from e
        finally:
            _end(child)


def _start(folder: Path, exit_: Exit, said: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", _MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        cwd="/",
        env=_environment(folder, exit_),
        start_new_session=True,
    )


def _environment(folder: Path, exit_: Exit) -> dict[str, str]:
    """Nothing of ours: no proxy, no secret, no home. The CA is the exit's alone, as everywhere else."""
    trusted = {"SSL_CERT_FILE": str(exit_.ca_bundle), "SSL_CERT_DIR": str(folder)} if exit_.ca_bundle else {}
    return {
        "PATH": os.defpath,
        "PYTHONPATH": str(_ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        **trusted,
    }


def _order_line(order: Order, folder: Path, exit_: Exit) -> bytes:
    line = {
        "video_id": order.video_id,
        "folder": str(folder),
        "proxy": exit_.proxy.url if exit_.proxy else "",
        "allowed_networks": exit_.allowed_networks,
        "cookies": order.cookies,
        "silence_s": min(_SILENCE_S, exit_.answer_s),
        "max_bytes": order.limits.max_bytes,
        "memory_bytes": order.limits.memory_bytes,
        "ffmpeg": _ffmpeg(),
        "runtimes": {name: path for name in _RUNTIMES if (path := shutil.which(name))},
    }
    return json.dumps(line).encode() + b"\n"


def _ffmpeg() -> str:
    """What yt-dlp joins picture and sound with: the system's, else the one in the wheel, found without loading it."""
    if found := shutil.which("ffmpeg"):
        return found
    wheel = importlib.util.find_spec("imageio_ffmpeg")
    folders = (wheel.submodule_search_locations or ()) if wheel else ()
    programs = (path for folder in folders for path in sorted(Path(folder, "binaries").glob("ffmpeg-*")))
    return next((str(path) for path in programs if os.access(path, os.X_OK)), "")


def _hand_over(child: subprocess.Popen[bytes], line: bytes) -> None:
    """The pipe stays open: the child ends when it closes."""
    assert child.stdin is not None  # noqa: S101 - it was asked for
    with contextlib.suppress(BrokenPipeError):  # it is gone already; its exit code says more
        child.stdin.write(line)
        child.stdin.flush()


def _lines(child: subprocess.Popen[bytes], deadline: float) -> Iterator[Mapping[str, Any]]:
    """What the child tells, until it ends. Raises TimeoutError at the deadline."""
    assert child.stdout is not None  # noqa: S101 - it was asked for
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                raise TimeoutError
            chunk = os.read(child.stdout.fileno(), 65536)
            if not chunk:
                return
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (_parsed(line) for line in whole)


def _parsed(line: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(line)
    except ValueError as e:
        raise LocalFailed("The downloader answered in a form not known here.", raw=repr(line[:200])) from e
    return said if isinstance(said, dict) else {}


def _exit_code(child: subprocess.Popen[bytes]) -> int | None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        return child.wait(_END_S)
    return None


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill the child with all it has started, and reap it. Harmless on one that has ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _tail(said: IO[bytes]) -> str:
    said.seek(0, os.SEEK_END)
    said.seek(max(0, said.tell() - 2000))
    return redacted(said.read().decode("utf-8", "replace"))
