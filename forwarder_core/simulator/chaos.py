"""Chaos: the real processes of a stack, in wall time, killed at named points and at random while posts keep coming.

What lives here: the two phases, the wait for quiet, and the result. What does not: which points and which victims
(chaos_points, chaos_kills), starting and stopping the stack (the command), the judgement (verdict).
The fact to know: the order of posts and kills comes from the seed; their moments are the machine's, since the
processes are real. A seed repeats a schedule, not a history.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from forwarder_core.db import verdicts
from forwarder_core.services import tunables
from forwarder_core.services.context import Core
from forwarder_core.simulator.clips import Clip
from forwarder_core.simulator.drill import Author, Ground, Lane, lay_lanes, make_clips
from forwarder_core.simulator.drill_control import KeptControl
from forwarder_core.simulator.verdict import End, Findings, judge

Report = Callable[[str], None]
T = TypeVar("T")

QUIET_S = 120.0  # no post has ended for so long, without any trouble: those still open are stuck
_LONGEST_QUIET_S = 600.0  # a slow machine drains its last uploads one by one; beyond this they are stuck all the same
_DATABASE_BACK_S = 60.0
_LANES = 12
_DESTINATIONS = ("youtube", "instagram", "youtube", "youtube")
_LEAST_OPEN = {"youtube": 9, "instagram": 3}  # an upload to Instagram takes half a minute, most of it rests
_FORWARDED = 0.97  # the others are left by a filter
_LOOK_S = 0.2
_SHAPES = (
    Clip(seed=1, seconds=3.2, width=540, height=960),
    Clip(seed=2, seconds=3.5, width=720, height=1280),
    Clip(seed=3, seconds=4, width=540, height=960, audio=False),
)
# Short, so that minutes show what takes days; the cap on rescues is off because drills kill one job many times.
TUNED: Mapping[str, Any] = {
    "detection.min_interval_s": 1.0,
    "detection.poll_lease_s": 10.0,
    "dispatch.max_running": 12,
    "dispatch.per_destination": 3,  # three uploads of 40 s to one Instagram account, in a row, look stuck
    "dispatch.stamp_s": 10.0,
    "lease.seconds": 5.0,
    "lease.max_rescues": 100_000,
    "breaker.rest_s": 2.0,
    "retry.max_retries": 20,
    "retry.delays_s": [0.1, 0.5, 1.0],
    "publish.settle_s.default": 3.0,
    "publish.settle_s.youtube": 3.0,
    "publish.settle_s.instagram": 3.0,
    "verify.poll_s": 0.2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What keeps a drill busy: its clips, and how many posts for each kind of destination are at least on their way."""

    shapes: Sequence[Clip] = _SHAPES
    least_open: Mapping[str, int] = field(default_factory=lambda: _LEAST_OPEN)
    lanes: int = _LANES
    tuned: Mapping[str, Any] = field(default_factory=lambda: TUNED)


class Stack(Protocol):
    """The processes under trial, kept alive by whoever started them."""

    @property
    def pids(self) -> Mapping[str, int]: ...

    def poll(self) -> None:
        """Start what died again; raises when it is asked to stop."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosResult:
    seed: int
    kills: int
    seconds: float
    quiet_s: float
    findings: Findings
    counts: Mapping[str, int] = field(default_factory=dict)
    missed: Sequence[str] = ()
    wrongs: Sequence[str] = ()  # what nothing may do even where all posts ended well

    @property
    def is_clean(self) -> bool:
        return self.findings.is_clean and not self.missed and not self.wrongs

    def as_dict(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "kills": self.kills,
            **self.findings.as_dict(),
            "seconds": round(self.seconds, 1),
            "quiet_after_s": round(self.quiet_s, 1),
            "counts": dict(sorted(self.counts.items())),
            "points_not_reached": list(self.missed),
            "problems": [*self.wrongs, *self.findings.problems],
        }


class Drill:
    """A stack on trial, and what both phases do to it."""

    def __init__(
        self, core: Core, control_url: str, stack: Stack, seed: int, report: Report, load: Load | None = None
    ) -> None:
        self.core, self.stack, self.seed, self.report = core, stack, seed, report
        self.load = load or Load()
        self.world = KeptControl(control_url)
        self.draw = Random(seed)
        self.counts: Counter[str] = Counter()
        self.lanes: list[Lane] = []
        self.kills = 0
        self._written: Counter[str] = Counter()
        self._ground = Ground(core, self.world, self.draw)
        self._author = Author(self._ground, seed, make_clips(core.settings.home / "clips", self.load.shapes))

    def prepare(self) -> None:
        tunables.change(self.core, self.load.tuned)
        n = self.load.lanes
        self.lanes = lay_lanes(self._ground, n, every_s=2.0, destinations=_DESTINATIONS, picky=5, at_once=n)
        self.report(f"{len(self.lanes)} connections ready")

    def keep_busy(self) -> None:
        """See to it that enough posts for each kind of destination are on their way or about to be seen."""
        ended = self.patiently(self._count_ended)
        for kind, least in self.load.least_open.items():
            expected = self._written[kind] * _FORWARDED - ended.get(kind, 0)
            for _ in range(max(0, round(least - expected))):
                self._post(kind)

    def _post(self, kind: str) -> None:
        lanes = [lane for lane in self.lanes if lane.destination.platform == kind]
        self._author.post(self.draw.choice(lanes).source)
        self._written[kind] += 1

    def _count_ended(self) -> dict[str, int]:
        with self.core.begin() as tx:
            return verdicts.count_ended_jobs(tx)

    def wait(self, seconds: float) -> None:
        self.wait_until(lambda: False, seconds)

    def wait_until(self, done: Callable[[], bool], longest_s: float) -> bool:
        """Keep the stack alive until `done`; False when that took too long."""
        end = time.monotonic() + longest_s
        while not done():
            if time.monotonic() >= end:
                return False
            self.stack.poll()
            time.sleep(min(_LOOK_S, max(0.0, end - time.monotonic())))
        return True

    def patiently(self, ask: Callable[[], T]) -> T:
        """What the database says, even if it is just being killed."""
        end = time.monotonic() + _DATABASE_BACK_S
        while True:
            try:
                return ask()
            except SQLAlchemyError:
                if time.monotonic() > end:
                    raise
                self.stack.poll()
                time.sleep(_LOOK_S)

    def settle_down(self) -> tuple[Findings, float]:
        """Wait until every post has ended, or none has for `QUIET_S`; the verdict, and how long that took."""
        began = moved = time.monotonic()
        self.world.disarm()
        before: int | None = None
        while True:
            findings = self.patiently(lambda: judge(self.core, self.world, self.lanes))
            now = time.monotonic()
            open_ones = findings.count(End.STUCK) + findings.count(End.LOST)
            if open_ones != before:
                before, moved = open_ones, now
            if not open_ones or now - moved > QUIET_S or now - began > _LONGEST_QUIET_S:
                return findings, now - began
            self.wait(1.0)

    def close(self) -> None:
        self.world.close()
