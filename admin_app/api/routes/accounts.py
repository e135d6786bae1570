"""Accounts. A new one comes as JSON, or as multipart where a platform wants files (YouTube's client JSON)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status
from starlette.concurrency import run_in_threadpool

from admin_app.api import uploads
from admin_app.api.deps import CoreDep, Who
from admin_app.api.schemas.accounts import (
    AccountChange,
    AccountDone,
    AccountIn,
    AccountOut,
    AccountQuery,
    AccountTested,
    ImportDone,
    ImportQuery,
)
from admin_app.api.schemas.base import Done, Page, RowId, split
from forwarder_core.domain.accounts import Account, AccountStatus
from forwarder_core.errors import FieldError, Invalid
from forwarder_core.services import account_views, accounts, editing, forms, importing, web_sign_in
from forwarder_core.services.accounts import NewAccount
from forwarder_core.services.context import Core

router = APIRouter(prefix="/api/accounts", tags=["Accounts"])
_FILES = ("oauth_client", "token", "cookies")
_TEXTS = ("type", "alias", "channel_id", "rights", "app_status")
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": AccountIn.model_json_schema(ref_template="#/components/schemas/{model}")},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["type", "alias", "oauth_client"],
                    "properties": {
                        **{name: {"type": "string"} for name in _TEXTS},
                        **{name: {"type": "string", "format": "binary"} for name in _FILES},
                    },
                }
            },
        },
    }
}

_SHEET: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string", "example": "platform,username,rights,credentials.password\n"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}
_CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "One account a row"}
}


@router.get("")
def list_accounts(query: Annotated[AccountQuery, Query()], core: CoreDep) -> Page[AccountOut]:
    """By id upwards."""
    found = accounts.page(
        core, after=query.after, limit=query.limit + 1, platform=query.type, status=_statuses(split(query.status))
    )
    shown = found[: query.limit]
    more = str(shown[-1].id) if len(found) > query.limit else None
    return Page(items=[AccountOut.of(view) for view in account_views.of(core, shown)], next_cursor=more)


@router.post("", status_code=status.HTTP_201_CREATED, openapi_extra=_BODY)
async def create_account(request: Request, core: CoreDep, who: Who) -> AccountDone:
    """Add an account. Its credentials are encrypted and never shown again."""
    body = uploads.validated(AccountIn, await uploads.given(request, AccountIn.model_fields))
    return await run_in_threadpool(_create, core, body, who)


@router.post("/import", openapi_extra=_SHEET)
async def import_accounts(
    request: Request, query: Annotated[ImportQuery, Query()], core: CoreDep, who: Who
) -> ImportDone:
    """Accounts of one's own from a CSV, all rows or none: 422 names each bad row by its line.

    Columns: platform, username, alias, auth_method, rights (`own` or `licensed`), rights_note, proxy (its alias or
    number, `none` takes it away) and `credentials.<field>`. An account that is there changes what its row names; its
    credentials stay. The same sheet again changes nothing.
    """
    sheet = await uploads.sheet(request, importing.MOST_BYTES)
    lines = await run_in_threadpool(importing.import_sheet, core, sheet, who=who, dry_run=query.dry_run)
    return ImportDone.of(lines, dry_run=query.dry_run)


@router.get("/export", response_class=Response, responses=_CSV)
def export_accounts(core: CoreDep) -> Response:
    """Every account as a sheet that can be imported again; without credentials, safe to open in a spreadsheet."""
    head = {"Content-Disposition": 'attachment; filename="accounts.csv"'}
    return Response(importing.export_sheet(core), media_type="text/csv", headers=head)


@router.get("/{account_id}")
def get_account(account_id: RowId, core: CoreDep) -> AccountOut:
    return _shown(core, accounts.get(core, account_id))


@router.put("/{account_id}")
def change_account(account_id: RowId, body: AccountChange, core: CoreDep, who: Who) -> AccountDone:
    values = body.model_dump(mode="json", exclude_unset=True)
    changed = editing.change_account(core, account_id, values, who=who)
    return AccountDone(account=_shown(core, changed), message=f"Account '{changed.alias}' changed")


@router.delete("/{account_id}")
def delete_account(account_id: RowId, core: CoreDep, who: Who) -> Done:
    """Refused while connections or history refer to it."""
    accounts.remove(core, account_id, who=who)
    return Done(message=f"Account {account_id} deleted")


@router.post("/{account_id}/test")
def test_account(account_id: RowId, core: CoreDep) -> AccountTested:
    """One read-only call that proves the credentials. 502 with the platform's reason when they do not work."""
    name = accounts.test(core, account_id)
    return AccountTested(account_id=account_id, name=name, message=f"Signed in as {name}")


def _create(core: Core, body: AccountIn, who: str) -> AccountDone:
    method = forms.auth_method(body.type, body.auth_method)
    given = dict(body.credentials)
    expiry = given.pop("token_expiry", None) or (body.token_expiry.isoformat() if body.token_expiry else None)
    beside = forms.known_only(method, {"facebook_page_id": body.facebook_page_id, "token_expiry": expiry})
    new = NewAccount(
        platform=body.type,
        alias=body.alias,
        handle=body.handle,
        auth_method=method.name,
        credentials={**beside, **given},
        rights=body.rights,
        rights_note=body.rights_note,
        proxy_id=body.proxy_id,
    )
    made = accounts.create(core, new, who=who)
    if body.alerts is not None:
        made = editing.change_account(core, made.id, {"alerts": body.alerts.model_dump()}, who=who)
    page = web_sign_in.page_of(made)
    return AccountDone(
        account=_shown(core, made),
        message=f"{made.platform.capitalize()} account '{made.alias}' added successfully",
        authorization_url=f"{core.settings.base_url}{page.start_path}?account_id={made.id}" if page else None,
        warning=web_sign_in.warning_of(core, made) if page and not made.status.is_usable else None,
    )


def _shown(core: Core, account: Account) -> AccountOut:
    return AccountOut.of(account_views.of(core, [account])[0])


def _statuses(words: tuple[str, ...]) -> tuple[str, ...]:
    known = [status.value for status in AccountStatus]
    if bad := [word for word in words if word not in known]:
        raise Invalid(f"There is no status “{bad[0]}”.", FieldError("status", f"one of {', '.join(known)}"))
    return words
