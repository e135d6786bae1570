"""One process that holds it all: the app behind TLS and in the clear, the control API, the gateway.

granian serves embedded in this process's event loop, because its TLS offers h2 and http/1.1 (Instagram's client needs
h2) and because app and gateway share the table of passages. The fact to know: one process means that a kill leaves no
orphan; and granian would share a taken port silently, so ports are tried first.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from granian.constants import Interfaces
from granian.server.embed import Server

from forwarder_core.clock import Clock
from forwarder_core.errors import PortTaken
from forwarder_core.simulator import certificates, fakes
from forwarder_core.simulator.app import SimulatorApp
from forwarder_core.simulator.certificates import ServerCertificate
from forwarder_core.simulator.control import Control
from forwarder_core.simulator.gateway import LOOPBACK, Gateway, Proxy, Upstream
from forwarder_core.simulator.gateway_control import GatewayControl, reopen
from forwarder_core.simulator.handshake import Login
from forwarder_core.simulator.hosts import HostTable
from forwarder_core.simulator.passages import Passages
from forwarder_core.simulator.world import SimulatedWorld

_READY_TRIES = 200
_READY_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    gateway_url: str
    control_url: str
    ca: Path


@asynccontextmanager
async def serve(
    home: Path,
    *,
    gateway_port: int = 0,
    control_port: int = 0,
    gateway_login: Login | None = None,
    clock: Clock | None = None,
    seed: int | None = None,
) -> AsyncIterator[Running]:
    """Serve until the block ends. Ports of 0 are chosen. Raises PortTaken."""
    world = SimulatedWorld(home, clock=clock, limits_of=fakes.limits_of, seed=seed)
    known = fakes.discover(world)
    hosts = HostTable({fake.platform: fake.hosts for fake in known.values()})
    certificate = certificates.ensure(world.folder, hosts.patterns)
    upstream = Upstream(tls_port=_port(0), plain_port=_port(control_port))
    passages = Passages()
    gateway = Gateway(world, hosts, passages, upstream)
    control = Control(world=world, fakes=known).app(GatewayControl(world, lambda: gateway).routes())
    app = SimulatorApp(world, hosts, known, passages, control)
    try:
        main = await _or_taken(gateway.open(port=gateway_port, login=gateway_login), gateway_port)
        await reopen(world, gateway)
        async with _serving(app, upstream.tls_port, certificate), _serving(app, upstream.plain_port, None):
            yield Running(
                gateway_url=f"http://{main.address}",
                control_url=f"http://{LOOPBACK}:{upstream.plain_port}/__control",
                ca=certificate.ca,
            )
            # Before the servers: they wait for their clients, and an idle client behind the gateway never leaves.
            await gateway.close_all()
    finally:
        await gateway.close_all()
        world.close()


@asynccontextmanager
async def _serving(app: SimulatorApp, port: int, certificate: ServerCertificate | None) -> AsyncIterator[None]:
    """The app on one port, with TLS where there is a certificate. Enters when it listens.

    The control port is entered last: once it answers, everything else does.
    """
    server = Server(
        app,
        LOOPBACK,
        port,
        interface=Interfaces.ASGINL,
        log_enabled=False,
        ssl_cert=certificate.chain if certificate else None,
        ssl_key=certificate.key if certificate else None,
    )
    task = asyncio.create_task(server.serve())
    try:
        await _listening(port)
        yield
    finally:
        server.stop()
        await task


async def _listening(port: int) -> None:
    for _ in range(_READY_TRIES):
        with contextlib.suppress(ConnectionError):
            _, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.close()
            return
        await asyncio.sleep(_READY_PAUSE_S)
    raise PortTaken(f"Nothing listens on port {port} although it was started.")


def _port(wanted: int) -> int:
    """`wanted`, or a free one for 0. Raises PortTaken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, wanted))
        except OSError as e:
            raise PortTaken(f"Port {wanted} is taken.") from e
        return int(probe.getsockname()[1])


async def _or_taken(opening: Awaitable[Proxy], port: int) -> Proxy:
    try:
        return await opening
    except OSError as e:
        raise PortTaken(f"Port {port} is taken.") from e
