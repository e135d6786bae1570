"""The REST API as one ASGI app under /api, with its description at /api/openapi.json and Swagger at /api/docs.

The fact to know: Swagger's files are our own copy (folder swagger, Apache-2.0): a script from elsewhere on a page that
holds a session could do whatever the administrator can.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from admin_app.api import errors
from admin_app.api.deps import refuse_unknown_parameters
from admin_app.api.routes import (
    accounts,
    auth,
    connections,
    desk,
    jobs,
    logs,
    notifications,
    posts,
    proxies,
    settings,
    system,
)
from forwarder_core.services.context import Core

_SWAGGER = Path(__file__).parent / "swagger"
_DOCS = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>API</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/api/swagger/swagger-ui.css"></head><body><div id="swagger-ui"></div>
<script src="/api/swagger/swagger-ui-bundle.js"></script><script src="/api/swagger/start.js"></script></body></html>"""
_PROBLEM = {
    "description": "What went wrong (RFC 9457), with a stable `code` and the `action` that helps",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_RESPONSES: dict[int | str, dict[str, Any]] = dict.fromkeys((401, 403, 422, 503), _PROBLEM)


def create_api(core: Core) -> FastAPI:
    app = FastAPI(
        title=f"{core.settings.app_name} API",
        version="1",
        description="Sign in at `POST /api/login`; then `Authorization: Bearer …`, or the cookie and `X-CSRF-Token`.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(refuse_unknown_parameters)],
        responses=_RESPONSES,
    )
    app.state.core = core
    errors.install(app)
    for noun in (auth, accounts, desk, connections, proxies, jobs, posts, logs, notifications, settings, system):
        app.include_router(noun.router)
    app.mount("/api/swagger", StaticFiles(directory=_SWAGGER))

    @app.get("/api/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(_DOCS)

    _describe_problem(app)
    return app


def _describe_problem(app: FastAPI) -> None:
    """FastAPI describes a 422 of its own form; ours is the Problem."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        schema = described()
        text = {"type": "string"}
        fields = dict.fromkeys(("type", "title", "detail", "instance", "code", "action", "request_id"), text)
        error = {"type": "object", "properties": {"field": text, "message": text}}
        properties = {**fields, "status": {"type": "integer"}, "errors": {"type": "array", "items": error}}
        schema.setdefault("components", {}).setdefault("schemas", {})["Problem"] = {
            "type": "object",
            "required": list(properties),
            "properties": properties,
        }
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
