"""A soak: days of the product's life in minutes, in this process, under one injected clock, with faults from a seed.

What lives here: the loop, its end, and its measurements of itself. What does not: database and simulator, which the
command starts. No Dagster here: services and step bodies are driven as its sensors and ops drive them.
The fact to know: one thread acts, and every choice comes from `random.Random(seed)`, so a seed replays its run.
"""

from __future__ import annotations

import gc
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil

from forwarder_core.clock import ManualClock, cpu_used_s
from forwarder_core.db import verdicts
from forwarder_core.db.engine import connect
from forwarder_core.services import detection, journal, tunables
from forwarder_core.services.context import Core
from forwarder_core.settings import Settings
from forwarder_core.simulator.clips import Clip
from forwarder_core.simulator.drill import Author, Ground, Lane, lay_lanes, make_clips
from forwarder_core.simulator.drill_control import KeptControl
from forwarder_core.simulator.soak_figures import Figures
from forwarder_core.simulator.soak_time import SharedTime, sleeping_moves
from forwarder_core.simulator.soak_trouble import Trouble
from forwarder_core.simulator.soak_work import Workshop
from forwarder_core.simulator.verdict import Findings, judge
from forwarder_core.vault import Vault

Report = Callable[[str], None]

POSTS_PER_DAY = 17  # of one connection: 100 of them make 5,100 posts in three days
_DRAIN = timedelta(hours=2)  # a source in trouble is asked again after at most one
_DRAIN_AT_MOST = timedelta(hours=36)
_REPORT_EVERY_H = 6
_RESULTS = frozenset({"source.mp4", "rendition.mp4", "cover.jpg"})
_SHAPES = (
    Clip(seed=1, seconds=3.2, width=540, height=960),
    Clip(seed=2, seconds=4, width=540, height=960),
    Clip(seed=3, seconds=3.5, width=540, height=960, audio=False),
    Clip(seed=4, seconds=5, width=720, height=1280),
)
_TUNED: Mapping[str, float] = {
    "dispatch.max_running": 15,
    "lease.seconds": 120.0,
    "lease.max_rescues": 100,
    "verify.poll_s": 1.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakPlan:
    """`posts` None: `POSTS_PER_DAY` for each connection. Faults come at a fifth of the rate of posts; where it is calm
    there are none, and nobody dies or oversleeps."""

    seed: int
    hours: float = 72.0
    connections: int = 5
    posts: int | None = None
    is_calm: bool = False
    check_every_s: float = 900.0

    @property
    def wanted_posts(self) -> int:
        return self.posts or max(1, round(self.hours / 24 * POSTS_PER_DAY * self.connections))

    @property
    def wanted_faults(self) -> int:
        return 0 if self.is_calm else max(5, self.wanted_posts // 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What this process holds: memory in MB, open files, unfinished files in the media folder."""

    rss_mb: float
    files: int
    leftovers: int

    @classmethod
    def now(cls, media_root: Path) -> Footprint:
        gc.collect()
        me = psutil.Process()
        jobs = (media_root / "jobs").glob("*/*")
        leftovers = sum(1 for file in jobs if file.name not in _RESULTS)
        return cls(rss_mb=round(me.memory_info().rss / 1e6, 1), files=me.num_fds(), leftovers=leftovers)


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakResult:
    plan: SoakPlan
    findings: Findings
    deaths: int
    seconds: float
    before: Footprint
    warm: Footprint
    after: Footprint
    figures: Figures = field(default_factory=Figures)
    counts: Mapping[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "seed": self.plan.seed,
            "kills": self.deaths,
            **self.findings.as_dict(),
            "seconds": round(self.seconds, 1),
            "hours": self.plan.hours,
            "connections": self.plan.connections,
            "faults": not self.plan.is_calm,
            **self.figures.as_dict(),
            "rss_mb": {"start": self.before.rss_mb, "warm": self.warm.rss_mb, "end": self.after.rss_mb},
            "open_files": {"start": self.before.files, "warm": self.warm.files, "end": self.after.files},
            "leftover_files": self.after.leftovers,
            "counts": dict(sorted(self.counts.items())),
            "problems": list(self.findings.problems),
        }


def soak(core: Core, clock: ManualClock, control_url: str, plan: SoakPlan, report: Report) -> SoakResult:
    """Live through the plan. `core` runs on `clock`, reaches only the world behind `control_url`, and is empty."""
    began = time.monotonic()
    before = Footprint.now(core.media_root)
    world = KeptControl(control_url)
    shared = SharedTime(clock, control_url)
    try:
        with sleeping_moves(shared), _one_poller():
            life = _Life(core, world, shared, plan, report)
            life.prepare()
            cpu_before = cpu_used_s()
            life.live()
            figures = Figures.since(cpu_before, core)
            findings = judge(core, world, life.lanes)
    finally:
        shared.close()
        world.close()
    return SoakResult(
        plan=plan,
        findings=findings,
        deaths=life.shop.counts["deaths"],
        seconds=time.monotonic() - began,
        before=before,
        warm=life.warm or before,
        after=Footprint.now(core.media_root),
        figures=figures,
        counts=life.shop.counts + life.trouble.counts,
    )


@contextmanager
def _one_poller() -> Iterator[None]:
    """Sources are looked at one after the other: two threads would race for the seed's next number."""
    with patch.object(detection, "THREADS", 1):
        yield


class _Life:
    def __init__(self, core: Core, world: KeptControl, shared: SharedTime, plan: SoakPlan, report: Report) -> None:
        self._core, self._world, self._time, self._plan, self._report = core, world, shared, plan, report
        # Two streams: whatever the real libraries' bytes do to a worker's day, posts and faults stay the seed's.
        self.draw = random.Random(f"{plan.seed} workers")
        of_the_world = random.Random(f"{plan.seed} world")
        self.shop = Workshop(core, self.draw, is_deadly=not plan.is_calm)
        self.lanes: list[Lane] = []
        self.warm: Footprint | None = None
        ground = Ground(core, world, of_the_world)
        files = make_clips(core.settings.home / "clips", _SHAPES)
        self.author = Author(ground, plan.seed, files)
        self._ground = ground
        self.trouble = Trouble(core, world, of_the_world, self.lanes, self.author)

    def prepare(self) -> None:
        tunables.change(self._core, dict(_TUNED))
        plan = self._plan
        self.lanes += lay_lanes(self._ground, plan.connections, every_s=plan.check_every_s, picky=4, shared=5)
        posts = plan.wanted_posts
        self._start = self._time.now()
        self.trouble.plan(self._start, plan.hours, posts=posts, faults=plan.wanted_faults)
        self._report(f"{plan.connections} connections, {posts} posts to come in {plan.hours:g} simulated hours")

    def live(self) -> None:
        end = self._start + timedelta(hours=self._plan.hours)
        is_over = False
        told = 0
        with self.shop.open():
            while not (is_over and self._is_drained(end)):
                now = self._time.now()
                if now >= end and not is_over:
                    is_over, self.shop.is_deadly = True, False
                    self.trouble.happen(end)
                    self.trouble.end()
                told = self._tell_progress(told)
                self._turn(is_over=is_over)

    def _turn(self, *, is_over: bool) -> None:
        """What sensors, keeper and workers do in one moment."""
        if not is_over:
            self.trouble.happen(self._time.now())
        self.shop.attempt(lambda: detection.poll_due(self._core, shard=0, shards=1, budget_s=60.0))
        self.shop.attempt(self.shop.take_on)
        self.shop.attempt(self.shop.reap)
        if self.shop.one_step():
            self._time.move(self.draw.uniform(0.5, 8.0))
        else:
            self._skip_ahead()

    def _skip_ahead(self) -> None:
        """To the next instant at which anything is due; a little way where something is held up."""
        now = self._time.now()
        with self._core.begin() as tx:
            due = verdicts.next_instant(tx, now)
        naps = [hand.wakes_at for hand in self.shop.hands if hand.wakes_at]
        instants = [at for at in (due, self.trouble.next_at, *naps) if at is not None and at > now]
        step = min((at - now).total_seconds() for at in instants) if instants else 300.0
        self._time.move(min(max(step, 1.0), 300.0))

    def _is_drained(self, end: Any) -> bool:
        now = self._time.now()
        if now < end + _DRAIN:
            return False
        with self._core.begin() as tx:
            is_quiet = verdicts.count_open_jobs(tx) == 0
        return bool(is_quiet or now > end + _DRAIN_AT_MOST)

    def _tell_progress(self, told: int) -> int:
        passed = (self._time.now() - self._start).total_seconds() / 3600
        if self.warm is None and passed >= self._plan.hours / 4:
            self.warm = Footprint.now(self._core.media_root)
        if passed < (told + 1) * _REPORT_EVERY_H:
            return told
        counts: Counter[str] = self.shop.counts + self.trouble.counts
        said = ", ".join(f"{counts[name]} {name}" for name in ("posts written", "runs", "deaths", "zombies stopped"))
        self._report(f"hour {passed:.0f}: {said}; {psutil.Process().memory_info().rss / 1e6:.0f} MB")
        return int(passed // _REPORT_EVERY_H)


def run(settings: Settings, plan: SoakPlan, report: Report) -> SoakResult:
    """A soak with these settings, which name an empty database and a fresh simulated world.

    The clock begins on the same day in every soak, so that a seed replays its run; what the real libraries judge by
    the real time, certificates and the life of Google's tokens, is not affected by that.
    """
    clock = ManualClock()
    random.seed(plan.seed)  # a client library draws its rests from there
    engine = connect(settings.database_url or "", pool_size=10, name="soak")
    core = Core(settings, engine, Vault.open(settings.key_file), clock)
    journal.install(core)
    messages = logging.getLogger(journal.LOGGER)
    messages.propagate = False  # they become rows; a few hundred thousand lines more would say nothing
    try:
        return soak(core, clock, settings.simulator_url or "", plan, report)
    finally:
        messages.propagate = True
        engine.dispose()
