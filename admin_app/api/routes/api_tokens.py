"""Named tokens of programs that call this API: made, listed, revoked. Whoever handles them needs the scope admin."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, status

from admin_app.api.deps import CallerDep, CoreDep, Who
from admin_app.api.schemas.base import Done, Page, PageQuery, RowId
from admin_app.api.schemas.machines import ApiTokenDone, ApiTokenIn, ApiTokenOut
from forwarder_core.domain.machines import widest
from forwarder_core.services import api_tokens

router = APIRouter(prefix="/api/api-tokens", tags=["Authentication"])


@router.get("")
def list_api_tokens(query: Annotated[PageQuery, Query()], core: CoreDep) -> Page[ApiTokenOut]:
    """By id upwards, with when and from where each was last used."""
    found = api_tokens.page(core, after=query.after, limit=query.limit + 1)
    shown = found[: query.limit]
    more = str(shown[-1].id) if len(found) > query.limit else None
    return Page(items=[ApiTokenOut.of(token) for token in shown], next_cursor=more)


@router.post("", status_code=status.HTTP_201_CREATED)
def make_api_token(body: ApiTokenIn, core: CoreDep, caller: CallerDep, who: Who) -> ApiTokenDone:
    """A token for a program. It is in this answer and nowhere else; only its hash is kept."""
    made = api_tokens.make(
        core,
        user_id=caller.session.user_id,
        name=body.name,
        scope=widest(body.scopes),
        expires_at=body.expires_at,
        who=who,
    )
    words = f"API token '{body.name}' made. Copy it now: it is not shown again"
    return ApiTokenDone(api_token=ApiTokenOut.of(made.facts), token=made.token, message=words)


@router.get("/{api_token_id}")
def get_api_token(api_token_id: RowId, core: CoreDep) -> ApiTokenOut:
    return ApiTokenOut.of(api_tokens.get(core, api_token_id))


@router.delete("/{api_token_id}")
def revoke_api_token(api_token_id: RowId, core: CoreDep, who: Who) -> Done:
    """It opens nothing from now on, and what it holds open is closed at once."""
    gone = api_tokens.revoke(core, api_token_id, who=who)
    return Done(message=f"API token '{gone.name}' revoked")
