"""Incidents: many failures of one cause are counted as one, end by themselves, and are retried with one button.

They are written in the transaction that closes an attempt, and decide nothing: alerts, breakers and retries have their
own rules. The fact to know: the end of an incident frees no job; what died of it waits for the one bulk retry.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from forwarder_core.db import incidents
from forwarder_core.db.engine import Tx
from forwarder_core.domain.incidents import REOPENS, Incident, blamed, cause_of, healed_by, is_quiet
from forwarder_core.domain.jobs import Errand
from forwarder_core.errors import NotFound, Scope, StepFailed, failure_classes
from forwarder_core.services import bulk, quotas
from forwarder_core.services.context import Core

SHOWN_FOR = timedelta(days=7)  # so long an incident that is over, and left dead jobs behind, is shown
_MOST_SHOWN = 50
_FIRST_PAGE = 2**62


def note_failure(core: Core, tx: Tx, failed: Errand, error: StepFailed, now: datetime) -> None:
    project = quotas.project_of(core, tx, blamed(failed)) if error.scope is Scope.PROJECT else None
    cause = cause_of(failed, error, proxy=incidents.proxy_of(tx, failed.job.id), project=project)
    if cause is not None:
        incidents.note_failure(tx, cause, failed.job.id, now, reopens=REOPENS)


def note_success(core: Core, tx: Tx, done: Errand, now: datetime) -> None:
    if not incidents.has_open(tx):
        return
    project = quotas.project_of(core, tx, done.destination)
    healed = healed_by(done, proxy=incidents.proxy_of(tx, done.job.id), project=project)
    incidents.close_healed(tx, healed, now, f"job {done.job.id} arrived")


def end_quiet(core: Core) -> list[int]:
    """Close what nothing was added to for an hour and no job waits for; the ids closed."""
    now = core.clock.now()
    with core.begin() as tx:
        return [
            found.id
            for found in incidents.page(tx, before_id=_FIRST_PAGE, limit=1_000, is_open=True)
            if is_quiet(found.last_at, waiting=found.waiting, now=now)
            and incidents.close(tx, found.id, now, "nothing failed of it for an hour", last_at=found.last_at)
        ]


def page(core: Core, *, before: int = _FIRST_PAGE, limit: int = 50, is_open: bool | None = True) -> list[Incident]:
    """Newest first."""
    with core.begin() as tx:
        return incidents.page(tx, before_id=before, limit=limit, is_open=is_open)


def worth_showing(core: Core) -> list[Incident]:
    """For the first screen: those that hit many jobs, the largest first."""
    with core.begin() as tx:
        since = core.clock.now() - SHOWN_FOR
        found = incidents.page(tx, before_id=_FIRST_PAGE, limit=_MOST_SHOWN, since=since)
    return sorted((i for i in found if i.is_worth_showing), key=lambda i: (not i.is_open, -i.jobs))


def get(core: Core, incident_id: int) -> Incident:
    with core.begin() as tx:
        return _found(tx, incident_id)


def action_of(incident: Incident) -> str:
    """What helps against it."""
    known = failure_classes().get(incident.cause.code)
    return str(known.action) if known else ""


def retry(core: Core, incident_id: int, *, who: str) -> list[int]:
    """Queue again what died of it, and what waits for a retry of ours; those queued. Again: none are left."""
    now = core.clock.now()
    with core.begin() as tx:
        code = _found(tx, incident_id).cause.code
        chosen, target = incidents.retriable(tx, incident_id), f"incident:{incident_id}"
        return bulk.requeue(tx, chosen, code, who=who, target=target, now=now, details={"error": code})


def _found(tx: Tx, incident_id: int) -> Incident:
    found = incidents.get(tx, incident_id)
    if found is None:
        raise NotFound(f"There is no incident {incident_id}.")
    return found
