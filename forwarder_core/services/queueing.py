"""Queueing: the row of a job, the same for a post that is new, one from before the start, and one asked for later."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from forwarder_core.domain.connections import Connection
from forwarder_core.domain.jobs import JobStatus, WaitReason


def row_of(
    connection: Connection,
    post_id: int,
    now: datetime,
    *,
    is_old: bool = False,
    not_before: datetime | None = None,
) -> dict[str, Any]:
    """`not_before`: an old post's day in the drip; until then it waits."""
    waits = not_before is not None and not_before > now
    return {
        "connection_id": connection.id,
        "source_post_id": post_id,
        "root_post_id": post_id,
        "priority": connection.priority,
        "status": JobStatus.RETRY_WAIT if waits else JobStatus.QUEUED,
        "wait_reason": WaitReason.DRIP if waits else None,
        "next_attempt_at": not_before if waits else None,
        "is_old": is_old,
        "created_at": now,
        "changed_at": now,
    }
