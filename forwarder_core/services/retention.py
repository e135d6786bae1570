"""Retention: what is kept no longer than the admin wants it. Files first, because they fill disks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from forwarder_core.db import events, overviews
from forwarder_core.media.store import MediaStore
from forwarder_core.services import tunables
from forwarder_core.services.context import Core


@dataclass(frozen=True, slots=True)
class Swept:
    job_folders: int
    log_events: int


def sweep(core: Core) -> Swept:
    """Delete the folders of jobs ended longer ago than `retention.media_days`, and log events past theirs."""
    now = core.clock.now()
    store = MediaStore(core.media_root)
    kept = [int(name) for name in store.job_ids() if name.isdigit()]
    with core.begin() as tx:
        tuned = tunables.read(tx)
        media_before = now - timedelta(days=tuned.number("retention.media_days"))
        gone = overviews.ended_before(tx, kept, media_before)
        logs = events.forget_logs(tx, now - timedelta(days=tuned.number("retention.log_days")))
    for job_id in gone:
        store.remove(job_id)
    return Swept(len(gone), logs)
