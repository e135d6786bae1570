"""Seen posts: every one a connection has decided about, with the decision and its reason."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from admin_app.api.deps import CoreDep
from admin_app.api.schemas.base import Page
from admin_app.api.schemas.jobs import PostOut, PostQuery
from forwarder_core.services import connections

router = APIRouter(prefix="/api/posts", tags=["Posts"])


@router.get("")
def list_posts(query: Annotated[PostQuery, Query()], core: CoreDep) -> Page[PostOut]:
    """Newest first."""
    connections.get(core, query.connection)
    found = connections.seen_posts(core, query.connection, before=query.before, limit=query.limit + 1)
    shown = found[: query.limit]
    more = str(shown[-1][0].id) if len(found) > query.limit else None
    return Page(items=[PostOut.of(post, decision) for post, decision in shown], next_cursor=more)
