"""The workers of a soak: real carriers and real steps, taken in turns by one thread, dying where the seed says.

What lives here: several jobs under way at once, one step at a time; deaths at the named crash points; workers that
oversleep their lease. What does not: the world's troubles (soak_trouble) and the clock (soak_time).
The fact to know: a death here is an exception no code of ours catches, so the lease, the rows and the files stay as
a killed process leaves them. Only what a `finally` tidies up differs; that is what chaos is for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from unittest.mock import patch

from forwarder_core import crashpoints
from forwarder_core.errors import Fenced, ForwarderError
from forwarder_core.services import forwarding, recovery, steps, tunables
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.context import Core

STEPS: tuple[Callable[[Carrier], steps.Done], ...] = (
    steps.fetch_post,
    steps.transform_video,
    steps.publish_video,
    steps.verify_publication,
)
_DEATHS_PER_POINT = 0.006  # of each passing of a crash point; some thirty are passed per job
_OVERSLEEPS_PER_STEP = 0.004


class WorkerDied(BaseException):
    """A worker's death at a crash point. No error: nothing that catches errors may live through it."""


@dataclass(slots=True)
class Hand:
    """A worker with its job."""

    carrier: Carrier
    run_id: str
    done: int = 0
    renewed_at: datetime | None = None
    wakes_at: datetime | None = None


@dataclass(slots=True)
class RunLog:
    """The `RunControl` of a soak: there is no run engine, so it only counts."""

    closed: int = 0

    def close(self, run_id: str, reason: str) -> None:
        self.closed += 1


@dataclass(slots=True)
class Workshop:
    core: Core
    draw: Random
    hands: list[Hand] = field(default_factory=list)
    runs: RunLog = field(default_factory=RunLog)
    counts: Counter[str] = field(default_factory=Counter)
    is_deadly: bool = True

    @contextmanager
    def open(self) -> Iterator[None]:
        """Crash points belong to the seed, and every worker is recorded as a process that is no more."""
        nobody = {**forwarding.this_worker(), "pid": 1, "born": 0.0}
        with patch.object(crashpoints, "at", self._pass), patch.object(forwarding, "this_worker", lambda: dict(nobody)):
            yield

    def _pass(self, point: str) -> None:
        if self.is_deadly and self.draw.random() < _DEATHS_PER_POINT:
            self.counts[f"died at {point}"] += 1
            raise WorkerDied(point)

    def attempt(self, act: Callable[[], object]) -> None:
        """Something a long-lived process does; its death is followed by its restart."""
        try:
            act()
        except WorkerDied:
            self.counts["deaths"] += 1

    def take_on(self) -> None:
        """Start the runs of what may start."""
        for dispatch in forwarding.dispatchable(self.core):
            run_id = f"{self.draw.getrandbits(64):016x}"
            self.hands.append(Hand(Carrier(self.core, dispatch.job_id, dispatch.dispatch_no, run_id), run_id))
            self.counts["runs"] += 1

    def reap(self) -> None:
        self.counts["reaped"] += len(recovery.reap(self.core, self.runs))

    def one_step(self) -> bool:
        """One step of one job; False when nobody is awake."""
        now = self.core.clock.now()
        awake = [hand for hand in self.hands if hand.wakes_at is None or hand.wakes_at <= now]
        if not awake:
            return False
        hand = self.draw.choice(awake)
        if self.is_deadly and hand.wakes_at is None and hand.done and self.draw.random() < _OVERSLEEPS_PER_STEP:
            hand.wakes_at = now + timedelta(seconds=3 * self._lease_s())
            self.counts["overslept"] += 1
            return True
        self._go_on(hand)
        self._renew_all()
        return True

    def _go_on(self, hand: Hand) -> None:
        try:
            if hand.carrier.claim():
                STEPS[hand.done](hand.carrier)
                hand.done += 1
                hand.renewed_at = self.core.clock.now()
                if hand.done < len(STEPS):
                    return
            else:
                self.counts["claims refused"] += 1
        except WorkerDied:
            self.counts["deaths"] += 1
            self._bury(hand)
            return
        except Fenced:
            self.counts["zombies stopped"] += 1
        except ForwarderError as e:
            self.counts[f"failed: {e.code}"] += 1
            recovery.run_ended(self.core, hand.run_id, by_its_own_worker=True)
        self._dismiss(hand)

    def _bury(self, hand: Hand) -> None:
        """Half of the deaths are noticed by whoever runs the runs, the others only by their lease."""
        self._dismiss(hand)
        if self.draw.random() < 0.5:
            self.attempt(lambda: recovery.run_ended(self.core, hand.run_id))

    def _dismiss(self, hand: Hand) -> None:
        hand.carrier.let_go()
        self.hands.remove(hand)

    def _renew_all(self) -> None:
        """What each worker's own thread does three times in the span of its lease; that one counts real seconds."""
        now = self.core.clock.now()
        for hand in self.hands:
            due = hand.renewed_at is not None and now - hand.renewed_at > timedelta(seconds=self._lease_s() / 3)
            if due and hand.wakes_at is None:
                hand.renewed_at = now
                try:
                    forwarding.renew(self.core, hand.carrier.lease)
                except Fenced:
                    self.counts["leases lost"] += 1

    def _lease_s(self) -> float:
        with self.core.begin() as tx:
            return tunables.read(tx).number("lease.seconds")
