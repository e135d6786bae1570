"""Requests: what an admin asked of a connection that may take longer than an answer does.

A look at once (`poll`), a dry run, a backfill. The fact to know: of each kind a connection has at most one open, so
whoever asks again while it is under way joins it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from forwarder_core.domain.jobs import Failure


class Kind(StrEnum):
    POLL = "poll"
    DRY_RUN = "dry_run"
    BACKFILL = "backfill"


class RequestState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        return self in OPEN


OPEN = (RequestState.QUEUED, RequestState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`asked`: what was asked for. `report`: what came of it so far. `progress`: where it stands, in words."""

    id: int
    kind: Kind
    connection_id: int
    state: RequestState
    asked: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    progress: str = ""
    requested_by: str
    requested_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    dispatch_no: int = 0
    run_id: str | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """The right to work on a request: writes carry the fence, and one that finds another there stops."""

    request_id: int
    fence: int
