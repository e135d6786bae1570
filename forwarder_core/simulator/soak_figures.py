"""What a soak's forwards cost and how soon they came: the same figures with faults and without, to be compared.

The fact to know: seconds are those of the injected clock, in which one step of one job takes up to eight; CPU seconds
are real, and those of this process and of what it started and that has ended: looks at sources and the drill itself
count, PostgreSQL and the simulated platforms do not.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from forwarder_core.clock import cpu_used_s
from forwarder_core.db import verdicts
from forwarder_core.services.context import Core

_MOST = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """`cpu_s` of one forward; the waits of each, from the sight of its post."""

    cpu_s: float = 0.0
    begun_s: Sequence[float] = field(default_factory=tuple)
    live_s: Sequence[float] = field(default_factory=tuple)

    @classmethod
    def since(cls, cpu_before: float, core: Core) -> Figures:
        """Of all that was forwarded; `cpu_before`: what `cpu_used_s` said before the first of them."""
        with core.begin() as tx:
            waits = verdicts.waits(tx)
        each = (cpu_used_s() - cpu_before) / max(1, len(waits))
        return cls(cpu_s=each, begun_s=[begun for begun, _ in waits], live_s=[live for _, live in waits])

    def as_dict(self) -> dict[str, Any]:
        return {
            "cpu_s_per_forward": round(self.cpu_s, 3),
            "known_to_begun_s": spread(self.begun_s),
            "known_to_live_s": spread(self.live_s),
        }


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """Median and the value of 19 of 20, by the nearest rank; None of nothing."""
    if not values:
        return {"median": None, "p95": None}
    ordered = sorted(values)
    most = ordered[min(len(ordered) - 1, int(_MOST * len(ordered)))]
    return {"median": round(statistics.median(ordered), 1), "p95": round(most, 1)}
