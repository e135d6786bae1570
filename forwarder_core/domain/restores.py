"""A restore of an older backup: what may have gone out that its rows do not know. Pure.

The fact to know: the posts of a platform cannot be restored with our rows. Until it is proven otherwise, every post
that was there before the restore may have been forwarded by the installation the backup was taken from.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

CLOCKS_DIFFER = timedelta(minutes=10)
REMEMBERED = timedelta(days=30)  # so long a restore makes us look before we publish


@dataclass(frozen=True, slots=True)
class Restore:
    """A backup of `taken_at` took the place of the database at `restored_at`."""

    id: int
    taken_at: datetime
    restored_at: datetime


def may_be_out(restore: Restore, posted_at: datetime) -> bool:
    """May the former installation have forwarded a post of that time without our rows knowing it?"""
    return posted_at < restore.restored_at + CLOCKS_DIFFER


def may_be_ours(restore: Restore, posted_at: datetime) -> bool:
    """May a post that an account shows be one that the former installation published there after the backup?"""
    return restore.taken_at - CLOCKS_DIFFER <= posted_at < restore.restored_at + CLOCKS_DIFFER
