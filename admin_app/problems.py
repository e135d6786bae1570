"""Errors over HTTP: RFC 9457 problem+json with our stable `code` and the `action` that helps.

Used by the guard and by the API, so that a refusal looks the same whoever says it. `errors[]` names bad fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

from forwarder_core.errors import (
    ForwarderError,
    Invalid,
    NotSignedIn,
    RequestError,
    StepFailed,
    TooManyRequests,
    Unavailable,
)
from forwarder_core.logs import redact

MEDIA_TYPE = "application/problem+json"
_RETRY_UNAVAILABLE_S = 5


def problem(
    status: int,
    *,
    code: str,
    detail: str,
    action: str,
    path: str,
    request_id: str,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    content = {
        "type": f"urn:snapcore-forwarder:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": path,
        "code": code,
        "action": action,
        "request_id": request_id,
        "errors": [dict(error) for error in errors],
    }
    return JSONResponse(content, status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def of_error(error: ForwarderError, *, path: str, request_id: str) -> JSONResponse:
    """A refusal in the words of our own error tree."""
    fields = [{"field": f.field, "message": f.message} for f in error.fields] if isinstance(error, Invalid) else []
    return problem(
        status_of(error),
        code=error.code,
        detail=redact(error.message),
        action=error.action,
        path=path,
        request_id=request_id,
        errors=fields,
        headers=_headers_of(error),
    )


def status_of(error: ForwarderError) -> int:
    """A platform's failure is a bad gateway: the request was right, the far end was not."""
    if isinstance(error, RequestError):
        return error.status
    return HTTPStatus.BAD_GATEWAY if isinstance(error, StepFailed) else HTTPStatus.INTERNAL_SERVER_ERROR


def _headers_of(error: ForwarderError) -> dict[str, str]:
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, Unavailable):
        return {"Retry-After": str(_RETRY_UNAVAILABLE_S)}
    if isinstance(error, NotSignedIn):
        return {"WWW-Authenticate": "Bearer"}
    return {}
