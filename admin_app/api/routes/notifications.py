"""Notifications: every alert with its text and what became of it. Setting Telegram up is under /api/settings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from admin_app.api.deps import CoreDep
from admin_app.api.schemas.base import split
from admin_app.api.schemas.notifications import DeliveryOut, NotificationOut, NotificationQuery, NotificationsOut
from forwarder_core.services import notifying

router = APIRouter(prefix="/api/notifications", tags=["Notifications"])


@router.get("")
def list_notifications(query: Annotated[NotificationQuery, Query()], core: CoreDep) -> NotificationsOut:
    """Newest first, with whether alerts arrive at all."""
    states = tuple(state.value for state in query.state)
    found = notifying.notifications(
        core, before=query.before, limit=query.limit + 1, kinds=split(query.kind), states=states
    )
    shown = found[: query.limit]
    more = str(shown[-1].alert.id) if len(found) > query.limit else None
    items = [NotificationOut.of(one) for one in shown]
    return NotificationsOut(items=items, delivery=DeliveryOut.of(notifying.undelivered(core)), next_cursor=more)
