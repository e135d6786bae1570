"""What ffmpeg says while it works, line by line: `-progress` blocks in, fractions out. Pure.

The fact to know: `out_time_ms` is in microseconds, exactly as `out_time_us` is, and either may be `N/A` at first.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. `fraction` 0-1; `speed` in seconds of video per second; `eta_s` None while unknown."""

    fraction: float
    speed: float | None
    eta_s: float | None


class ProgressReader:
    """Collects the bytes of `-progress pipe:1`. `duration_s` is what the whole output will run."""

    def __init__(self, duration_s: float) -> None:
        self._duration_s = max(duration_s, 0.001)
        self._rest = b""
        self._done_s = 0.0
        self._speed: float | None = None

    def feed(self, data: bytes) -> Progress | None:
        """The state after these bytes; None when they completed no block."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        state = None
        for line in lines:
            key, _, value = line.decode("ascii", "replace").strip().partition("=")
            if key == "out_time_us" and (microseconds := _number(value)) is not None:
                self._done_s = max(self._done_s, microseconds / 1_000_000)
            elif key == "speed":
                self._speed = _number(value.rstrip("x")) or None
            elif key == "progress":
                state = self._state(is_end=value == "end")
        return state

    def _state(self, *, is_end: bool) -> Progress:
        if is_end:
            return Progress(1.0, self._speed, 0.0)
        left_s = max(self._duration_s - self._done_s, 0.0)
        eta_s = left_s / self._speed if self._speed else None
        return Progress(min(self._done_s / self._duration_s, 1.0), self._speed, eta_s)


def _number(text: str) -> float | None:
    try:
        return float(text.strip())
    except ValueError:
        return None
