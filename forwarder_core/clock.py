"""Time, injected. Nothing else in the product asks the machine for the time of day.

All instants are timezone-aware UTC. Spans measured with `monotonic` never come from here: they are not instants. What
the processor was busy for (`cpu_used_s`) is no instant either, and stands here because three rooms ask for it.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime: ...


class SystemClock:
    """This machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands until it is moved: tests and simulated days."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 5, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def move(self, seconds: float) -> datetime:
        self._now += timedelta(seconds=seconds)
        return self._now


class CallableClock:
    """A clock read from elsewhere, such as the database server, so that many machines agree on leases."""

    def __init__(self, read: Callable[[], datetime]) -> None:
        self._read = read

    def now(self) -> datetime:
        return self._read()


def cpu_used_s() -> float:
    """CPU seconds that this process and its ended children have used so far."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
