"""Circuit breakers: many failures in a row at one platform or proxy are its trouble, not each job's.

While a breaker is open nothing is sent there and no retry is burnt; then one job goes first, and its success closes it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from forwarder_core.db import accounts, breakers
from forwarder_core.db.engine import Tx
from forwarder_core.domain.jobs import Dispatch, Errand, Step
from forwarder_core.errors import NetworkFailed, PlatformTransient, StepFailed
from forwarder_core.services.tunables import Tuned, read

PLATFORM = "platform"


def note_failure(tx: Tx, failed: Errand, error: StepFailed, *, began: datetime, now: datetime) -> bool:
    """Count a failure that may be the platform's own, of an attempt of that age; True when its breaker is open now, and
    the retry is free."""
    if not isinstance(error, (NetworkFailed, PlatformTransient)):
        return False
    key = (failed.source if failed.job.step is Step.FETCH else failed.destination).platform
    failures, openings = breakers.count_failure(tx, PLATFORM, key)
    tuned = read(tx)
    if failures < tuned.count("breaker.failures"):
        return False
    breakers.hold_open(tx, PLATFORM, key, since=began, now=now, until=now + _rest(tuned, openings))
    return True


def note_success(tx: Tx, done: Errand) -> None:
    breakers.close(tx, PLATFORM, sorted({done.source.platform, done.destination.platform}))


def gate(tx: Tx, now: datetime) -> Callable[[Dispatch], bool]:
    """May a job start, as far as breakers go? Always where its platforms take anything; of a platform that has rested
    enough, one to try it: the yes to that one closes the gate behind it."""
    held = {key: until for (scope, key), until in breakers.open_ones(tx).items() if scope == PLATFORM}
    if not held:
        return lambda _: True
    rest = _rest(read(tx), 0)

    def may(job: Dispatch) -> bool:
        ends = (accounts.get(tx, job.source_account_id), accounts.get(tx, job.destination_account_id))
        troubled = {end.platform for end in ends if end is not None and end.platform in held}
        if any(held[platform] > now for platform in troubled):
            return False
        for platform in troubled:
            held[platform] = now + rest
            breakers.let_through(tx, PLATFORM, platform, now=now, until=held[platform])
        return True

    return may


def _rest(tuned: Tuned, openings: int) -> timedelta:
    """Twice as long each time the job that tried it failed, up to half an hour."""
    return timedelta(seconds=min(tuned.number("breaker.rest_s") * 2 ** min(openings, 10), 1_800.0))
