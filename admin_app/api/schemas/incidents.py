"""Incidents over the wire: one trouble with the jobs it hit."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from admin_app.api.schemas.base import Out, PageQuery, split
from forwarder_core.domain.incidents import Incident
from forwarder_core.errors import FieldError, Invalid
from forwarder_core.services import incidents

_STATES = ("open", "closed")


class IncidentQuery(PageQuery):
    status: list[str] = Field(default_factory=lambda: ["open"], description="open (as usual), closed, or both")

    def is_open(self) -> bool | None:
        """None = both. Raises Invalid for a status that is none."""
        wanted = set(split(self.status))
        if bad := wanted - set(_STATES):
            raise Invalid(f"There is no status “{min(bad)}”.", FieldError("status", f"one of {', '.join(_STATES)}"))
        return None if wanted in (set(), set(_STATES)) else "open" in wanted


class IncidentOut(Out):
    """`jobs` that failed of it; `dead` and `waiting` ones of those still do. `subject`: whose trouble it is, by the
    name people gave it; `key`: the same by what stays when that name changes, as a proxy's id; `jobs_link`: its jobs as
    the list of jobs shows them."""

    id: int
    status: Literal["open", "closed"]
    code: str
    scope: str
    key: str
    subject: str
    action: str
    jobs: int
    dead: int
    waiting: int
    failures: int
    opened_at: datetime
    last_at: datetime
    closed_at: datetime | None
    closed_because: str | None
    jobs_link: str

    @classmethod
    def of(cls, incident: Incident) -> IncidentOut:
        cause = incident.cause
        return cls(
            id=incident.id,
            status="open" if incident.is_open else "closed",
            code=cause.code,
            scope=cause.scope,
            key=cause.key,
            subject=cause.title,
            action=incidents.action_of(incident),
            jobs=incident.jobs,
            dead=incident.dead,
            waiting=incident.waiting,
            failures=incident.failures,
            opened_at=incident.opened_at,
            last_at=incident.last_at,
            closed_at=incident.closed_at,
            closed_because=incident.closed_because,
            jobs_link=f"/api/jobs?error={cause.code}",
        )


class IncidentRetried(Out):
    status: Literal["success"] = "success"
    incident: IncidentOut
    count: int
    jobs_requeued: list[int]
    message: str
