"""Carries a plan out: from the source file to a rendition that has been looked at, or to an error and no file.

What lives here: the order of the steps and the names on disk. What does not: the decision (plan), ffmpeg's words
(graph), the process (runner), what a good file is (verify).
The fact to know: a file under its final name is a finished one. Work happens in `<name>.part.mp4`; a TERM during an
encode leaves a playable, truncated file, which must never be taken for the rendition.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import shutil
import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from forwarder_core.errors import ForwarderError, LocalFailed
from forwarder_core.media import graph, ladder, verify
from forwarder_core.media.plan import Mode, Plan, Stream
from forwarder_core.media.probe import Probe, probe, probe_made
from forwarder_core.media.progress import Progress
from forwarder_core.media.runner import IsCancelled, OnProgress, Ran, run
from forwarder_core.media.slots import Slots
from forwarder_core.media.tools import Ffmpeg


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A finished file and what it cost. `seconds` includes waiting for a slot; `cpu_s` is ffmpeg's own."""

    path: Path
    size_bytes: int
    sha256: str
    duration_ms: int
    width: int
    height: int
    seconds: float
    cpu_s: float
    mode: Mode
    cover: Path | None
    tries: int = 1
    seen: Probe | None = None  # what the finished file is; None for a copy


def render(
    plan: Plan,
    source: Path,
    target: Path,
    *,
    ffmpeg: Ffmpeg,
    progress: OnProgress | None = None,
    cancelled: IsCancelled | None = None,
    cover: Path | None = None,
    slots: Slots | None = None,
    image: Path | None = None,
) -> Rendered:
    """Make `target` (and `cover`, a JPEG) from `source`. All paths absolute, `target` on the source's disk at best.

    Raises MediaRejected (the file's fault, or over the size cap after every try), LocalFailed (ours), Cancelled.
    `image` is the picture of the plan's layout.
    `slots` limits how many pictures are encoded at once, and with more of them how many are copied or repacked.
    """
    work = _Work(plan, source, target, ffmpeg, progress, cancelled, cover, image)
    started = time.monotonic()
    if slots is not None and plan.video is not Stream.ENCODE:
        slots = slots.of_copies
    try:
        with slots.take(cancelled=cancelled, waiting=work.wait) if slots is not None else nullcontext():
            made = work.make()
        size, sha256 = _digest(work.part)
        cover_made = work.finish()
    except OSError as e:
        raise _disk_failure(e) from e
    finally:
        work.clean()
    return Rendered(
        path=target,
        size_bytes=size,
        sha256=sha256,
        duration_ms=round((made.duration_s if made else plan.duration_s) * 1000),
        width=work.plan.width,
        height=work.plan.height,
        seconds=time.monotonic() - started,
        cpu_s=work.cpu_s,
        mode=plan.mode,
        cover=cover_made,
        tries=work.tries,
        seen=made,
    )


class _Work:
    """One rendering under its working names."""

    def __init__(
        self,
        plan: Plan,
        source: Path,
        target: Path,
        ffmpeg: Ffmpeg,
        progress: OnProgress | None,
        cancelled: IsCancelled | None,
        cover: Path | None,
        image: Path | None,
    ) -> None:
        self.plan, self.source, self.target, self.cover = plan, source, target, cover
        self.ffmpeg, self.progress, self.cancelled = ffmpeg, progress, cancelled
        self.part = target.with_name(f"{target.stem}.part.mp4")
        self.cover_part = cover.with_name(f"{cover.stem}.part.jpg") if cover else None
        self.image = image
        self.cpu_s = 0.0
        self.tries = 1

    def wait(self, _seconds: float) -> None:
        """While no slot is free: whoever is told of the progress may end the work by an error of its own."""
        if self.progress is not None:
            self.progress(Progress(0.0, None, None))

    def make(self) -> Probe | None:
        """Write the part files and look at them; None for a copy, which the first probe has seen already."""
        self.clean()
        if self.plan.mode is Mode.COPY:
            _link(self.source, self.part)
            made = None
        else:
            made = self._transform()
            while ladder.is_over(self.plan, made.size_bytes, made.video_kbps):
                smaller = ladder.next_try(self.plan, made.size_bytes, self.tries)
                if smaller is None:
                    break
                self.plan, self.tries = smaller, self.tries + 1
                made = self._transform()
            verify.check(self.plan, made)
        self._take_cover()
        return made

    def _transform(self) -> Probe:
        files = self.plan, self.ffmpeg, self.source, self.part
        if self.plan.passes == 2:
            self._run(graph.first_pass_argv(*files, image=self.image), self.progress)
        self._run(graph.transform_argv(*files, cover=self.cover_part, image=self.image), self.progress)
        return self._look()

    def _look(self) -> Probe:
        """What was made, by its index; a sound that went through an encoder is listened to, which takes a child."""
        if self.plan.audio is Stream.ENCODE:
            return probe(self.part)
        return probe_made(self.part, sound_from_s=self.plan.sound_from_s)

    def _take_cover(self) -> None:
        """A copied picture is looked at here for the first time: a damaged key frame ends the job, as it should."""
        if self.cover_part is None or self.plan.video is Stream.ENCODE:
            return
        index = self.plan.video_index if self.plan.mode is Mode.COPY else 0  # our own files begin with the picture
        self._run(
            graph.keyframes_argv(self.ffmpeg, self.part, self.cover_part, video_index=index, of=self.plan.colors), None
        )

    def _run(self, argv: list[str], progress: OnProgress | None) -> Ran:
        ran = run(
            argv,
            duration_s=self.plan.duration_s,
            progress=progress,
            cancelled=self.cancelled,
            is_large=self.plan.is_large,
        )
        self.cpu_s += ran.cpu_s
        return ran

    def finish(self) -> Path | None:
        """Give the files their final names, the rendition last: where it lies, the cover lies too."""
        if self.cover_part is not None and self.cover is not None and self.cover_part.exists():
            self.cover_part.replace(self.cover)
            self.part.replace(self.target)
            return self.cover
        self.part.replace(self.target)
        return None

    def clean(self) -> None:
        log = graph.log_of(self.part)
        for path in (self.part, self.cover_part, *log.parent.glob(f"{glob.escape(log.name)}*")):
            if path is not None:
                with suppress(OSError):
                    path.unlink(missing_ok=True)


def _link(source: Path, part: Path) -> None:
    """A second name for the same bytes; a copy where the disk knows no hard links."""
    try:
        os.link(source, part)
    except OSError as e:
        if e.errno not in (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        shutil.copyfile(source, part)


def _digest(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


def _disk_failure(error: OSError) -> ForwarderError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LocalFailed(
            "The disk is full.", action="Free space on the disk that holds FORWARDER_HOME; the job goes on by itself."
        )
    return LocalFailed(f"The rendition could not be written: {error.strerror}.")
