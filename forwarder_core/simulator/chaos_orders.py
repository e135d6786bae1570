"""The third phase of chaos: everything that forwards is dead at once, and comes back in one order after another.

What lives here: the orders, and one round of each. What does not: single kills (chaos_kills).
The fact to know: the supervisor starts a process half a second after its death. Killed a tenth of a second apart, all
five are dead together and start in the order they died in.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from forwarder_core.simulator.chaos import Drill
from forwarder_core.simulator.chaos_kills import Victim, kill

CORE = (Victim.DATABASE, Victim.CODE_SERVER, Victim.LAUNCHER, Victim.DAEMON, Victim.KEEPER)
DEATHS_WITHIN_S = 5.0  # the supervisor forgets a death so soon, or it would give up at the sixth order
_APART_S = 0.1
_BACK_WITHIN_S = 120.0
_AT_WORK_S = 2.0


def orders_of(drill: Drill, count: int) -> list[Sequence[Victim]]:
    """So many of the 120 orders, from the seed; each once."""
    every = list(permutations(CORE))
    return drill.draw.sample(every, min(count, len(every)))


def die_in_orders(drill: Drill, count: int) -> list[str]:
    """Returns the orders that did not bring everything back."""
    stayed_away = []
    for number, order in enumerate(orders_of(drill, count), start=1):
        drill.keep_busy()
        if not drill.wait_until(lambda: _are_back(drill, {}), _BACK_WITHIN_S):  # one that began too early tries again
            stayed_away.append(f"not all there before {', '.join(order)}")
            continue
        before = dict(drill.stack.pids)
        for victim in order:
            drill.kills += kill(before[victim])
            drill.wait(_APART_S)
        if not drill.wait_until(lambda known=before: _are_back(drill, known), _BACK_WITHIN_S):  # type: ignore[misc]
            stayed_away.append(f"not all back after {', '.join(order)}")
        drill.wait(_AT_WORK_S)
        drill.counts["orders all died and started in"] += 1
        if number % 10 == 0:
            drill.report(f"{number} orders")
    return stayed_away


def _are_back(drill: Drill, before: dict[str, int]) -> bool:
    now = drill.stack.pids
    return all(victim in now and now[victim] != before.get(victim) for victim in CORE)
