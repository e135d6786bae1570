"""Schedules: how often a source is asked, and when a connection may act. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

DEFAULT_INTERVAL_S = 300.0  # functional specification 4.3.1, step 5: every 5 minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """`check_interval_s`: seconds between two looks at the source."""

    check_interval_s: float = DEFAULT_INTERVAL_S


def next_poll(now: datetime, schedules: Iterable[Schedule], *, failures: int, least_s: float) -> datetime:
    """When a source shared by these connections is asked next.

    The most eager connection decides, but never sooner than `least_s`; each failure in a row doubles the wait, to
    at most an hour, so that a source in trouble is left in peace.
    """
    eager = min((s.check_interval_s for s in schedules), default=DEFAULT_INTERVAL_S)
    wait = max(eager, least_s)
    if failures:
        wait = max(wait, min(wait * 2 ** min(failures, 10), 3600.0))
    return now + timedelta(seconds=wait)
