"""From “the post is known” to “the job has begun” to “it is live”, one post at a time on a system that rests.

Read from our own rows: the post's `seen_at`, the attempt's `started_at` and `ended_at`. The baselines are the limits we
set ourselves: begun within 1.5 s (median) and 4 s (19 of 20); the end within 3 s of what the same steps take a plain
script, started anew.
"""

from __future__ import annotations

from random import Random
from typing import Any

from sqlalchemy import text

from bench import stack
from bench.figures import percentile, row
from bench.forward import PlainScript, make_clip
from forwarder_core.simulator.drill import Author, Ground, lay_lanes

POSTS = 20
_EVERY_S = 2.0
_PATIENCE_S = 120.0
_MEDIAN_S, _MOST_S, _MOST_BEYOND_WORK_S = 1.5, 4.0, 3.0
_ENDED = text(
    "SELECT EXTRACT(EPOCH FROM a.started_at - p.seen_at)::float, EXTRACT(EPOCH FROM a.ended_at - p.seen_at)::float"
    " FROM jobs j JOIN attempts a ON a.job_id = j.id JOIN source_posts p ON p.id = j.source_post_id"
    " WHERE j.status = 'success' ORDER BY j.id"
)


def measure(rounds: int = 1) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`; 20 posts, whatever `rounds`."""
    with stack.running() as up:
        clip = make_clip(up.running.settings.home / "compliant.mp4", 1080, 1920, seed=1)
        ground = Ground(up.core, up.world, Random(1))
        (lane,) = lay_lanes(ground, 1, every_s=_EVERY_S, destinations=("youtube",))
        author = Author(ground, 1, [clip])
        post_id = ""
        for number in range(POSTS + 1):
            post_id = author.post(lane.source)
            up.wait_until(lambda n=number: len(_ended(up)) > n, _PATIENCE_S)  # type: ignore[misc]
        script = PlainScript(up).cost(lane.source.account_id, post_id, None, clip.stem)
        taken = _ended(up)[1:]  # the first one warms
    begun, ended = [b for b, _ in taken], [e for _, e in taken]
    beyond = [e - script.wall_s for e in ended]
    return {
        "known_to_begun_median": row(begun, [_MEDIAN_S], "s"),
        "known_to_begun_19_of_20": row([percentile(begun, 0.95)], [_MOST_S], "s"),
        "known_to_live_beside_the_script": row(ended, [script.wall_s], "s"),
        "known_to_live_beyond_the_script": row(beyond, [_MOST_BEYOND_WORK_S], "s"),
    }


def _ended(up: stack.Stack) -> list[tuple[float, float]]:
    with up.core.begin() as tx:
        return [(float(begun), float(ended)) for begun, ended in tx.execute(_ENDED)]
