"""A hundred posts at once: how long until all are forwarded, how fairly, and what each costs beside a warm script.

Ten connections, Instagram to YouTube, compliant clips of 10 s, 15 jobs at once. Ours: every process of the stack,
PostgreSQL included, by Celery broker and worker too, less what it uses at rest. Baseline: `plain_script` over the same
clip, post after post in one process, its imports not counted. The fact to know: the simulated platforms share the
machine, so the rate is what is left of it; and what carried the runs ends after them, which belongs to them and not to
the time at rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from bench import lanes, stack
from bench.figures import row
from bench.script import SECONDS, PlainScript, make_clip
from forwarder_core.services import tunables
from forwarder_core.settings import Launcher
from forwarder_core.simulator.drill import Author, Lane
from forwarder_pipelines.launching.children import IDLE_S

CONNECTIONS = 10
POSTS = 100
AT_ONCE = 15
_EVERY_S = 5.0
_PATIENCE_S = 1_200.0
_LAST_END_S = IDLE_S + 2.0  # a process that carried runs ends after it waited for another, which costs too
_LEAST_A_MINUTE = 60.0
_MOST_CPU_ON_TOP_S: Mapping[Launcher, float] = {Launcher.LOCAL: 0.5, Launcher.CELERY: 0.4}
_MOST_MB_MORE = 1_200.0
_WARM_POSTS = 10
_TUNED = {"dispatch.max_running": AT_ONCE, "dispatch.per_destination": 3, "dispatch.per_source": 3}
_ENDED = text(
    "SELECT connection_id, status, EXTRACT(EPOCH FROM completed_at - created_at)::float FROM jobs"
    " WHERE completed_at IS NOT NULL ORDER BY completed_at"
)


@dataclass(frozen=True, slots=True)
class Drained:
    """`spent` until all that carried a run has ended; `memory` and `at_rest` in bytes; `waits`: mean seconds from job
    to end, by connection."""

    seconds: float
    spent: stack.Usage
    memory: int
    at_rest: int
    waits: list[float]


def measure(rounds: int = 1, launcher: Launcher = Launcher.LOCAL, posts: int = POSTS) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`; one burst, whatever `rounds`."""
    with stack.running(launcher=launcher) as up:
        tunables.change(up.core, _TUNED)
        clip = make_clip(up.running.settings.home / "compliant.mp4", 1080, 1920, seed=1)
        laid = lanes.lay(up, CONNECTIONS, every_s=_EVERY_S, at_once=CONNECTIONS)
        author = Author(lanes.ground_of(up), 1, [clip])
        _drain(up, laid, author, AT_ONCE)  # warms every account, and each process of a worker
        at_rest = up.share_at_rest()
        burst = _drain(up, laid, author, posts)
        post_id = author.post(laid[0].source)
        script = PlainScript(up).warm_cpu_s(laid[0].source.account_id, post_id, _WARM_POSTS, clip)
    each = (burst.spent.total_cpu_s - at_rest * burst.spent.at) / posts
    added = (burst.memory - burst.at_rest) / 1e6
    return {
        "forwards_a_minute_beside_the_goal": row([60 * posts / burst.seconds], [_LEAST_A_MINUTE], "/min"),
        f"cpu_of_a_{SECONDS}_s_clip_beside_a_warm_script": row([each], [script], "CPU-s", digits=3),
        "cpu_on_top_of_the_script_beside_the_limit": row(
            [each - script], [_MOST_CPU_ON_TOP_S[launcher]], "CPU-s", digits=3
        ),
        "memory_added_beside_the_limit": row([added], [_MOST_MB_MORE], "MB"),
        "memory_of_everything_beside_rest": row([burst.memory / 1e6], [burst.at_rest / 1e6], "MB"),
        "slowest_connection_beside_the_fastest": row([max(burst.waits)], [min(burst.waits)], "s"),
    }


def _drain(up: stack.Stack, laid: Sequence[Lane], author: Author, posts: int) -> Drained:
    """Post so many at once, evenly over the lanes, and wait until all are forwarded. Raises ValueError if not."""
    at_rest = sum(up.memory().values())
    held = [at_rest]
    earlier, before = len(_ended(up)), up.usage()
    for number in range(posts):
        author.post(laid[number % len(laid)].source)

    def is_done() -> bool:
        held.append(sum(up.memory().values()))
        return len(_ended(up)) >= earlier + posts

    up.wait_until(is_done, _PATIENCE_S, look_s=1.0)
    seconds = up.usage().since(before).at
    up.rest(_LAST_END_S)
    waits: dict[int, list[float]] = defaultdict(list)
    for connection, status, waited in _ended(up)[-posts:]:
        if status != "success":
            raise ValueError(f"a job of connection {connection} ended {status}")
        waits[connection].append(waited)
    means = [sum(each) / len(each) for each in waits.values()]
    return Drained(seconds, up.usage().since(before), max(held), at_rest, means)


def _ended(up: stack.Stack) -> list[tuple[int, str, float]]:
    with up.core.begin() as tx:
        return [(int(c), str(s), float(waited)) for c, s, waited in tx.execute(_ENDED)]
