"""The calendar of posts: what arrived, what failed, what is planned, day by day."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from admin_app.api.deps import CoreDep
from admin_app.api.schemas.agenda import AgendaOut, AgendaQuery
from forwarder_core.services import calendars

router = APIRouter(prefix="/api", tags=["Calendar"])


@router.get("/calendar")
def show_calendar(query: Annotated[AgendaQuery, Query()], core: CoreDep) -> AgendaOut:
    """Whole days of the installation's zone, 62 at most; without `from` and `to` the present month."""
    first, after = query.days(core.clock.now().astimezone(core.settings.zone).date())
    found = calendars.look(core, first, after, connection_id=query.connection)
    return AgendaOut.of(found, first, after, core.settings.zone.key)
