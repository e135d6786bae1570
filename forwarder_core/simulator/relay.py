"""Bytes there and back between a client and the app, slowed or cut where a fault says so.

The fact to know: a cut is a reset (RST), not a close, because a close can look like a proper end of a body.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass

_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Stream:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def reset(self) -> None:
        """End the connection so that the other side sees it broken."""
        raw = self.writer.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@dataclass(slots=True, kw_only=True)
class Meter:
    """What passed in both directions, and what holds it up. `cut_after` None = never."""

    sent: int = 0
    received: int = 0
    bytes_per_s: float | None = None
    cut_after: int | None = None
    cut_direction: str | None = None  # up (from the client), down, or None = both together
    ends_proxy: bool = False  # the cut is the proxy's death

    def left(self) -> int | None:
        """How many bytes may still pass before the cut."""
        if self.cut_after is None:
            return None
        passed = {"up": self.sent, "down": self.received}.get(self.cut_direction or "", self.sent + self.received)
        return max(0, self.cut_after - passed)


async def relay(client: Stream, app: Stream, meter: Meter) -> bool:
    """Until either side is done. False when a fault cut it."""
    up = asyncio.create_task(_pump(client, app, meter, is_up=True))
    down = asyncio.create_task(_pump(app, client, meter, is_up=False))
    done, _ = await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
    if up in done and not up.exception() and up.result():  # the client has said all; the answer may still come
        await asyncio.wait((down,))
    for task in (up, down):
        task.cancel()
    results = await asyncio.gather(up, down, return_exceptions=True)
    is_cut = False in results
    is_broken = any(isinstance(result, ConnectionError) for result in results)
    for stream in (client, app):
        if is_cut or is_broken:
            stream.reset()
        else:
            stream.writer.close()
    return not is_cut


async def _pump(source: Stream, sink: Stream, meter: Meter, *, is_up: bool) -> bool:
    """True at the end of `source`, False at the cut. Raises ConnectionError when either side breaks."""
    counts = meter.cut_direction in (None, "up" if is_up else "down")
    size = _CHUNK_BYTES if meter.bytes_per_s is None else max(1, min(_CHUNK_BYTES, int(meter.bytes_per_s / 10)))
    while chunk := await source.reader.read(size):
        left = meter.left() if counts else None
        passing = chunk if left is None else chunk[:left]
        if is_up:
            meter.sent += len(passing)
        else:
            meter.received += len(passing)
        sink.writer.write(passing)
        await sink.writer.drain()
        if left is not None and len(chunk) >= left:
            return False
        if meter.bytes_per_s:
            await asyncio.sleep(len(passing) / meter.bytes_per_s)
    if sink.writer.can_write_eof():
        with contextlib.suppress(OSError):  # the other side may be gone already
            sink.writer.write_eof()
    return True
