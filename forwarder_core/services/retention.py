"""Retention: what is kept no longer than the admin wants it. Files first, because they fill disks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from forwarder_core.db import bot, events, idempotency, oauth_states, outbox, overviews, people, requests
from forwarder_core.db.engine import Tx
from forwarder_core.media.store import MediaStore
from forwarder_core.services import commanding, quotas, trying, tunables
from forwarder_core.services.context import Core
from forwarder_core.services.tunables import Tuned

MINUTE = 17  # of each hour: when the schedule ticks
_WORKERS_KEPT = timedelta(days=7)
_SIGN_INS_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Swept:
    """What went, or would go: folders of jobs and of dry runs, the bytes in them, and rows by what they are."""

    job_folders: int
    dry_run_folders: int
    freed_bytes: int
    rows: Mapping[str, int]

    @property
    def log_events(self) -> int:
        return self.rows["log_events"]


def preview(core: Core) -> Swept:
    """What a sweep would delete now; nothing is."""
    return sweep(core, dry_run=True)


def sweep(core: Core, *, dry_run: bool = False) -> Swept:
    """Delete the folders of jobs ended longer ago than `retention.media_days`; rows past their time.

    `dry_run` deletes the rows in a transaction that is taken back, so its figures are those of the real thing.
    """
    now, store = core.clock.now(), MediaStore(core.media_root)
    kept = [int(name) for name in store.job_ids() if name.isdigit()]
    with core.begin() as tx:
        tuned = tunables.read(tx)
        media_before = now - timedelta(days=tuned.number("retention.media_days"))
        gone = overviews.ended_before(tx, kept, media_before)
        tried = _dry_runs_past(core, tx, media_before)
        rows = _forget(tx, tuned, now)
        if dry_run:
            tx.rollback()
    tries = trying.store_of(core)
    freed = sum(store.bytes_of(id_) for id_ in gone) + sum(tries.bytes_of(name) for name in tried)
    for job_id in () if dry_run else gone:
        store.remove(job_id)
    for name in () if dry_run else tried:
        tries.remove(name)
    return Swept(len(gone), len(tried), freed, rows)


def is_due(core: Core, at: datetime) -> bool:
    """Of the hourly ticks: is this one that cleans up? Counted in UTC from midnight, whatever ran before."""
    with core.begin() as tx:
        return at.astimezone(UTC).hour % tunables.read(tx).count("retention.every_hours") == 0


def next_sweep(core: Core) -> datetime:
    """When it is cleaned up next."""
    at = core.clock.now().astimezone(UTC).replace(minute=MINUTE, second=0, microsecond=0)
    if at <= core.clock.now():
        at += timedelta(hours=1)
    while not is_due(core, at):
        at += timedelta(hours=1)
    return at


def runs_kept_from(core: Core) -> datetime:
    """Ended runs of Dagster from before that are forgotten."""
    with core.begin() as tx:
        return core.clock.now() - timedelta(days=tunables.read(tx).number("retention.dagster_days"))


def _forget(tx: Tx, tuned: Tuned, now: datetime) -> dict[str, int]:
    """How many rows of each kind went. What was published, decided and done by people is never among them."""
    return {
        "alerts": outbox.forget(tx, now - timedelta(days=tuned.number("alerts.kept_days"))),
        "bot_messages": bot.forget(tx, now - commanding.KEPT),
        "log_events": events.forget_logs(tx, now - timedelta(days=tuned.number("retention.log_days"))),
        "quota_days": quotas.forget(tx, now),
        "idempotency_keys": idempotency.forget(tx, now),
        "sessions": people.forget_sessions(tx, now),
        "sign_ins": oauth_states.forget(tx, now - _SIGN_INS_KEPT),
        "workers": events.forget_workers(tx, now - _WORKERS_KEPT),
    }


def _dry_runs_past(core: Core, tx: Tx, before: datetime) -> list[str]:
    """The folders of dry runs ended longer ago; their reports stay."""
    names = {name: int(name.partition("-")[0]) for name in trying.store_of(core).job_ids()}
    gone = set(requests.ended_before(tx, sorted(set(names.values())), before))
    return [name for name, request_id in names.items() if request_id in gone]
