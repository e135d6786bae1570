"""The gateway: proxies that lead real hostnames to the simulated platforms, and nowhere else.

Each proxy is a listener of its own, speaking HTTP and SOCKS5, with a login or open, and with an exit address of its
own (127.0.1.n), so that platforms see different addresses as they would outside. The fact to know: a name that is not
simulated is refused and recorded as a failure; only loopback targets are passed through.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from forwarder_core.simulator.faults import ArmedFault, Place
from forwarder_core.simulator.handshake import BadHandshake, Login, Protocol, Refusal, Wish, read_wish
from forwarder_core.simulator.hosts import HostTable, is_loopback
from forwarder_core.simulator.passages import Passage, Passages
from forwarder_core.simulator.relay import Meter, Stream, relay
from forwarder_core.simulator.world import SimulatedWorld

LOOPBACK = "127.0.0.1"
_KEEP_TUNNELS = 5_000
_HEAD_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Where the app listens."""

    tls_port: int
    plain_port: int


@dataclass(slots=True, kw_only=True)
class Proxy:
    """One listener. Its id is its port, as text."""

    port: int
    login: Login | None
    exit_ip: str
    server: asyncio.Server | None = None
    streams: set[Stream] = field(default_factory=set)

    @property
    def id(self) -> str:
        return str(self.port)

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"


@dataclass(slots=True, kw_only=True)
class Tunnel:
    """One line of the gateway's log: who asked for what, and what became of it."""

    at: datetime
    proxy: str
    protocol: str
    user: str | None
    host: str
    port: int
    outcome: str
    sent: int = 0
    received: int = 0


