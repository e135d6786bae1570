"""The one door: Streamlit at /, the REST API at /api, Dagster's own UI under /dagster, on one port behind one sign-in.

`/ws/jobs` and `/metrics` belong to the API.

`uvicorn admin_app.asgi:app`. What lives here: putting the parts together and opening this process's core. What does
not: who may come in (door.guard). The fact to know: importing this does no I/O; the first thing a server sends is the
lifespan, and there the core is opened, so that settings that are wrong are said in one line.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.config import Config
from starlette.types import ASGIApp, Receive, Scope, Send

from admin_app import process
from admin_app.api.main import create_api
from admin_app.door.dagster import PREFIX, DagsterProxy
from admin_app.door.guard import Guard
from admin_app.door.origins import Origins
from admin_app.door.pages import Pages
from admin_app.door.rooted import Rooted
from admin_app.ui import heap
from forwarder_core import logs, settings
from forwarder_core.cli.passwords import with_admin_password
from forwarder_core.embedded import calm_server
from forwarder_core.errors import ForwarderError
from forwarder_core.services import journal, signing_in
from forwarder_core.services.context import Core, open_core
from forwarder_core.services.live import Feed

SCRIPT = Path(__file__).parent / "ui" / "app.py"
_FIRST_SCREEN = "admin_app.ui.screens.overview"
_POOL = 10
log = logging.getLogger(__name__)


class Switch:
    """Whose a request is, by its path. `pages` are the door's own; everything else is Streamlit's."""

    def __init__(self, *, pages: Starlette, api: ASGIApp, dagster: ASGIApp, screens: ASGIApp) -> None:
        self._pages, self._api, self._dagster, self._screens = pages, api, dagster, screens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._owner(scope)(scope, receive, send)

    def _owner(self, scope: Scope) -> ASGIApp:
        path = scope.get("path", "")
        if scope["type"] == "lifespan":
            return self._screens
        if path == PREFIX or path.startswith(f"{PREFIX}/"):
            return self._dagster
        if path in ("/api", "/metrics") or path.startswith(("/api/", "/ws/")):
            return self._api
        if scope["type"] == "http" and any(route.matches(scope)[0].value for route in self._pages.routes):
            return self._pages
        return self._screens


def create_app(core: Core, *, dagster_url: str | None) -> ASGIApp:
    """The whole door over `core`. `dagster_url`: of Dagster's web server, its path prefix included."""
    import streamlit as st  # here: 50 MB that whoever only imports this module does not need

    from admin_app.ui import configuration
    from admin_app.ui.boundary import on_error

    proxy = DagsterProxy(dagster_url)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        _one_log()
        calm_server.look_less_often()
        threading.Thread(target=_load_first_screen, daemon=True).start()
        yield
        await proxy.close()
        core.engine.dispose()

    configuration.apply()
    process.use(core)
    feed = Feed(core)
    switch = Switch(
        pages=Starlette(routes=Pages(core).routes()),
        api=create_api(core, feed),
        dagster=proxy,
        screens=Rooted(st.App(SCRIPT, lifespan=lifespan, on_script_error=on_error)),
    )
    return Guard(switch, core, Origins.of(core.settings), feed)


def _load_first_screen() -> None:
    """So that the first person does not wait for it."""
    import_module(_FIRST_SCREEN)
    heap.set_aside()


def _one_log() -> None:
    """Streamlit gives its own and the server's loggers handlers that neither write JSON nor know a secret: away with
    them, so that every line goes the way of ours."""
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        if name.startswith(("streamlit", "uvicorn", "websockets")) and logger.handlers:
            logger.handlers.clear()
            logger.propagate = True
    for talkative in ("uvicorn.access", "uvicorn.error"):  # every request, every WebSocket
        logging.getLogger(talkative).setLevel(logging.WARNING)


def open_door() -> ASGIApp:
    """From this process's environment; the first start makes the administrator."""
    loaded = settings.load()
    logs.configure(loaded.log_level)
    core = open_core(loaded, pool_size=_POOL, name="forwarder-door")
    journal.install(core)
    if signing_in.needs_first_user(core):
        first = with_admin_password(loaded)
        signing_in.add_first_user(core, first.admin_username, first.admin_password or "")
    # Not a setting of the admin's: whoever starts the processes tells them of each other.
    return create_app(core, dagster_url=Config()("DAGSTER_WEBSERVER_URL", default=None))


class _FirstAsked:
    """Opens the door when the server begins its lifespan."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            try:
                self._app = open_door()
            except ForwarderError as e:
                if scope["type"] != "lifespan":
                    raise
                await receive()
                words = f"error [{e.code}]: {e.message} {e.action}"
                await send({"type": "lifespan.startup.failed", "message": words})
                return
        await self._app(scope, receive, send)


app = _FirstAsked()
