"""The audit log: who did what to which thing. Read only, and by administrators only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from admin_app.api.deps import CoreDep
from admin_app.api.schemas.audit_log import DeedOut, DeedQuery
from admin_app.api.schemas.base import Page
from forwarder_core.services import auditing

router = APIRouter(prefix="/api/audit-log", tags=["Settings"])


@router.get("")
def list_deeds(query: Annotated[DeedQuery, Query()], core: CoreDep) -> Page[DeedOut]:
    """Newest first. Of a changed thing the names of its fields are told, never their values."""
    wanted = auditing.Wanted(who=query.who, q=query.q)
    found = auditing.page(core, wanted, before=query.before, limit=query.limit + 1)
    shown = found[: query.limit]
    more = str(shown[-1].id) if len(found) > query.limit else None
    return Page(items=[DeedOut.of(deed) for deed in shown], next_cursor=more)
