"""Runs one ffmpeg to its end: tells how far it is, stops it when asked or stuck, and says what it cost.

What lives here: the loop around a child, its clocks. What does not: the child itself (process), its arguments
(graph), what its failure means (failures).
The fact to know: under load ffmpeg may say nothing for a minute and be well. It is stuck only when it neither
speaks nor uses the processor.
"""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from forwarder_core.errors import LocalFailed
from forwarder_core.media.failures import Cancelled, failure
from forwarder_core.media.process import Child
from forwarder_core.media.progress import Progress, ProgressReader

OnProgress = Callable[[Progress], None]
IsCancelled = Callable[[], bool]

_STDERR_BYTES = 64 * 1024
_TICK_S = 0.2
_LOOK_AT_CPU_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """When a run is given up: nothing moved for `stall_s`, or `wall_s` in all (default max(60, 20 x duration))."""

    stall_s: float = 60.0
    wall_s: float | None = None

    def wall_of(self, duration_s: float) -> float:
        return self.wall_s if self.wall_s is not None else max(60.0, 20 * duration_s)


DEFAULT_CLOCKS = Clocks()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a successful run cost. `cpu_s` counts every thread of ffmpeg, user and system."""

    seconds: float
    cpu_s: float
    max_rss_bytes: int
    stderr: str


def run(
    argv: Sequence[str],
    *,
    duration_s: float,
    progress: OnProgress | None = None,
    cancelled: IsCancelled | None = None,
    clocks: Clocks = DEFAULT_CLOCKS,
    is_large: bool = False,
) -> Ran:
    """Run to the end. `duration_s` is what will come out; it scales progress and the wall limit. `is_large`: Child's.

    Raises Cancelled within 4 s of the wish, LocalFailed when stuck or killed, else what `failures` makes of it.
    Whatever leaves this function, an error out of `progress` included, no process is left.
    """
    child = Child(argv, is_large=is_large)
    try:
        watch = _Watch(child, ProgressReader(duration_s), progress, cancelled)
        watch.until_the_end(clocks.stall_s, clocks.wall_of(duration_s))
        code, usage = child.reap()
    finally:
        child.stop()
    if code:
        raise failure(code, watch.stderr)
    return Ran(
        seconds=time.monotonic() - child.started,
        cpu_s=usage.ru_utime + usage.ru_stime,
        max_rss_bytes=usage.ru_maxrss * 1024,
        stderr=watch.stderr,
    )


class _Watch:
    """Reads both pipes of a child in one thread and looks at the clocks between two reads."""

    def __init__(
        self, child: Child, reader: ProgressReader, progress: OnProgress | None, cancelled: IsCancelled | None
    ) -> None:
        self._child, self._reader = child, reader
        self._progress, self._cancelled = progress, cancelled
        self._stderr = bytearray()
        self._moved = self._looked = child.started
        self._cpu_s = 0.0

    @property
    def stderr(self) -> str:
        """The last 64 kB of what ffmpeg complained about."""
        return self._stderr.decode("utf-8", "replace")

    def until_the_end(self, stall_s: float, wall_s: float) -> None:
        with selectors.DefaultSelector() as pipes:
            for pipe, take in ((self._child.process.stdout, self._report), (self._child.process.stderr, self._keep)):
                if pipe is not None:
                    os.set_blocking(pipe.fileno(), False)
                    pipes.register(pipe, selectors.EVENT_READ, take)
            while pipes.get_map() or not self._child.has_ended():
                self._check(stall_s, wall_s)
                if not pipes.get_map():  # it closed its mouth but has not left yet
                    time.sleep(_TICK_S / 4)
                    continue
                for key, _ in pipes.select(_TICK_S):
                    data = os.read(key.fd, _STDERR_BYTES)
                    if data:
                        key.data(data)
                    else:
                        pipes.unregister(key.fileobj)

    def _report(self, data: bytes) -> None:
        self._moved = time.monotonic()
        state = self._reader.feed(data)
        if state is not None and self._progress is not None:
            self._progress(state)

    def _keep(self, data: bytes) -> None:
        self._stderr += data
        del self._stderr[:-_STDERR_BYTES]

    def _check(self, stall_s: float, wall_s: float) -> None:
        """Raise when the run must end now."""
        if self._cancelled is not None and self._cancelled():
            raise Cancelled("The transform was stopped on request.")
        now = time.monotonic()
        if now - self._child.started > wall_s:
            raise LocalFailed(f"ffmpeg was not done after {wall_s:.0f} s.", raw=self.stderr[-2000:])
        if now - self._looked >= min(_LOOK_AT_CPU_S, stall_s / 2):
            self._looked, cpu_s = now, self._child.cpu_s()
            if cpu_s > self._cpu_s:
                self._cpu_s, self._moved = cpu_s, now
        if now - self._moved > stall_s:
            raise LocalFailed(f"ffmpeg stood still for {stall_s:.0f} s.", raw=self.stderr[-2000:])
