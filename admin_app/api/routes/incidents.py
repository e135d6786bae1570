"""Incidents: many failures of one cause as one, with one bulk retry."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from admin_app.api.deps import CoreDep, Who
from admin_app.api.schemas.base import Page, RowId
from admin_app.api.schemas.incidents import IncidentOut, IncidentQuery, IncidentRetried
from forwarder_core.services import incidents

router = APIRouter(prefix="/api/incidents", tags=["Jobs & logs"])


@router.get("")
def list_incidents(query: Annotated[IncidentQuery, Query()], core: CoreDep) -> Page[IncidentOut]:
    """Newest first; those that are not over, unless asked otherwise."""
    found = incidents.page(core, before=query.before, limit=query.limit + 1, is_open=query.is_open())
    shown = found[: query.limit]
    more = str(shown[-1].id) if len(found) > query.limit else None
    return Page(items=[IncidentOut.of(incident) for incident in shown], next_cursor=more)


@router.get("/{incident_id}")
def get_incident(incident_id: RowId, core: CoreDep) -> IncidentOut:
    return IncidentOut.of(incidents.get(core, incident_id))


@router.post("/{incident_id}/retry")
def retry_incident(incident_id: RowId, core: CoreDep, who: Who) -> IncidentRetried:
    """Queue again every job that died of it or waits for a retry. What a platform told to wait stays as it is.
    Repeated, it finds none."""
    moved = incidents.retry(core, incident_id, who=who)
    noun = "job" if len(moved) == 1 else "jobs"
    return IncidentRetried(
        incident=IncidentOut.of(incidents.get(core, incident_id)),
        count=len(moved),
        jobs_requeued=moved,
        message=f"{len(moved)} {noun} queued for retry",
    )