class Gateway:
    def __init__(self, world: SimulatedWorld, hosts: HostTable, passages: Passages, upstream: Upstream) -> None:
        self._world = world
        self._hosts = hosts
        self._passages = passages
        self._upstream = upstream
        self._opened = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.proxies: dict[str, Proxy] = {}
        self.tunnels: deque[Tunnel] = deque(maxlen=_KEEP_TUNNELS)

    async def open(self, *, port: int = 0, login: Login | None = None) -> Proxy:
        """Start a proxy; port 0 = a free one. Raises OSError when the port is taken."""
        self._opened += 1
        proxy = Proxy(port=port, login=login, exit_ip=f"127.0.{1 + self._opened // 250}.{self._opened % 250 + 1}")
        proxy.server = await asyncio.start_server(
            lambda reader, writer: self._accept(proxy, Stream(reader, writer)), LOOPBACK, port, limit=_HEAD_LIMIT
        )
        proxy.port = int(proxy.server.sockets[0].getsockname()[1])
        self.proxies[proxy.id] = proxy
        return proxy

    async def close(self, proxy_id: str) -> None:
        """Stop a proxy at once; its open connections are reset. Raises KeyError for an unknown one."""
        proxy = self.proxies.pop(proxy_id)
        if proxy.server:
            proxy.server.close()
        for stream in tuple(proxy.streams):
            stream.reset()

    async def close_all(self) -> None:
        for proxy_id in tuple(self.proxies):
            await self.close(proxy_id)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, proxy: Proxy, client: Stream) -> None:
        task = asyncio.create_task(self._serve(proxy, client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, proxy: Proxy, client: Stream) -> None:
        proxy.streams.add(client)
        try:
            reject = self._fault(proxy, None, "proxy_407") is not None
            wish = await read_wish(client.reader, client.writer, proxy.login, reject_login=reject)
            if wish is None:
                self._note(proxy, None, "refused login")
            elif proxy.login and not proxy.login.matches(wish.login):
                self._refuse(proxy, client, wish, Refusal.LOGIN)
            else:
                await self._admit(proxy, client, wish, reject)
        except BadHandshake as e:
            self._note(proxy, None, f"bad handshake: {e}")
        except (asyncio.IncompleteReadError, ConnectionError):
            self._note(proxy, None, "client left")
        finally:
            proxy.streams.discard(client)
            client.writer.close()

    async def _admit(self, proxy: Proxy, client: Stream, wish: Wish, reject: bool) -> None:
        """A known client: act out the faults of this target, then lead it there."""
        if reject or self._fault(proxy, wish, "proxy_407"):
            self._refuse(proxy, client, wish, Refusal.LOGIN)
            return
        if fault := self._fault(proxy, wish, "proxy_refuse"):
            if fault.value.get("reset"):
                self._note(proxy, wish, "fault: reset")
                client.reset()
            else:
                self._refuse(proxy, client, wish, Refusal.UNREACHABLE)
            return
        if self._fault(proxy, wish, "proxy_hang"):
            self._note(proxy, wish, "fault: hang")
            while await client.reader.read(_HEAD_LIMIT):
                pass
            return
        if fault := self._fault(proxy, wish, "proxy_delay"):
            await asyncio.sleep(float(fault.value.get("seconds", 2)))
        address = self._way(wish)
        if address is None:
            self._record_stray(proxy, wish)
            self._refuse(proxy, client, wish, Refusal.NAME)
            return
        await self._lead(proxy, client, wish, address)

    async def _lead(self, proxy: Proxy, client: Stream, wish: Wish, address: tuple[str, int]) -> None:
        try:
            app = Stream(*await asyncio.open_connection(*address, local_addr=(proxy.exit_ip, 0)))
        except OSError:
            self._refuse(proxy, client, wish, Refusal.UNREACHABLE)
            return
        own_address: tuple[str, int] = app.writer.get_extra_info("sockname")[:2]
        self._passages.add(own_address, self._passage(proxy, client, wish))
        tunnel = self._note(proxy, wish, "open")
        meter = self._meter(proxy, wish)
        try:
            client.writer.write(wish.granted)
            app.writer.write(wish.head)
            tunnel.outcome = "done" if await relay(client, app, meter) else "fault: cut"
            if meter.ends_proxy and tunnel.outcome == "fault: cut" and proxy.id in self.proxies:
                await self.close(proxy.id)  # before anybody could connect again
        finally:
            self._passages.remove(own_address)
            tunnel.sent, tunnel.received = meter.sent, meter.received
            app.writer.close()

    def _way(self, wish: Wish) -> tuple[str, int] | None:
        if is_loopback(wish.host):
            return LOOPBACK, wish.port
        ports = {443: self._upstream.tls_port, 80: self._upstream.plain_port}
        if self._hosts.platform(wish.host) is None or wish.port not in ports:
            return None
        return LOOPBACK, ports[wish.port]

    def _passage(self, proxy: Proxy, client: Stream, wish: Wish) -> Passage:
        return Passage(
            proxy=proxy.id,
            proxy_address=proxy.address,
            user=wish.login.username if wish.login else None,
            client_ip=str(client.writer.get_extra_info("peername")[0]),
            exit_ip=proxy.exit_ip,
            abort=client.reset,
        )

    def _meter(self, proxy: Proxy, wish: Wish) -> Meter:
        meter = Meter()
        if fault := self._fault(proxy, wish, "proxy_throttle"):
            meter.bytes_per_s = float(fault.value.get("bytes_per_s", 100_000))
        if fault := self._fault(proxy, wish, "proxy_cut"):
            meter.cut_after = int(fault.value.get("after_bytes", 0))
            meter.cut_direction = fault.value.get("direction")
            meter.ends_proxy = bool(fault.value.get("ends_proxy"))
        return meter

    def _fault(self, proxy: Proxy, wish: Wish | None, name: str) -> ArmedFault | None:
        host = wish.host if wish else None
        platform = self._hosts.platform(host) if host else None
        return self._world.faults.take(Place(proxy=proxy.id, host=host, platform=platform), name)

    def _refuse(self, proxy: Proxy, client: Stream, wish: Wish, why: Refusal) -> None:
        self._note(proxy, wish, f"refused {why}")
        client.writer.write(wish.refused(why))

    def _record_stray(self, proxy: Proxy, wish: Wish) -> None:
        self._world.journal.failure(
            at=self._world.now(),
            kind="unknown_host",
            host=f"{wish.host}:{wish.port}",
            detail=f"asked of {proxy.address} by {wish.protocol}; the name is not simulated",
            method="CONNECT" if wish.protocol is not Protocol.HTTP else "",
        )

    def _note(self, proxy: Proxy, wish: Wish | None, outcome: str) -> Tunnel:
        tunnel = Tunnel(
            at=self._world.now(),
            proxy=proxy.id,
            protocol=str(wish.protocol) if wish else "",
            user=wish.login.username if wish and wish.login else None,
            host=wish.host if wish else "",
            port=wish.port if wish else 0,
            outcome=outcome,
        )
        self.tunnels.append(tunnel)
        return tunnel
