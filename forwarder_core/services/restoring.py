"""Restoring: what must happen to the rows of an old backup before anything may be published from them.

What lives here: the mark a restore leaves, what it makes publishing and detection do, and the report of differences.
What does not: files and servers (embedded.backups).
The fact to know: the installation the backup was taken from went on publishing. So each post from before the restore
is looked for at its destination first, by the same rule as an upload whose answer was lost: found, it is adopted; not
found in two clean looks after the settle time, it is published; else a person is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from forwarder_core.db import jobs, people, posts, upkeep
from forwarder_core.db.engine import Tx
from forwarder_core.db.upkeep import Sought
from forwarder_core.domain import publications, restores
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.domain.posts import Decision, SourcePost, Verdict
from forwarder_core.domain.publications import PublicationState
from forwarder_core.domain.restores import Restore
from forwarder_core.services.context import Core

_WHO = "restore"
HELD_RULE = "restore"


def mark(core: Core, taken_at: datetime, facts: Mapping[str, Any]) -> Restore:
    """The restored rows, before the first process of the product sees them; one transaction."""
    now = core.clock.now()
    with core.begin() as tx:
        made = upkeep.begin_restore(tx, taken_at, now, facts)
        reopened = upkeep.reopen(tx, made)
        running = [job.id for job, _ in jobs.running(tx)]
        for job_id in running:  # their workers belonged to the installation that is no more
            jobs.take_away(tx, job_id, JobStatus.QUEUED, now=now)
        details = {"taken_at": taken_at.isoformat(), "reopened": reopened, "running": len(running)}
        people.audit(tx, who=_WHO, what="restored", target=f"restore:{made.id}", now=now, details=details)
    return made


def in_force(tx: Tx, now: datetime) -> Restore | None:
    """The restore that still makes us look before we publish."""
    return upkeep.last_restore(tx, now - restores.REMEMBERED)


def to_seek(tx: Tx, job_id: int, root: SourcePost, now: datetime) -> dict[str, Any]:
    """What a publication about to be planned starts with: nothing, or that it is to be looked for first."""
    restore = in_force(tx, now)
    if (
        restore is None
        or not restores.may_be_out(restore, root.post.posted_at)
        or upkeep.was_sought(tx, job_id, restore)
    ):
        return {}
    return {
        "restore_id": restore.id,
        "state": PublicationState.COMMITTING,
        "committing_at": restore.taken_at,
        "unclear_since": restore.restored_at,
    }


def marker_of(tx: Tx, destination_account_id: int, root: SourcePost) -> str:
    key = upkeep.marker_key(tx)
    return publications.marker_of(key, destination_account_id, root.account_id, root.post.platform_post_id)


def held(
    tx: Tx, account_id: int, open_posts: Mapping[int, SourcePost], verdicts: Mapping[int, Decision], now: datetime
) -> dict[int, Decision]:
    """Posts an account shows that may be our own of before the restore: they wait until that is known.

    Only an account that is a destination too can show one.
    """
    restore = in_force(tx, now)
    if restore is None or not upkeep.is_destination(tx, account_id):
        return {}
    maybe = [
        id_
        for id_, post in open_posts.items()
        if verdicts[id_].verdict is Verdict.FORWARD and restores.may_be_ours(restore, post.post.posted_at)
    ]
    if not maybe or upkeep.is_settled(tx, account_id, restore):
        return {}
    words = "it may have been published by this installation before the backup was restored"
    return {id_: Decision(Verdict.HELD, HELD_RULE, words) for id_ in maybe}


def root_of(tx: Tx, root_post_id: int) -> SourcePost:
    found = posts.get(tx, root_post_id)
    if found is None:
        raise LookupError(f"root post {root_post_id} is not there")
    return found


def report(core: Core) -> tuple[Restore, dict[str, list[Sought]]] | None:
    """The differences found since the last restore, by what became of them; None where there was none lately."""
    with core.begin() as tx:
        restore = in_force(tx, core.clock.now())
        if restore is None:
            return None
        found = upkeep.sought(tx, restore.id)
    return restore, {name: [s for s in found if s.state in states] for name, states in _FATES.items()}


_S = PublicationState
_FATES: Mapping[str, frozenset[PublicationState]] = {
    "was_there": frozenset({_S.PUBLISHED, _S.VERIFIED}),
    "was_not_there": frozenset({_S.ABANDONED, _S.FAILED}),
    "being_looked_for": frozenset({_S.COMMITTING, _S.PLANNED, _S.OPENED, _S.SENDING}),
    "a_person_is_asked": frozenset({_S.UNCONFIRMED}),
}
