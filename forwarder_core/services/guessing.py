"""The limit on guessing: how many tries at a password or a code reach the check at all, per name and per address.

The fact to know: a try is counted before it is looked at, under one lock, and forgiven when it was right; however many
come at once, no more than MOST_ATTEMPTS are ever looked at within the window.
"""

from __future__ import annotations

from datetime import timedelta

from forwarder_core.db import people
from forwarder_core.db.engine import Tx
from forwarder_core.errors import TooManyRequests
from forwarder_core.services.context import Core

MOST_ATTEMPTS = 10  # that are looked at, per name and per address,
ATTEMPTS_WINDOW = timedelta(minutes=15)  # within so long


def count(core: Core, tx: Tx, username: str, address: str) -> None:
    """Count this attempt as failed until it is proven right. Raises TooManyRequests when there were too many."""
    people.lock_attempts(tx)
    now = core.clock.now()
    oldest = people.nth_newest_attempt(tx, MOST_ATTEMPTS, username=username, address=address)
    if oldest is not None and (wait := oldest + ATTEMPTS_WINDOW - now) > timedelta():
        raise TooManyRequests(
            "Too many failed sign-ins. Wait before the next try.", retry_after_s=int(wait.total_seconds()) + 1
        )
    people.add_attempt(tx, username=username, address=address, now=now)
    people.forget_attempts(tx, now - 2 * ATTEMPTS_WINDOW)


def forgive(tx: Tx, username: str, address: str) -> None:
    """A right answer forgives the same person's slips, and nobody else's."""
    people.clear_attempts(tx, username=username, address=address)
