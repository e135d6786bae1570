"""The control API's part for the gateway: opening and closing proxies, its log, and the reset of everything.

The proxies opened here are remembered and opened again, on the same ports, at the next start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from forwarder_core.egress import ProxyAddress
from forwarder_core.simulator.control import read
from forwarder_core.simulator.gateway import LOOPBACK, Gateway, Proxy
from forwarder_core.simulator.handshake import Login
from forwarder_core.simulator.inputs import NewProxy
from forwarder_core.simulator.world import SimulatedWorld

_NOTES = "gateway"


@dataclass(frozen=True, slots=True)
class GatewayControl:
    """`gateway` is a function because the app, and with it these routes, is made before the gateway."""

    world: SimulatedWorld
    gateway: Callable[[], Gateway]

    def routes(self) -> list[Route]:
        return [
            Route("/proxies", self.open, methods=["POST"]),
            Route("/proxies", self.proxies),
            Route("/proxies/{id}", self.close, methods=["DELETE"]),
            Route("/tunnels", self.tunnels),
            Route("/reset", self.reset, methods=["POST"]),
        ]

    async def open(self, request: Request) -> Response:
        wanted = await read(request, NewProxy)
        login = Login(wanted.username, wanted.password) if wanted.username and wanted.password else None
        try:
            proxy = await self.gateway().open(port=wanted.port, login=login)
        except OSError as e:
            raise HTTPException(409, f"port {wanted.port} cannot be opened: {e.strerror}") from e
        self.world.notes(_NOTES)[proxy.id] = [login.username, login.password] if login else None
        return JSONResponse(_shown(proxy), 201)

    async def proxies(self, request: Request) -> Response:
        return JSONResponse([_shown(proxy) for proxy in self.gateway().proxies.values()])

    async def close(self, request: Request) -> Response:
        id_ = request.path_params["id"]
        notes = self.world.notes(_NOTES)
        if id_ not in notes:
            raise HTTPException(404, f"there is no proxy {id_} that was opened by control")
        del notes[id_]
        if id_ in self.gateway().proxies:
            await self.gateway().close(id_)
        return Response(status_code=204)

    async def tunnels(self, request: Request) -> Response:
        """The gateway's log, oldest first: every target that was asked for and what became of it."""
        return JSONResponse([asdict(each) | {"at": each.at.isoformat()} for each in self.gateway().tunnels])

    async def reset(self, request: Request) -> Response:
        for id_ in self.world.notes(_NOTES):
            if id_ in self.gateway().proxies:  # one that a fault ended is gone already
                await self.gateway().close(id_)
        self.gateway().tunnels.clear()
        self.world.reset()
        return JSONResponse({"status": "ok"})


async def reopen(world: SimulatedWorld, gateway: Gateway) -> None:
    """Open the proxies of the last start again; one whose port is taken meanwhile is forgotten."""
    notes = world.notes(_NOTES)
    for id_, login in list(notes.items()):
        try:
            await gateway.open(port=int(id_), login=Login(*login) if login else None)
        except OSError as e:
            del notes[id_]
            world.journal.failure(at=world.now(), kind="proxy_lost", host=f"{LOOPBACK}:{id_}", detail=str(e))


def _shown(proxy: Proxy) -> dict[str, Any]:
    login = proxy.login
    address = ProxyAddress(
        "http", LOOPBACK, proxy.port, login.username if login else None, login.password if login else None
    )
    return {
        "id": proxy.id,
        "url": address.url,
        "host": LOOPBACK,
        "port": proxy.port,
        "username": address.username,
        "exit_ip": proxy.exit_ip,
    }
