"""What `idle` costs with a PgBouncer before the PostgreSQL, whose CPU and memory count as well. Needs `pgbouncer`."""

from __future__ import annotations

from typing import Any

from bench import idle


def measure(rounds: int = 1) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`; a round is five minutes."""
    return idle.measure(rounds, is_pooled=True)
