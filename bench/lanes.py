"""The connections of a bench, from Instagram to YouTube, as an administrator has them.

The fact to know: an account in use shows more posts than a page holds, so each look at it takes two calls and the
client's rest between them. A bench whose sources begin empty would cross that line somewhere in its middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from bench import stack
from bench.script import make_clip
from forwarder_core.simulator.drill import Ground, Lane, lay_lanes

_OLD_POSTS = 13  # Instagram's page has twelve


def ground_of(up: stack.Stack) -> Ground:
    return Ground(up.core, up.world, Random(1))


def lay(up: stack.Stack, lanes: int, *, every_s: float, at_once: int, first: int = 1) -> Sequence[Lane]:
    """Numbered from `first`; each source is looked at every so many seconds. `at_once` are started together."""
    clip = make_clip(up.running.settings.home / "old.mp4", 270, 480, seed=0, seconds=1)
    return lay_lanes(
        ground_of(up),
        lanes,
        every_s=every_s,
        destinations=("youtube",),
        at_once=at_once,
        first=first,
        shows=[clip] * _OLD_POSTS,
    )
