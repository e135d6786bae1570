"""Log events: the messages of jobs, accounts and connections."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from admin_app.api.deps import CoreDep
from admin_app.api.schemas.base import Page, RowId
from admin_app.api.schemas.jobs import LogOut, LogQuery
from forwarder_core.errors import NotFound
from forwarder_core.services import overview

router = APIRouter(prefix="/api/logs", tags=["Jobs & logs"])


@router.get("")
def list_logs(query: Annotated[LogQuery, Query()], core: CoreDep) -> Page[LogOut]:
    """Newest first."""
    found = overview.logs(
        core, before=query.beyond, limit=query.limit + 1, oldest_first=query.oldest_first, **query.wanted()
    )
    shown = found[: query.limit]
    more = str(shown[-1]["id"]) if len(found) > query.limit else None
    return Page(items=[LogOut.of(row) for row in shown], next_cursor=more)


@router.get("/{log_id}")
def get_log(log_id: RowId, core: CoreDep) -> LogOut:
    found = overview.logs(core, before=log_id + 1, limit=1)
    if not found or found[0]["id"] != log_id:
        raise NotFound(f"There is no log event {log_id}.")
    return LogOut.of(found[0])
