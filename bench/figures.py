"""What a bench says: one metric beside its baseline, in one form for JSON and table."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any


def row(ours: Sequence[float], baseline: Sequence[float], unit: str, *, digits: int = 2) -> dict[str, Any]:
    """`{ours, baseline, ratio, unit, rounds}`, medians. A baseline that is a limit stands there once."""
    a, b = statistics.median(ours), statistics.median(baseline)
    ratio = round(a / b, 3) if b else 0.0
    return {"ours": round(a, digits), "baseline": round(b, digits), "ratio": ratio, "unit": unit, "rounds": len(ours)}


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of them lie, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
