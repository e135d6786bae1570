"""Schedules as the API and the database write them, read into `Schedule` and written back. Pure.

What cannot be read raises ValueError with a sentence, and the API's 422 says that sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from forwarder_core.domain.schedules import DEFAULT_INTERVAL_S, Schedule, Window, Windows, WindowsFor

CONTINUOUS, WINDOWS = "continuous", "windows"
MOST_WINDOWS = 24
A_WEEK_MINUTES = 7 * 24 * 60


def read(stored: Mapping[str, Any]) -> Schedule:
    """`continuous` publishes at any time, whatever windows stand beside it."""
    minutes = stored.get("check_interval_minutes", DEFAULT_INTERVAL_S / 60)
    if isinstance(minutes, bool) or not isinstance(minutes, (int, float)) or not 0 < minutes <= A_WEEK_MINUTES:
        raise ValueError("check_interval_minutes must be a number of minutes above 0 and at most a week")
    kind = stored.get("type", CONTINUOUS)
    if kind not in (CONTINUOUS, WINDOWS):
        raise ValueError(f"type must be {CONTINUOUS} or {WINDOWS}")
    zone = stored.get("timezone", "UTC")
    if zone not in zones():
        raise ValueError(f"timezone: “{zone}” is no time zone; write it as Asia/Kolkata")
    daily = tuple(_window(window) for window in _list(stored.get("windows") or ()))
    if kind == WINDOWS and not daily:
        raise ValueError("windows: name at least one, with its start and its end")
    return Schedule(
        check_interval_s=minutes * 60,
        windows=Windows(daily=daily, zone=zone) if kind == WINDOWS else Windows(zone=zone),
        windows_for=WindowsFor(stored.get("windows_for", WindowsFor.ALL)),
    )


def write(schedule: Schedule) -> dict[str, Any]:
    windows = schedule.windows
    return {
        "type": WINDOWS if windows.daily else CONTINUOUS,
        "check_interval_minutes": schedule.check_interval_s / 60,
        "windows": [{"start": f"{w.start:%H:%M}", "end": f"{w.end:%H:%M}"} for w in windows.daily],
        "windows_for": schedule.windows_for,
        "timezone": windows.zone,
    }


@lru_cache(maxsize=1)
def zones() -> frozenset[str]:
    """Every zone this machine knows by its IANA name."""
    return frozenset(name for name in available_timezones() if _is_real(name))


def _is_real(name: str) -> bool:
    try:
        return ZoneInfo(name) is not None
    except (ValueError, OSError):
        return False


def _list(value: Any) -> tuple[Any, ...]:
    if isinstance(value, (str, Mapping)) or len(value) > MOST_WINDOWS:
        raise ValueError(f"windows must be a list of at most {MOST_WINDOWS}")
    return tuple(value)


def _window(stored: Any) -> Window:
    if not isinstance(stored, Mapping) or set(stored) != {"start", "end"}:
        raise ValueError("windows: each has a start and an end, as 09:00")
    start, end = (_time(stored[name]) for name in ("start", "end"))
    if start == end:
        raise ValueError(f"windows: {start:%H:%M} to {end:%H:%M} is no time at all")
    return Window(start, end)


def _time(value: Any) -> time:
    try:
        at = time.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"windows: “{value}” is no time of day; write it as 09:00") from None
    if at.tzinfo is not None or at.second or at.microsecond:
        raise ValueError(f"windows: “{value}” must be hours and minutes alone")
    return at
