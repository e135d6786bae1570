"""What forwards cost beside a plain script: seconds from “the post appears” to “the post is live”, and CPU seconds.

Ours: the whole running system, every process of it but the simulated far end. Baselines, in turn with ours: the plain
script started anew for each post with the same calls and the same ffmpeg command; the same script warm, post after
post; the bare ffmpeg commands two at a time, these for longer clips as well. One, five and fifteen at once; medians.
The fact to know: each source is looked at every five minutes, as at rest, and due as soon as its posts are there; the
wait for that look is ours, in `wall_s`. The rates and the CPU on top of the script are without it and without what the
stack uses at rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from bench import lanes, stack
from bench.figures import row
from bench.script import SECONDS, Cost, PlainScript, bare_ffmpeg, make_clip
from forwarder_core.db import accounts
from forwarder_core.services import tunables
from forwarder_core.simulator.drill import Author, Lane
from forwarder_pipelines.launching.children import IDLE_S

AT_ONCE = (1, 5, 15)
LANES = 5
EVERY_S = 300.0
TUNED = {"dispatch.max_running": max(AT_ONCE), "dispatch.per_destination": 3, "dispatch.per_source": 3}
SHAPES = {"compliant": (1080, 1920), "encoded": (1280, 720)}
LONG, _LONG_S = "encoded_30_s", 30  # what is begun and ended once weighs by the length of a clip
_ENCODED = ("encoded", LONG)
_PATIENCE_S = 1_200.0
_LOOK_S = 0.07  # for each post: every look takes of the two cores what the forwards are measured with
_LAST_END_S = IDLE_S + 2.0  # a process that carried runs ends after it waited for another, which costs too
_WARM_POSTS = 3
_CORES = 2
_MOST_ON_TOP_S, _LEAST_A_MINUTE, _MOST_BESIDE_FFMPEG = 0.5, 60.0, 1.1
_OURS = text(
    "SELECT j.status, EXTRACT(EPOCH FROM p.seen_at)::float, EXTRACT(EPOCH FROM j.completed_at)::float"
    " FROM jobs j JOIN source_posts p ON p.id = j.source_post_id"
    " WHERE p.platform_post_id = ANY(:posts) AND j.completed_at IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class Forwarded:
    """`cost` from the posts' appearance on, `moving_s` from the first one known to the last one live; `posts`: lane and
    id of each."""

    cost: Cost
    moving_s: float
    posts: Sequence[tuple[Lane, str]]


@dataclass(frozen=True, slots=True)
class Turn:
    """One round of one kind: ours, and each baseline; `on_top` CPU seconds a forward, less rest and warm script."""

    ours: Forwarded
    script: Cost
    on_top: float


def measure(rounds: int = 3) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`; CPU is that of one forward."""
    with stack.running() as up:
        bench = Bench(up, lanes.lay(up, LANES, every_s=EVERY_S, at_once=LANES))
        bench.forward("compliant", 1)  # warms
        at_rest = up.share_at_rest()
        turns: dict[tuple[str, int], list[Turn]] = {}
        encoded: dict[str, list[tuple[Forwarded, Cost]]] = {shape: [] for shape in _ENCODED}
        for _ in range(rounds):
            for shape in SHAPES:
                for posts in AT_ONCE:
                    turns.setdefault((shape, posts), []).append(bench.turn(shape, posts, at_rest))
            for shape, pairs in encoded.items():
                pairs.append(bench.beside_ffmpeg(shape, max(AT_ONCE)))
    found: dict[str, Any] = {}
    for (shape, posts), taken in turns.items():
        found |= _rows(f"{shape}_{posts}_at_once", taken)
    most = max(AT_ONCE)
    rate = [60 * most / turn.ours.moving_s for turn in turns["compliant", most]]
    found[f"compliant_{most}_at_once_forwards_a_minute_beside_the_goal"] = row(rate, [_LEAST_A_MINUTE], "/min")
    for shape, pairs in encoded.items():
        found |= _beside_ffmpeg(f"{shape}_{most}_at_once", pairs)
    return found


