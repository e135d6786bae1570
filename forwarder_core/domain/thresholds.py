"""Thresholds: is a value beyond its mark, and has that just begun or just ended? Pure.

A value must come back further than it went before its end is told (hysteresis): one that swings around its mark is one
alert and not twenty. The fact to know: a value nobody could measure changes nothing; unknown is never fine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

_LEAST_FORWARDS = 5  # so many before anything is said about a usual pause
_USUAL_TIMES = 3.0  # a pause so many times the usual long one is unusual


class Metric(StrEnum):
    SUCCESS_RATE = "success_rate"  # of an account, percent over a day
    TOKEN = "token"  # hours until a person must renew a sign-in
    PROXY_ERRORS = "proxy_errors"  # percent of a proxy's last checks, and of the last jobs through it
    QUEUE_AGE = "queue_age"  # minutes the oldest job waits that could run
    HEARTBEAT = "heartbeat"  # seconds since a process was last heard of
    SILENCE = "silence"  # hours without a forward on a connection
    DISK = "disk"  # free GB, warning
    DISK_STOP = "disk_stop"  # free GB, fetching stops
    QUOTA = "quota"  # percent used of what several accounts share for a day
    CENSUS = "census"  # posts nobody decided about and jobs nobody moves


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One value and its mark. `clears_at` on the other side of `trips_at` than trouble; `value` None = not known.

    Where `clears_at` is below `trips_at` a high value is trouble, else a low one. `facts`: for the message.
    """

    metric: Metric
    subject: str = ""
    value: float | None
    trips_at: float
    clears_at: float
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        return (self.metric.value, self.subject)

    def is_beyond(self, was_beyond: bool) -> bool:
        """With the state before: between the two marks a value stays what it was."""
        if self.value is None:
            return was_beyond
        if self.clears_at <= self.trips_at:
            return self.value >= self.trips_at or (was_beyond and self.value > self.clears_at)
        return self.value <= self.trips_at or (was_beyond and self.value < self.clears_at)


@dataclass(frozen=True, slots=True)
class Crossing:
    """A value that has just gone beyond its mark, or just come back."""

    reading: Reading
    is_start: bool


def crossings(readings: Sequence[Reading], beyond: set[tuple[str, str]]) -> list[Crossing]:
    """What is to be told. `beyond`: the keys that were beyond their mark before."""
    told = []
    for reading in readings:
        was = reading.key in beyond
        now = reading.is_beyond(was)
        if now != was:
            told.append(Crossing(reading, is_start=now))
    return told


def long_pause(forwarded_at: Sequence[datetime], least: timedelta) -> timedelta | None:
    """The pause after which a connection is unusually silent; None while its history says nothing.

    `forwarded_at`: its last forwards in any order. Three times the pause that nine of ten were shorter than.
    """
    if len(forwarded_at) < _LEAST_FORWARDS:
        return None
    ordered = sorted(forwarded_at)
    pauses = sorted(later - earlier for earlier, later in pairwise(ordered))
    usual = pauses[min(len(pauses) - 1, int(0.9 * len(pauses)))]
    return max(least, _USUAL_TIMES * usual)
