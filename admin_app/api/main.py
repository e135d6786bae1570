"""The REST API as one ASGI app under /api, with its description at /api/openapi.json and Swagger at /api/docs.

The fact to know: Swagger's files are our own copy (folder swagger, Apache-2.0): a script from elsewhere on a page that
holds a session could do whatever the administrator can.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse
from starlette.routing import WebSocketRoute
from starlette.staticfiles import StaticFiles

from admin_app.api import describing, errors
from admin_app.api.bodies import RefuseUnstorable
from admin_app.api.deps import refuse_unknown_parameters
from admin_app.api.etags import Tags
from admin_app.api.repeats import Repeats
from admin_app.api.routes import (
    accounts,
    agenda,
    analytics,
    api_tokens,
    approvals,
    audit_log,
    auth,
    connections,
    desk,
    incidents,
    jobs,
    library,
    limits,
    live,
    logs,
    media,
    metrics,
    notifications,
    posts,
    proxies,
    requests,
    roads,
    scenarios,
    settings,
    system,
    templates,
    tokens,
)
from forwarder_core.services.context import Core
from forwarder_core.services.live import Feed

_SWAGGER = Path(__file__).parent / "swagger"
_DOCS = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>API</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/api/swagger/swagger-ui.css"></head><body><div id="swagger-ui"></div>
<script src="/api/swagger/swagger-ui-bundle.js"></script><script src="/api/swagger/start.js"></script></body></html>"""


def create_api(core: Core, feed: Feed | None = None) -> FastAPI:
    """`feed`: where this process has one already."""
    app = FastAPI(
        title=f"{core.settings.app_name} API",
        version="1",
        description="Sign in at `POST /api/login`; then `Authorization: Bearer …`, or the cookie and `X-CSRF-Token`.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(refuse_unknown_parameters)],
        generate_unique_id_function=describing.operation_id,
    )
    app.state.core = core
    app.state.feed = feed or Feed(core)
    errors.install(app)
    for noun in (
        auth,
        api_tokens,
        accounts,
        tokens,
        desk,
        connections,
        requests,
        proxies,
        jobs,
        incidents,
        approvals,
        posts,
        agenda,
        limits,
        logs,
        notifications,
        roads,
        settings,
        audit_log,
        system,
        analytics,
        live,
        metrics,
        media,
        templates,
        library,
        scenarios,
    ):
        app.include_router(noun.router)
    app.mount("/api/swagger", StaticFiles(directory=_SWAGGER))

    @app.get("/api/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(_DOCS)

    app.router.routes.append(WebSocketRoute("/ws/jobs", live.watch_jobs))
    describing.install(app)
    # The last one added is the first one asked.
    app.add_middleware(Tags, openapi=lambda: app.openapi())
    app.add_middleware(Repeats, core=core)
    app.add_middleware(RefuseUnstorable)
    return app
