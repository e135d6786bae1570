"""The half of the probe that touches hostile bytes: run as a script of its own, one file, one JSON answer.

What lives here: opening, counting every packet, decoding one frame and the first sound; and, started without a file,
forking a process for each file it is told of (reader). What does not: any judgement (probe).
The fact to know: it is started by path, not imported, so it may import nothing of the product. A decoder that
crashes here kills only this process, and the limits set below bind it, not the worker.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
from array import array
from typing import Any

_CPU_S = 20
_MEMORY_BYTES = 1 << 30
_LISTEN_S = 180.0
_COLORS = ("colorspace", "color_range", "color_primaries", "color_trc")
_PR_SET_PDEATHSIG = 1
_MOST_ASKED_BYTES = 1 << 16
_HEARD = 32  # of 32768: -60 dBFS
_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska",
    "skip_frame": "all",  # opening would decode the first picture (0.06 CPU-s) to guess what _frame then reads from it
}


def _limit() -> None:
    limits = (
        (resource.RLIMIT_CPU, _CPU_S, _CPU_S + 5),
        (resource.RLIMIT_AS, _MEMORY_BYTES, _MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
    )
    for what, soft, hard in limits:
        with contextlib.suppress(ValueError, OSError):  # a system that cannot, or an administrator's lower limit
            resource.setrlimit(what, (soft, hard))


def _stream(stream: Any, seen: dict[int, dict[str, float]]) -> dict[str, Any]:
    context = stream.codec_context
    counted = seen.get(stream.index, {})
    facts = {
        "index": stream.index,
        "type": stream.type,
        "codec": context.name if context else "",
        "profile": (stream.profile or "") if context else "",
        "is_picture": _is_picture(stream),
        "header_s": float(stream.duration * stream.time_base) if stream.duration else None,
        "packets": int(counted.get("packets", 0)),
        "bytes": int(counted.get("bytes", 0)),
        "start_s": counted.get("start_s"),
        "end_s": counted.get("end_s"),
    }
    if stream.type == "video" and context:
        sar = context.sample_aspect_ratio
        facts |= {
            "width": context.width,
            "height": context.height,
            "sar": [sar.numerator, sar.denominator] if sar else [1, 1],
            "pix_fmt": context.pix_fmt or "",
            "fps_avg": counted.get("rate", 0.0),
            "fps_real": _ratio(stream.base_rate),
            **{name: int(getattr(context, name) or 0) for name in _COLORS},
            "field_order": int(context.field_order or 0),
        }
    if stream.type == "audio" and context:
        facts |= {"hz": context.sample_rate or 0, "channels": context.channels or 0}
    return facts


def _ratio(value: Any) -> list[int]:
    return [value.numerator, value.denominator] if value else [0, 1]


def _count(container: Any) -> dict[int, dict[str, float]]:
    """Walk every packet: only this finds the file that ends before its header says.

    In ticks, scaled once at the end: a Fraction per packet would cost four times as much as reading the packet.
    """
    seen: dict[int, list[int]] = {}
    for packet in container.demux():
        pts = packet.pts
        if pts is None or packet.is_discard:
            continue
        end = pts + (packet.duration or 0)
        one = seen.get(packet.stream_index)
        if one is None:
            seen[packet.stream_index] = [1, packet.size, pts, end, pts]
            continue
        one[0] += 1
        one[1] += packet.size
        one[2] = min(one[2], pts)
        one[3] = max(one[3], end)
        one[4] = max(one[4], pts)
    return {index: _scaled(container.streams[index], one) for index, one in seen.items()}


def _scaled(stream: Any, one: list[int]) -> dict[str, float]:
    tick = float(stream.time_base)
    packets, size, start, end, last = one
    return {
        "packets": packets,
        "bytes": size,
        "start_s": start * tick,
        "end_s": end * tick,
        # Without the last packet, whose length some writers stretch to the end of the sound.
        "rate": (packets - 1) / ((last - start) * tick) if last > start else 0.0,
    }


def _frame(container: Any, index: int, max_pixels: int) -> dict[str, Any]:
    """What only a decoded frame tells. The first key frame alone, flushed out: reordering would cost three more."""
    container.seek(0)
    stream = container.streams[index]
    stream.codec_context.thread_count = 1
    stream.codec_context.options = {"max_pixels": str(max_pixels)}  # the header is only a promise
    for packet in container.demux(stream):
        if packet.pts is None or not packet.is_keyframe:
            continue
        for frame in (*stream.codec_context.decode(packet), *stream.codec_context.decode(None)):
            return _facts(frame)
        stream.codec_context.flush_buffers()
    container.seek(0)  # an edit list may hide every key frame
    for frame in container.decode(stream):
        return _facts(frame)
    return {}


def _sound_from(container: Any) -> float | None:
    """When the first sample above -60 dBFS is heard, of the first minutes. Most files answer with their first packets.

    A sound that cannot be decoded counts as none here: whoever encodes or plays it will say so.
    """
    stream = next((s for s in container.streams.audio if s.codec_context), None)
    if stream is None:
        return None
    import av

    loudness = av.AudioResampler(format="s16", layout="mono")
    with contextlib.suppress(av.error.FFmpegError):
        container.seek(0)
        for frame in container.decode(stream):
            if frame.time is not None and frame.time > _LISTEN_S:
                break
            for piece in loudness.resample(frame):
                samples = array("h", bytes(piece.planes[0])[: piece.samples * 2])
                if samples and max(max(samples), -min(samples)) > _HEARD:
                    return float(frame.time or 0.0)
    return None


def _facts(frame: Any) -> dict[str, Any]:
    return {
        "rotation": int(frame.rotation or 0),
        "is_interlaced": bool(frame.interlaced_frame),
        "colors": {name: int(getattr(frame, name) or 0) for name in _COLORS},
    }


def _read(path: str, max_pixels: int) -> dict[str, Any]:
    import av

    with av.open(path, options=_OPTIONS) as container:
        # The picture's size is known before anything is decoded: refuse the huge ones unseen.
        for video in container.streams.video:
            if video.codec_context and video.codec_context.width * video.codec_context.height > max_pixels:
                return {"problem": "pixels", "width": video.codec_context.width, "height": video.codec_context.height}
        facts: dict[str, Any] = {"container": container.format.name, "broke": ""}
        facts["header_s"] = container.duration / 1_000_000 if container.duration else None
        tags = {key.lower() for holder in (container, *container.streams) for key in holder.metadata}
        facts["has_location"] = any("location" in tag for tag in tags)
        seen: dict[int, dict[str, float]] = {}
        try:
            seen = _count(container)
            main = next((s for s in container.streams.video if s.codec_context and not _is_picture(s)), None)
            facts["frame"] = _frame(container, main.index, max_pixels) if main else {}
        except av.error.FFmpegError as e:
            facts["broke"] = str(e)[:500]
        facts["sound_from_s"] = _sound_from(container)
        facts["streams"] = [_stream(stream, seen) for stream in container.streams]
    return facts


def _is_picture(stream: Any) -> bool:
    return bool(int(stream.disposition) & 0x400)  # AV_DISPOSITION_ATTACHED_PIC


def main(path: str, max_pixels: str) -> None:
    _limit()
    try:
        import av

        av.logging.set_level(av.logging.PANIC)
        answer = _read(path, int(max_pixels))
    except MemoryError:
        answer = {"problem": "memory"}
    except Exception as e:  # noqa: BLE001 - this process has one duty: to say what happened
        answer = {"problem": "unreadable", "detail": f"{type(e).__name__}: {e}"[:500]}
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)  # taking the libraries down in order would cost as much as reading a file


def serve() -> None:
    """On stdin, a socket, each message names a file as the arguments would, and brings the descriptor where the answer
    goes. This process touches no file: it forks one that does."""
    import ctypes
    import signal
    import socket

    import av

    av.logging.set_level(av.logging.PANIC)
    signal.signal(signal.SIGCHLD, lambda *_: _reap())
    me, prctl = os.getpid(), getattr(ctypes.CDLL(None), "prctl", None)
    with socket.socket(fileno=0) as line:
        while True:
            asked, answers, _, _ = socket.recv_fds(line, _MOST_ASKED_BYTES, 1)
            if not asked:
                return
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                if prctl is not None:
                    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != me:
                    os._exit(1)
                os.dup2(answers[0], sys.stdout.fileno())
                os.close(answers[0])
                line.close()
                main(*json.loads(asked))
            os.close(answers[0])


def _reap() -> None:
    """Waited for, so that what they cost counts with this process."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    main(*sys.argv[1:]) if sys.argv[1:] else serve()
