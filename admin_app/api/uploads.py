"""Reading forms that bring credential files: the names and sizes of what is uploaded, and its text.

The fact to know: a file is only ever its text here. Its name leads nowhere, and one that looks like a path is refused,
because whoever sends one means no good; its bytes are checked by the platform before anything is stored.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.requests import Request

from forwarder_core.errors import FieldError, Invalid
from forwarder_core.services import forms

Model = TypeVar("Model", bound=BaseModel)
MOST_FILE_BYTES = 65_536
_MOST_NAME_CHARS = 255


async def given(request: Request, plain: Collection[str]) -> dict[str, Any]:
    """The body as JSON has it, whichever form it came in. Of a form, `plain` fields stand at the top, and those named
    as some platform's credentials under `credentials`."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await _json(request)
    known = forms.credential_names()
    top: dict[str, Any] = {}
    credentials: dict[str, str] = {}
    async with request.form(max_files=5, max_fields=40) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile) or (name in known and name not in plain):
                credentials[name] = await _text_of(name, value)
            else:
                top[name] = value
    if "credentials" in top:
        raise Invalid("The form has no such field.", FieldError("credentials", "send each as a field of its own"))
    return {**top, "credentials": credentials} if credentials else top


async def sheet(request: Request, most_bytes: int) -> bytes:
    """A CSV, as the body itself or as the field `file` of a form; one byte more than `most_bytes` at most."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return (await request.body())[: most_bytes + 1]
    async with request.form(max_files=1, max_fields=5) as form:
        if bad := [FieldError(name, "unknown") for name in form if name != "file"]:
            raise Invalid("The form has fields this call does not have.", *bad)
        given = form.get("file")
        if not isinstance(given, UploadFile):
            raise Invalid("The form brings no file.", FieldError("file", "is required"))
        return await given.read(most_bytes + 1)


def validated(model: type[Model], body: dict[str, Any]) -> Model:
    try:
        return model.model_validate(body)
    except ValidationError as e:
        # Without `input`: it may hold what must not come back.
        raise RequestValidationError(
            [{**error, "loc": ("body", *error["loc"])} for error in e.errors(include_input=False)]
        ) from None


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except (ValueError, RecursionError) as e:
        raise Invalid("The body is not JSON.", FieldError("body", "must be a JSON object")) from e
    if not isinstance(body, dict):
        raise Invalid("The body is not a JSON object.", FieldError("body", "must be a JSON object"))
    return body


async def _text_of(name: str, value: UploadFile | str) -> str:
    if isinstance(value, str):
        return value
    _check_name(name, value.filename or "")
    content = await value.read(MOST_FILE_BYTES + 1)
    if len(content) > MOST_FILE_BYTES:
        raise Invalid(f"The file for {name} is larger than 64 KiB.", FieldError(name, "is too large"))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as e:
        raise Invalid(f"The file for {name} is not text.", FieldError(name, "is not JSON")) from e


def _check_name(field: str, filename: str) -> None:
    is_path = any(part in filename for part in ("/", "\\", "..")) or not filename.isprintable()
    if is_path or len(filename) > _MOST_NAME_CHARS:
        words = "its name must be a plain file name"
        raise Invalid(f"The file for {field} is not taken: {words}.", FieldError(field, words))
