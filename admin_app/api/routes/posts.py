"""Seen posts: every one a connection has decided about, with the decision and its reason."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from admin_app.api.deps import CoreDep, Who
from admin_app.api.schemas.base import Page, RowId
from admin_app.api.schemas.jobs import PostOut, PostQuery, PostWhyOut
from admin_app.api.schemas.rules import DropIn
from forwarder_core.services import connections, dropping, explaining

router = APIRouter(prefix="/api/posts", tags=["Posts"])


@router.get("")
def list_posts(query: Annotated[PostQuery, Query()], core: CoreDep) -> Page[PostOut]:
    """Newest first."""
    connections.get(core, query.connection)
    found = connections.seen_posts(core, query.connection, before=query.before, limit=query.limit + 1)
    shown = found[: query.limit]
    more = str(shown[-1][0].id) if len(found) > query.limit else None
    return Page(items=[PostOut.of(post, decision) for post, decision in shown], next_cursor=more)


@router.get("/{post_id}/why")
def explain_post(post_id: RowId, core: CoreDep) -> PostWhyOut:
    """Why it was forwarded or not: for every connection of its source the decision, its rule, and the job."""
    return PostWhyOut.of(*explaining.why(core, post_id))


@router.post("/{post_id}/drop")
def drop_post(post_id: RowId, body: DropIn, core: CoreDep, who: Who) -> PostOut:
    """Leave this post for ever on this connection. 409 once it is running or may be live."""
    return PostOut.of(*dropping.drop(core, body.connection, post_id, who=who))
