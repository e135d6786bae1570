"""Connections: making, changing, starting and stopping them, and asking one to look at its source now."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, status

from admin_app.api.deps import CoreDep, Who
from admin_app.api.schemas.base import Done, Page, RowId, split
from admin_app.api.schemas.connections import (
    ConnectionChange,
    ConnectionDone,
    ConnectionIn,
    ConnectionMoved,
    ConnectionOut,
    ConnectionQuery,
)
from admin_app.api.schemas.requests import RehearsalOut
from admin_app.api.schemas.rules import NextPost
from forwarder_core.domain.connections import Connection, ConnectionStatus
from forwarder_core.errors import FieldError, Invalid
from forwarder_core.services import connections, dropping, editing, overview, proposing, rehearsing
from forwarder_core.services.connections import NewConnection
from forwarder_core.services.context import Core
from forwarder_core.services.rehearsing import NotReady

router = APIRouter(prefix="/api/connections", tags=["Connections"])


@router.get("")
def list_connections(query: Annotated[ConnectionQuery, Query()], core: CoreDep) -> Page[ConnectionOut]:
    """By id upwards."""
    wanted = _statuses(split(query.status))
    found = connections.page(core, after=query.after, limit=query.limit + 1, status=wanted, q=query.q)
    shown = found[: query.limit]
    more = str(shown[-1].id) if len(found) > query.limit else None
    return Page(items=[ConnectionOut.of(view) for view in overview.connection_views(core, shown)], next_cursor=more)


@router.post("", status_code=status.HTTP_201_CREATED)
def create_connection(body: ConnectionIn, core: CoreDep, who: Who) -> ConnectionDone:
    """Stored, and started where `status` is active. What prevents the start stands in `reasons`."""
    new = NewConnection(**{k: v for k, v in body.values().items() if k != "status"})
    made = connections.create(core, new, who=who)
    reasons: list[str] = []
    if body.status == "active":
        try:
            made = connections.start(core, made.id, who=who)
        except NotReady as e:
            reasons += e.reasons
    words = "created and activated" if made.status is ConnectionStatus.ACTIVE else "created, not active"
    return ConnectionDone(
        connection=_shown(core, made),
        message=f"Connection '{made.name}' {words}",
        reasons=reasons,
        warnings=rehearsing.warnings(core, made.id),
    )


@router.post("/rehearse")
def rehearse_new(body: ConnectionIn, core: CoreDep) -> RehearsalOut:
    """Everything the start of such a connection would need, looked at now; nothing is stored. `connection_id` is 0."""
    new = NewConnection(**{k: v for k, v in body.values().items() if k != "status"})
    return RehearsalOut.of(0, proposing.rehearse(core, new))


@router.get("/{connection_id}")
def get_connection(connection_id: RowId, core: CoreDep) -> ConnectionOut:
    """With the posts that wait, and when each of them goes."""
    shown = _shown(core, connections.get(core, connection_id))
    waiting = [NextPost(**asdict(post)) for post in dropping.next_posts(core, connection_id)]
    return shown.model_copy(update={"next_posts": waiting})


@router.put("/{connection_id}")
def change_connection(connection_id: RowId, body: ConnectionChange, core: CoreDep, who: Who) -> ConnectionDone:
    changed = editing.change_connection(core, connection_id, body.values(), who=who)
    return ConnectionDone(
        connection=_shown(core, changed),
        message=f"Connection '{changed.name}' changed",
        warnings=rehearsing.warnings(core, connection_id),
    )


@router.delete("/{connection_id}")
def delete_connection(connection_id: RowId, core: CoreDep, who: Who) -> Done:
    """Stopped and taken off the list; its jobs stay as history."""
    gone = editing.remove_connection(core, connection_id, who=who)
    return Done(message=f"Connection '{gone.name}' deleted")


@router.post("/{connection_id}/start")
def start(connection_id: RowId, core: CoreDep, who: Who) -> ConnectionMoved:
    """Forward posts from this moment on. 409 with the reason where something is missing; `rehearse` shows all."""
    return _moved(core, connections.start(core, connection_id, who=who), "started")


@router.post("/{connection_id}/stop")
def stop(connection_id: RowId, core: CoreDep, who: Who) -> ConnectionMoved:
    return _moved(core, connections.stop(core, connection_id, who=who), "stopped. Running jobs will complete")


@router.post("/{connection_id}/pause")
def pause(connection_id: RowId, core: CoreDep, who: Who) -> ConnectionMoved:
    return _moved(core, connections.pause(core, connection_id, who=who), "paused. Click Resume to continue")


@router.post("/{connection_id}/resume")
def resume(connection_id: RowId, core: CoreDep, who: Who) -> ConnectionMoved:
    return _moved(core, connections.resume(core, connection_id, who=who), "resumed")


def _shown(core: Core, connection: Connection) -> ConnectionOut:
    return ConnectionOut.of(overview.connection_views(core, [connection])[0])


def _moved(core: Core, connection: Connection, words: str) -> ConnectionMoved:
    return ConnectionMoved(
        message=f"Connection '{connection.name}' {words}",
        connection_id=connection.id,
        new_status=connection.status,
        next_check=_shown(core, connection).next_check,
        warnings=rehearsing.warnings(core, connection.id) if connection.status is ConnectionStatus.ACTIVE else [],
    )


def _statuses(words: tuple[str, ...]) -> tuple[str, ...]:
    known = {**{status.value: status.value for status in ConnectionStatus}, "inactive": ConnectionStatus.STOPPED.value}
    bad = [word for word in words if word not in known]
    if bad:
        raise Invalid(f"There is no status “{bad[0]}”.", FieldError("status", f"one of {', '.join(known)}"))
    return tuple(known[word] for word in words)