def _rows(name: str, turns: Sequence[Turn]) -> dict[str, Any]:
    ours, script = [turn.ours for turn in turns], [turn.script for turn in turns]
    return {
        f"{name}_wall_beside_the_script": row([o.cost.wall_s for o in ours], [s.wall_s for s in script], "s"),
        f"{name}_cpu_beside_the_script": row([o.cost.cpu_s for o in ours], [s.cpu_s for s in script], "CPU-s"),
        f"{name}_cpu_on_top_of_the_warm_script": row([t.on_top for t in turns], [_MOST_ON_TOP_S], "CPU-s", digits=3),
    }


def _beside_ffmpeg(name: str, pairs: Sequence[tuple[Forwarded, Cost]]) -> dict[str, Any]:
    moving, alone = [ours.moving_s for ours, _ in pairs], [bare.wall_s for _, bare in pairs]
    most = [_MOST_BESIDE_FFMPEG * wall for wall in alone]
    return {
        f"{name}_total_beside_bare_ffmpeg_{_CORES}_at_a_time": row(moving, alone, "s"),
        f"{name}_total_beside_the_limit_of_{_MOST_BESIDE_FFMPEG}": row(moving, most, "s"),
    }


class Bench:
    """Posts on these lanes of a running stack, and the same posts by the script."""

    def __init__(self, up: stack.Stack, laid: Sequence[Lane]) -> None:
        tunables.change(up.core, TUNED)
        self._up, self._script, self._lanes = up, PlainScript(up), laid
        self._warm: dict[str, float] = {}  # CPU seconds of the warm script, by shape, of this round
        home, ground = up.running.settings.home, lanes.ground_of(up)
        sizes = {name: (*size, SECONDS) for name, size in SHAPES.items()} | {LONG: (*SHAPES["encoded"], _LONG_S)}
        self._clips = {
            name: make_clip(home / f"{name}.mp4", width, height, seed=1, seconds=seconds)
            for name, (width, height, seconds) in sizes.items()
        }
        self._authors = {name: Author(ground, seed, [clip]) for seed, (name, clip) in enumerate(self._clips.items(), 2)}

    def turn(self, shape: str, posts: int, at_rest: float) -> Turn:
        """`at_rest`: CPU seconds the stack uses in a second with nothing to do."""
        ours, clip = self.forward(shape, posts), self._clips[shape]
        made = [(lane.source.account_id, post) for lane, post in ours.posts]
        script = self._script.cost(made, clip)
        if posts == min(AT_ONCE):
            self._warm[shape] = self._script.warm_cpu_s(*made[0], _WARM_POSTS, clip)
        rest = at_rest * (ours.cost.wall_s + _LAST_END_S) / posts
        return Turn(ours, script, ours.cost.cpu_s - rest - self._warm[shape])

    def beside_ffmpeg(self, shape: str, posts: int) -> tuple[Forwarded, Cost]:
        """Ours, and the mean of the bare commands before and after: a machine's pace drifts by a tenth in minutes."""
        before = bare_ffmpeg(self._clips[shape], posts, _CORES)
        ours = self.forward(shape, posts)
        after = bare_ffmpeg(self._clips[shape], posts, _CORES)
        return ours, Cost((before.wall_s + after.wall_s) / 2, (before.cpu_s + after.cpu_s) / 2)

    def forward(self, shape: str, posts: int) -> Forwarded:
        """Raises ValueError when one of them does not arrive."""
        up, before = self._up, self._up.usage()
        taken = [self._lanes[number % len(self._lanes)] for number in range(posts)]
        made = [(lane, self._authors[shape].post(lane.source)) for lane in taken]
        with up.core.begin() as tx:
            for lane in taken:
                accounts.ask_at_once(tx, lane.source.account_id, up.core.clock.now())
        up.wait_until(lambda: len(self._ended(made)) == posts, _PATIENCE_S, look_s=_LOOK_S * posts)
        wall = up.usage().since(before).at
        up.rest(_LAST_END_S)
        ended = self._ended(made)
        if unhappy := [status for status, _, _ in ended if status != "success"]:
            raise ValueError(f"jobs ended {', '.join(unhappy)}")
        moving = max(at for _, _, at in ended) - min(seen for _, seen, _ in ended)
        return Forwarded(Cost(wall, up.usage().since(before).total_cpu_s / posts), moving, made)

    def _ended(self, made: Sequence[tuple[Lane, str]]) -> list[tuple[str, float, float]]:
        with self._up.core.begin() as tx:
            found = tx.execute(_OURS, {"posts": [post for _, post in made]}).all()
        return [(str(status), float(seen), float(ended)) for status, seen, ended in found]
