"""From “the post is known” to “the job has begun” to “it is live”, one post at a time on a system that rests.

Read from our own rows: the post's `seen_at`, the attempt's `started_at` and `ended_at`. The baselines are the limits we
set ourselves: begun within 1.5 s (median) and 4 s (19 of 20); the end within 3 s of what the same steps take a plain
script, started anew.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from bench import lanes, stack
from bench.figures import percentile, row
from bench.script import PlainScript, make_clip
from forwarder_core.simulator.drill import Author, Lane

POSTS = 20
EVERY_S = 2.0
_PATIENCE_S = 120.0
_MEDIAN_S, _MOST_S, _MOST_BEYOND_WORK_S = 1.5, 4.0, 3.0
_ENDED = text(
    "SELECT EXTRACT(EPOCH FROM a.started_at - p.seen_at)::float, EXTRACT(EPOCH FROM a.ended_at - p.seen_at)::float"
    " FROM jobs j JOIN attempts a ON a.job_id = j.id JOIN source_posts p ON p.id = j.source_post_id"
    " WHERE j.status = 'success' AND p.account_id = :account AND p.platform_post_id = ANY(:posts) ORDER BY j.id"
)


def measure(rounds: int = 1) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`; 20 posts, whatever `rounds`."""
    with stack.running() as up:
        (lane,) = lanes.lay(up, 1, every_s=EVERY_S, at_once=2)
        bench = Bench(up, lane)
        bench.forward(1)  # warms
        begun, ended = bench.forward(POSTS)
        script = bench.script_s()
    return {
        "known_to_begun_median": row(begun, [_MEDIAN_S], "s"),
        "known_to_begun_19_of_20": row([percentile(begun, 0.95)], [_MOST_S], "s"),
        "known_to_live_beside_the_script": row(ended, [script], "s"),
        "known_to_live_beyond_the_script": row([e - script for e in ended], [_MOST_BEYOND_WORK_S], "s"),
    }


class Bench:
    """Posts on one lane of a running stack, each when the one before it is live."""

    def __init__(self, up: stack.Stack, lane: Lane) -> None:
        self._up, self._lane = up, lane
        self._clip = make_clip(up.running.settings.home / "latency.mp4", 1080, 1920, seed=1)
        self._author = Author(lanes.ground_of(up), 1, [self._clip])
        self._last = ""

    def forward(self, posts: int) -> tuple[list[float], list[float]]:
        """Seconds from the moment each was known until its job began, and until it was live."""
        made: list[str] = []
        for number in range(1, posts + 1):
            self._last = self._author.post(self._lane.source)
            made.append(self._last)
            self._up.wait_until(lambda n=number: len(self._ended(made)) >= n, _PATIENCE_S)  # type: ignore[misc]
        taken = self._ended(made)
        return [begun for begun, _ in taken], [ended for _, ended in taken]

    def script_s(self) -> float:
        """What the last one takes the plain script."""
        return PlainScript(self._up).cost([(self._lane.source.account_id, self._last)], self._clip).wall_s

    def _ended(self, made: list[str]) -> list[tuple[float, float]]:
        of = {"account": self._lane.source.account_id, "posts": made}
        with self._up.core.begin() as tx:
            return [(float(begun), float(ended)) for begun, ended in tx.execute(_ENDED, of)]
