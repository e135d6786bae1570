"""The census: is there a post nobody decided about, or a job nobody moves? Both must never be; both are told if so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from forwarder_core.db import dispatch, posts
from forwarder_core.services.context import Core

STUCK_AFTER = timedelta(minutes=10)  # a due job not started, or a running one without a sign of life, for so long


@dataclass(frozen=True, slots=True)
class Census:
    undecided_posts: int
    stuck_jobs: int

    @property
    def is_clean(self) -> bool:
        return not (self.undecided_posts or self.stuck_jobs)


def take(core: Core, *, is_whole: bool = True) -> Census:
    """Not `is_whole`: of years of decided posts only the newest."""
    with core.begin() as tx:
        return Census(
            posts.count_undecided(tx, is_whole=is_whole), dispatch.count_stuck(tx, core.clock.now() - STUCK_AFTER)
        )
