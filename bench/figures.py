"""What a bench says: one metric beside its baseline, in one form for JSON and table; and what a process has used."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psutil


def row(ours: Sequence[float], baseline: Sequence[float], unit: str, *, digits: int = 2) -> dict[str, Any]:
    """`{ours, baseline, ratio, unit, rounds}`, medians. A baseline that is a limit stands there once."""
    a, b = statistics.median(ours), statistics.median(baseline)
    ratio = round(a / b, 3) if b else 0.0
    return {"ours": round(a, digits), "baseline": round(b, digits), "ratio": ratio, "unit": unit, "rounds": len(ours)}


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of them lie, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def cpu_of(process: psutil.Process) -> float:
    """Seconds of it and of its children that have ended."""
    with suppress(psutil.NoSuchProcess):  # it has just been counted with its parent
        times = process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0
