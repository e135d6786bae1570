"""What routes are given: the core, the caller, the address; and the refusal of parameters nobody declared."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request

from admin_app import auth
from admin_app.auth import Caller
from forwarder_core.errors import FieldError, Invalid, NotSignedIn
from forwarder_core.services.context import Core


def _core(request: Request) -> Core:
    core: Core = request.app.state.core
    return core


def _caller(request: Request) -> Caller:
    """Left here by the guard; without it nobody is anybody."""
    caller = auth.caller_of(request.scope)
    if caller is None:
        raise NotSignedIn("Sign in first.")
    return caller


def _who(caller: Annotated[Caller, Depends(_caller)]) -> str:
    return caller.who


CoreDep = Annotated[Core, Depends(_core)]
CallerDep = Annotated[Caller, Depends(_caller)]
Who = Annotated[str, Depends(_who)]


def refuse_unknown_parameters(request: Request) -> None:
    """A misspelt filter must not look like “no filter”: what the route's own description does not name is refused."""
    if not request.query_params:
        return
    operation: dict[str, Any] = request.app.openapi()["paths"][request.scope["route"].path][request.method.lower()]
    known = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"}
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        raise Invalid("There are parameters this call does not have.", *(FieldError(n, "unknown") for n in unknown))
