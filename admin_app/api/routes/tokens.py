"""Tokens: what is known of each credential, handing in a new one, renewing it; and the sign-in on a platform's page.

An account's own credential has the account's id as its token id.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from admin_app.api import uploads
from admin_app.api.deps import CallerDep, CoreDep, Who
from admin_app.api.schemas.base import Done, Page, RowId
from admin_app.api.schemas.tokens import OAuthQuery, OAuthStarted, TokenDone, TokenOut, TokenQuery, TokenUpload
from forwarder_core.services import tokens, web_sign_in
from forwarder_core.services.context import Core
from forwarder_core.services.tokens import TokenView

router = APIRouter(tags=["Tokens"])
_FILES = ("oauth_client", "token")
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["account_id"],
                    "properties": {
                        "account_id": {"type": "integer"},
                        "label": {"type": "string"},
                        **{name: {"type": "string", "format": "binary"} for name in _FILES},
                    },
                }
            },
            "application/json": {"schema": TokenUpload.model_json_schema(ref_template="#/components/schemas/{model}")},
        },
    }
}


@router.get("/api/tokens")
def list_tokens(query: Annotated[TokenQuery, Query()], core: CoreDep) -> Page[TokenOut]:
    """Every credential by account; with `within_days` the calendar of those that need a person by then."""
    if query.within_days is not None:
        found = tokens.ending(core, within_days=query.within_days, limit=query.limit)
        if query.account_id is not None:
            found = [view for view in found if view.account.id == query.account_id]
        return Page(items=_shown(core, found))
    if query.account_id is not None:
        return Page(items=_shown(core, tokens.of_account(core, query.account_id)))
    found, more = tokens.every(core, after=int(query.cursor or 0), limit=query.limit)
    return Page(items=_shown(core, found), next_cursor=None if more is None else str(more))


@router.post("/api/tokens/upload", openapi_extra=_BODY)
async def upload_token(request: Request, core: CoreDep, who: Who) -> TokenDone:
    """Hand in a client JSON, a token JSON or other credentials of an account. Whose they are is asked first."""
    body = uploads.validated(TokenUpload, await uploads.given(request, TokenUpload.model_fields))
    return await run_in_threadpool(_uploaded, core, body, who)


@router.get("/api/tokens/{token_id}/status")
def token_status(token_id: RowId, core: CoreDep) -> TokenOut:
    return TokenOut.of(tokens.look(core, token_id), core.clock.now())


@router.post("/api/tokens/{token_id}/refresh")
def refresh_token(token_id: RowId, core: CoreDep, who: Who) -> TokenDone:
    """Renew it now. 409 where only a person can; 502 with the platform's reason where it refuses."""
    view = tokens.refresh(core, token_id, who=who)
    return _done(core, view, f"Token of '{view.account.alias}' refreshed")


@router.delete("/api/tokens/{token_id}")
def delete_token(token_id: RowId, core: CoreDep, who: Who) -> Done:
    """A further credential of an account, once no connection names it."""
    tokens.remove(core, token_id, who=who)
    return Done(message=f"Token {token_id} deleted")


@router.get("/api/oauth/{provider}/start", response_model=OAuthStarted, responses={303: {"description": "A browser"}})
def start_oauth(
    provider: str, query: Annotated[OAuthQuery, Query()], request: Request, core: CoreDep, caller: CallerDep
) -> Response | OAuthStarted:
    """Begin a sign-in on the platform's own page (`youtube`, `meta`): a browser is sent there, a program gets its
    address. It must come back within 10 minutes, to the session that began it."""
    started = web_sign_in.start(
        core,
        query.account_id,
        provider=provider,
        session=caller.token,
        who=caller.session.username,
        token_id=query.token_id,
        login=query.login,
    )
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(started.url, 303)
    return OAuthStarted(
        authorization_url=started.url,
        redirect_uri=started.redirect_uri,
        warning=started.warning,
        expires_at=started.expires_at,
    )


def _uploaded(core: Core, body: TokenUpload, who: str) -> TokenDone:
    view, warning = tokens.upload(core, body.account_id, body.credentials, who=who, label=body.label)
    return _done(core, view, f"Credentials of '{view.account.alias}' updated", warning)


def _done(core: Core, view: TokenView, message: str, warning: str | None = None) -> TokenDone:
    page = web_sign_in.page_of(view.account)
    token = "" if view.token.is_own else f"&token_id={view.token.id}"
    start = f"{core.settings.base_url}{page.start_path}?account_id={view.account.id}{token}" if page else None
    shown = TokenOut.of(view, core.clock.now())
    return TokenDone(token_id=view.token.id, token=shown, message=message, authorization_url=start, warning=warning)


def _shown(core: Core, views: list[TokenView]) -> list[TokenOut]:
    now = core.clock.now()
    return [TokenOut.of(view, now) for view in views]
