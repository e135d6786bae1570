"""What 100 active connections cost while nothing happens: CPU share, memory, database sessions, by process.

The baselines are the limits we set ourselves: 8 % of one core and 900 MB for the whole stack, PostgreSQL, Dagster's web
server and the door included. Each source is looked at every 5 minutes, as a new connection is.
"""

from __future__ import annotations

from random import Random
from typing import Any

from bench import stack
from bench.figures import row
from forwarder_core.simulator.drill import Ground, lay_lanes

CONNECTIONS = 100
_EVERY_S = 300.0
_AT_ONCE = 12
_SETTLE_S = 30.0
_ROUND_S = 60.0
_MOST_CPU_PERCENT = 8.0
_MOST_MB = 900.0


def measure(rounds: int = 3) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`; a round is a minute."""
    with stack.running(whole=True) as up:
        ground = Ground(up.core, up.world, Random(1))
        lay_lanes(ground, CONNECTIONS, every_s=_EVERY_S, destinations=("youtube",), at_once=_AT_ONCE)
        up.rest(_SETTLE_S)
        spent = [_minute(up) for _ in range(rounds)]
        memory = {part: size / 1e6 for part, size in up.memory().items()}
    share = [100 * usage.total_cpu_s / usage.at for usage in spent]
    found = {
        "cpu_beside_the_limit": row(share, [_MOST_CPU_PERCENT], "% of a core"),
        "memory_beside_the_limit": row([sum(memory.values())], [_MOST_MB], "MB"),
        "database_sessions": row([u.sessions / u.at for u in spent], [1.0], "/s"),
    }
    for part in memory:
        parts_share = [100 * usage.cpu_s.get(part, 0.0) / usage.at for usage in spent]
        found[f"cpu_of_{part}_beside_all"] = row(parts_share, share, "% of a core")
        found[f"memory_of_{part}_beside_all"] = row([memory[part]], [sum(memory.values())], "MB")
    return found


def _minute(up: stack.Stack) -> stack.Usage:
    before = up.usage()
    up.rest(_ROUND_S)
    return up.usage().since(before)
