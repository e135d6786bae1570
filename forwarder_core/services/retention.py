"""Retention: what is kept no longer than the admin wants it. Files first, because they fill disks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from forwarder_core.db import bot, events, idempotency, outbox, overviews, requests
from forwarder_core.db.engine import Tx
from forwarder_core.media.store import MediaStore
from forwarder_core.services import commanding, quotas, trying, tunables
from forwarder_core.services.context import Core


@dataclass(frozen=True, slots=True)
class Swept:
    job_folders: int
    log_events: int


def sweep(core: Core) -> Swept:
    """Delete the folders of jobs ended longer ago than `retention.media_days`; log events and alerts past theirs."""
    now = core.clock.now()
    store = MediaStore(core.media_root)
    kept = [int(name) for name in store.job_ids() if name.isdigit()]
    with core.begin() as tx:
        tuned = tunables.read(tx)
        media_before = now - timedelta(days=tuned.number("retention.media_days"))
        gone = overviews.ended_before(tx, kept, media_before)
        outbox.forget(tx, now - timedelta(days=tuned.number("alerts.kept_days")))
        bot.forget(tx, now - commanding.KEPT)
        logs = events.forget_logs(tx, now - timedelta(days=tuned.number("retention.log_days")))
        tried = _dry_runs_past(core, tx, media_before)
        quotas.forget(tx, now)
        idempotency.forget(tx, now)
    for job_id in gone:
        store.remove(job_id)
    for name in tried:
        trying.store_of(core).remove(name)
    return Swept(len(gone), logs)


def _dry_runs_past(core: Core, tx: Tx, before: datetime) -> list[str]:
    """The folders of dry runs ended longer ago; their reports stay."""
    names = {name: int(name.partition("-")[0]) for name in trying.store_of(core).job_ids()}
    gone = set(requests.ended_before(tx, sorted(set(names.values())), before))
    return [name for name, request_id in names.items() if request_id in gone]
