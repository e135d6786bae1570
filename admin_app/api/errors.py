"""Whatever goes wrong in a route becomes problem+json. An unexpected error says “bug” and nothing of our insides."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

from admin_app import auth, problems
from forwarder_core.errors import Bug, ForwarderError, Invalid, Unavailable

log = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    app.exception_handler(ForwarderError)(_ours)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(HTTPException)(_http)
    for away in (OperationalError, InterfaceError, PoolTimeout):
        app.exception_handler(away)(_database_away)
    app.exception_handler(DataError)(_unfit)
    app.exception_handler(Exception)(_unexpected)


def _ours(request: Request, error: ForwarderError) -> Response:
    return problems.of_error(error, path=request.url.path, request_id=auth.request_id_of(request.scope))


def _invalid(request: Request, error: RequestValidationError) -> Response:
    fields = [{"field": _dotted(e["loc"]), "message": e["msg"].removeprefix("Value error, ")} for e in error.errors()]
    return _problem(request, 422, "invalid", "The request is not as this call wants it.", "Correct the fields.", fields)


def _http(request: Request, error: HTTPException) -> Response:
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "bad_request")
    return _problem(request, error.status_code, code, str(error.detail), "Look at /api/docs for what there is.")


def _database_away(request: Request, error: Exception) -> Response:
    log.error("The database did not answer: %s", type(error).__name__)
    return _ours(request, Unavailable("The database does not answer."))


def _unfit(request: Request, error: Exception) -> Response:
    """A number beyond what a column holds, where a schema let it pass."""
    log.warning("The database cannot hold a value of %s: %s", request.url.path, type(error).__name__)
    return _ours(request, Invalid("A value of the request is too large to be stored."))


def _unexpected(request: Request, error: Exception) -> Response:
    request_id = auth.request_id_of(request.scope)
    words = "Unexpected %s in %s (request %s)"
    log.error(words, type(error).__name__, request.url.path, request_id, exc_info=error)
    return _problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, Bug.code, "Something unexpected happened.", Bug.action)


def _problem(
    request: Request, status: int, code: str, detail: str, action: str, fields: list[dict[str, Any]] | None = None
) -> Response:
    return problems.problem(
        status,
        code=code,
        detail=detail,
        action=action,
        path=request.url.path,
        request_id=auth.request_id_of(request.scope),
        errors=fields or (),
    )


def _dotted(location: tuple[int | str, ...]) -> str:
    parts = location[1:] if location and location[0] in ("body", "query", "path") else location
    return ".".join(str(part) for part in parts)
