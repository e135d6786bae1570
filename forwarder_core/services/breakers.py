"""Circuit breakers: many failures in a row at one platform or proxy are its trouble, not each job's.

While a breaker is open nothing is sent there and no retry is burnt; then one job goes first, and its success closes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from forwarder_core.db import accounts, breakers
from forwarder_core.db.engine import Tx
from forwarder_core.domain.jobs import Dispatch, Errand, Step
from forwarder_core.errors import NetworkFailed, PlatformTransient, StepFailed
from forwarder_core.services.tunables import Tuned, read

PLATFORM = "platform"


def note_failure(tx: Tx, failed: Errand, error: StepFailed, now: datetime) -> bool:
    """Count a failure that may be the platform's own; True when its breaker is open now, and the retry is free."""
    if not isinstance(error, (NetworkFailed, PlatformTransient)):
        return False
    key = (failed.source if failed.job.step is Step.FETCH else failed.destination).platform
    failures, openings = breakers.count_failure(tx, PLATFORM, key)
    tuned = read(tx)
    if failures < tuned.count("breaker.failures"):
        return False
    breakers.hold_open(tx, PLATFORM, key, now, now + _rest(tuned, openings))
    return True


def note_success(tx: Tx, done: Errand) -> None:
    for account in (done.source, done.destination):
        breakers.close(tx, PLATFORM, account.platform)


def any_open(tx: Tx) -> bool:
    return bool(breakers.open_ones(tx))


def let_through(tx: Tx, due: list[Dispatch], now: datetime) -> Iterable[Dispatch]:
    """Those of `due` whose platforms take anything; of a platform that has rested enough, one to try it."""
    held = {key: until for (scope, key), until in breakers.open_ones(tx).items() if scope == PLATFORM}
    if not held:
        return due
    tuned = read(tx)
    passed = []
    for dispatch in due:
        ends = (accounts.get(tx, dispatch.source_account_id), accounts.get(tx, dispatch.destination_account_id))
        troubled = {end.platform for end in ends if end is not None and end.platform in held}
        if all(held[platform] <= now for platform in troubled):
            passed.append(dispatch)
            for platform in troubled:
                held[platform] = now + _rest(tuned, 0)
                breakers.hold_open(tx, PLATFORM, platform, now, held[platform])
    return passed


def _rest(tuned: Tuned, openings: int) -> timedelta:
    """Twice as long every time, up to half an hour."""
    return timedelta(seconds=min(tuned.number("breaker.rest_s") * 2 ** min(openings, 10), 1_800.0))
