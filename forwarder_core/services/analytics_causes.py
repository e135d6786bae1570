"""Failures by what and whom they are put down to: causes, the account in whose step it was, what to mend first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from forwarder_core.db.analytics_rows import ConnectionDay, FailureDay, Named
from forwarder_core.domain import analytics as figures
from forwarder_core.domain.analytics import Fix


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """So many attempts failed of one cause on one day."""

    day: date
    code: str
    attempts: int


def what_next(days: Sequence[ConnectionDay], failed: Sequence[FailureDay], named: dict[int, Named]) -> list[Fix]:
    """The causes behind the connection-days without a success. A day of standing still is the last failure's."""
    of_day = _by_day(failed)
    jobs: dict[tuple[str, int], int] = {}
    for one in failed:
        blamed = (one.code, _side(named[one.connection_id], one.side))
        jobs[blamed] = jobs.get(blamed, 0) + one.jobs
    down: dict[tuple[str, int], list[date]] = {}
    last: dict[int, tuple[str, int]] = {}
    for day in sorted(days, key=lambda one: one.day):
        met = of_day.get((day.connection_id, day.day), [])
        if met:
            worst = max(met, key=lambda one: (one.jobs, one.attempts, one.code))
            last[day.connection_id] = (worst.code, _side(named[day.connection_id], worst.side))
        if day.tally.is_expected and not day.tally.is_up and day.connection_id in last:
            down.setdefault(last[day.connection_id], []).append(day.day)
    every = {cause: (jobs.get(cause, 0), down.get(cause, [])) for cause in {*jobs, *down}}
    return figures.what_next(every, sum(day.tally.is_expected for day in days))


def errors_of(failed: Sequence[FailureDay], named: dict[int, Named]) -> dict[int, list[ErrorLine]]:
    """By the account in whose step it was, in the order of days."""
    sums: dict[tuple[int, date, str], int] = {}
    for one in failed:
        if one.attempts:
            key = (_side(named[one.connection_id], one.side), one.day, one.code)
            sums[key] = sums.get(key, 0) + one.attempts
    found: dict[int, list[ErrorLine]] = {}
    for (account_id, day, code), attempts in sorted(sums.items()):
        found.setdefault(account_id, []).append(ErrorLine(day, code, attempts))
    return found


def counted(failed: Iterable[FailureDay]) -> dict[str, tuple[int, int]]:
    """Jobs and attempts by cause."""
    found: dict[str, tuple[int, int]] = {}
    for one in failed:
        jobs, attempts = found.get(one.code, (0, 0))
        found[one.code] = (jobs + one.jobs, attempts + one.attempts)
    return found


def _side(named: Named, side: str) -> int:
    return named.source_account_id if side == "source" else named.destination_account_id


def _by_day(failed: Iterable[FailureDay]) -> dict[tuple[int, date], list[FailureDay]]:
    """Of each connection and day."""
    found: dict[tuple[int, date], list[FailureDay]] = {}
    for one in failed:
        found.setdefault((one.connection_id, one.day), []).append(one)
    return found
