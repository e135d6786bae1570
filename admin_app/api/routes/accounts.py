"""Accounts. A new one comes as JSON, or as multipart where a platform wants files (YouTube's client JSON)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, status
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from admin_app.api.deps import CoreDep, Who
from admin_app.api.schemas.accounts import (
    AccountChange,
    AccountDone,
    AccountIn,
    AccountOut,
    AccountQuery,
    AccountTested,
)
from admin_app.api.schemas.base import Done, Page, split
from forwarder_core.domain.accounts import Account
from forwarder_core.errors import FieldError, Invalid
from forwarder_core.services import accounts, editing, forms
from forwarder_core.services.accounts import NewAccount
from forwarder_core.services.context import Core

router = APIRouter(prefix="/api/accounts", tags=["Accounts"])
_MOST_FILE_BYTES = 65_536
_FILES = ("oauth_client", "token")
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
                        **{name: {"type": "string"} for name in ("type", "alias", "channel_id", "rights")},
                        **{name: {"type": "string", "format": "binary"} for name in _FILES},
                    },
                }
            },
        },
    }
}


@router.get("")
def list_accounts(query: Annotated[AccountQuery, Query()], core: CoreDep) -> Page[AccountOut]:
    """By id upwards."""
    found = accounts.page(
        core, after=query.after, limit=query.limit + 1, platform=query.type, status=split(query.status)
    )
    shown = found[: query.limit]
    more = str(shown[-1].id) if len(found) > query.limit else None
    return Page(items=[AccountOut.of(account) for account in shown], next_cursor=more)


@router.post("", status_code=status.HTTP_201_CREATED, openapi_extra=_BODY)
async def create_account(request: Request, core: CoreDep, who: Who) -> AccountDone:
    """Add an account. Its credentials are encrypted and never shown again."""
    body = _validated(await _given(request))
    made = await run_in_threadpool(_create, core, body, who)
    message = f"{made.platform.capitalize()} account '{made.alias}' added successfully"
    return AccountDone(account=AccountOut.of(made), message=message)


@router.get("/{account_id}")
def get_account(account_id: int, core: CoreDep) -> AccountOut:
    return AccountOut.of(accounts.get(core, account_id))


@router.put("/{account_id}")
def change_account(account_id: int, body: AccountChange, core: CoreDep, who: Who) -> AccountDone:
    values = body.model_dump(mode="json", exclude_unset=True)
    changed = editing.change_account(core, account_id, values, who=who)
    return AccountDone(account=AccountOut.of(changed), message=f"Account '{changed.alias}' changed")


@router.delete("/{account_id}")
def delete_account(account_id: int, core: CoreDep) -> Done:
    """Refused while connections or history refer to it."""
    accounts.remove(core, account_id)
    return Done(message=f"Account {account_id} deleted")


@router.post("/{account_id}/test")
def test_account(account_id: int, core: CoreDep) -> AccountTested:
    """One read-only call that proves the credentials. 502 with the platform's reason when they do not work."""
    name = accounts.test(core, account_id)
    return AccountTested(account_id=account_id, name=name, message=f"Signed in as {name}")


def _create(core: Core, body: AccountIn, who: str) -> Account:
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
    made = accounts.create(core, new)
    if body.alerts is None:
        return made
    return editing.change_account(core, made.id, {"alerts": body.alerts.model_dump()}, who=who)


async def _given(request: Request) -> dict[str, Any]:
    """The body as JSON has it, whichever form it came in."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        try:
            body = await request.json()
        except ValueError as e:
            raise Invalid("The body is not JSON.", FieldError("body", "must be a JSON object")) from e
        if not isinstance(body, dict):
            raise Invalid("The body is not a JSON object.", FieldError("body", "must be a JSON object"))
        return body
    given: dict[str, Any] = {"credentials": {}}
    async with request.form(max_files=5, max_fields=30) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile) or name in _FILES:
                given["credentials"][name] = await _text_of(name, value)
            else:
                given[name] = value
    return given


async def _text_of(name: str, value: UploadFile | str) -> str:
    if isinstance(value, str):
        return value
    content = await value.read(_MOST_FILE_BYTES + 1)
    if len(content) > _MOST_FILE_BYTES:
        raise Invalid(f"The file for {name} is larger than 64 KiB.", FieldError(name, "is too large"))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as e:
        raise Invalid(f"The file for {name} is not text.", FieldError(name, "is not JSON")) from e


def _validated(given: dict[str, Any]) -> AccountIn:
    try:
        return AccountIn.model_validate(given)
    except ValidationError as e:
        # Without `input`: it may hold what must not come back.
        raise RequestValidationError(
            [{**error, "loc": ("body", *error["loc"])} for error in e.errors(include_input=False)]
        ) from None
