"""What 100 active connections cost while nothing happens: CPU share, memory, database sessions, by process.

The baselines are the limits we set ourselves: 8 % of one core (4 % behind a PgBouncer) and 900 MB for the whole stack,
PostgreSQL, Dagster's web server and the door included. The fact to know: a round takes the five minutes after which
everything comes round, each source looked at once and each schedule of minutes run; a single minute shows anything
between a quarter less and half more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import lanes, stack
from bench.figures import row
from forwarder_core.simulator.drill import Lane

CONNECTIONS = 100
EVERY_S = 300.0
_AT_ONCE = 6  # a sign-in takes two sessions of a pool of fifteen
_SETTLE_S = 30.0
_MOST_CPU_PERCENT, _MOST_POOLED_CPU_PERCENT = 8.0, 4.0
_MOST_MB = 900.0


@dataclass(frozen=True, slots=True)
class Rest:
    """`cpu` in percent of a core and `memory` in megabytes, by part; `sessions` opened a second."""

    cpu: Mapping[str, float]
    memory: Mapping[str, float]
    sessions: float


def measure(rounds: int = 3, *, is_pooled: bool = False) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`; a round is five minutes."""
    most = _MOST_POOLED_CPU_PERCENT if is_pooled else _MOST_CPU_PERCENT
    with stack.running(stack.WHOLE, is_pooled=is_pooled) as up:
        lay(up)
        up.rest(_SETTLE_S)
        seen = [look(up) for _ in range(rounds)]
    cpu, memory = [sum(one.cpu.values()) for one in seen], [sum(one.memory.values()) for one in seen]
    found = {
        "cpu_beside_the_limit": row(cpu, [most], "% of a core"),
        "memory_beside_the_limit": row(memory, [_MOST_MB], "MB"),
        "database_sessions": row([one.sessions for one in seen], [1.0], "/s"),
    }
    for part in seen[-1].memory:
        found[f"cpu_of_{part}_beside_all"] = row([one.cpu[part] for one in seen], cpu, "% of a core")
        found[f"memory_of_{part}_beside_all"] = row([one.memory[part] for one in seen], memory, "MB")
    return found


def lay(up: stack.Stack) -> Sequence[Lane]:
    """The connections of the bench, numbered from 1."""
    return lanes.lay(up, CONNECTIONS, every_s=EVERY_S, at_once=_AT_ONCE)


def look(up: stack.Stack, seconds: float = EVERY_S) -> Rest:
    before = up.usage()
    up.rest(seconds)
    spent = up.usage().since(before)
    cpu = {part: 100 * used / spent.at for part, used in spent.cpu_s.items()}
    return Rest(cpu, {part: size / 1e6 for part, size in up.memory().items()}, spent.sessions / spent.at)
