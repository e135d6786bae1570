"""Live messages: what a listener is told of a job that moves, and when its step may be done. Pure.

The shape is the client's (001 §4.5.3). The fact to know: `progress_percent` is of the present step, because the four
steps have no common measure; an end is estimated only after the step has been seen to move.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from forwarder_core.domain.jobs import Step

STEP_WORDS = {
    Step.FETCH: "downloading",
    Step.TRANSFORM: "transforming",
    Step.PUBLISH: "uploading",
    Step.VERIFY: "verifying",
}
_LONGEST = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The first time a step was seen, and how far it was."""

    step: str | None
    at: datetime
    progress: float


def job_message(row: Mapping[str, Any], first: Sighting | None) -> dict[str, Any]:
    """Of a row of `jobs`. `first`: when its present step was first seen."""
    step = row["step"] if row["status"] == "running" else None
    end = estimated_end(first, row["progress"], row["changed_at"]) if step else None
    return {
        "event": "job_status_update",
        "timestamp": iso(row["changed_at"]),
        "job": {
            "job_id": row["id"],
            "connection_id": row["connection_id"],
            "status": row["status"],
            "current_step": STEP_WORDS[Step(step)] if step else None,
            "progress_percent": round(100 * row["progress"]),
            "message": row["progress_note"],
            "estimated_completion": iso(end) if end else None,
        },
    }


def line_message(row: Mapping[str, Any]) -> dict[str, Any]:
    """Of a row of `log_events`."""
    return {
        "event": "log",
        "timestamp": iso(row["at"]),
        "log": {name: value for name, value in row.items() if name != "at"},
    }


def estimated_end(first: Sighting | None, progress: float, at: datetime) -> datetime | None:
    """When the step is done if it goes on as it went so far; None while that cannot be said."""
    if first is None or progress <= first.progress or at <= first.at:
        return None
    left = (at - first.at) * ((1 - progress) / (progress - first.progress))
    return at + left if left <= _LONGEST else None


def iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
