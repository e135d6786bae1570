"""A way from a network of drilled machines to servers that listen on this machine's loopback alone.

What lives here: listeners on an address of that network, each leading to a loopback port. What does not: the network
(the command), what listens there.
The fact to know: it runs in a thread of the drill, and its connections know nothing of each other: when a machine is
cut off its half stays open in silence, as a real one would.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from forwarder_core.simulator.relay import Meter, Stream, relay

_LOOPBACK = "127.0.0.1"
_JOIN_S = 10.0


@contextmanager
def portal(address: str, ports: Sequence[int]) -> Iterator[None]:
    """Lead `address`:port to loopback:port while the block lasts. Raises OSError where a port is taken there."""
    loop = asyncio.new_event_loop()
    servers = [loop.run_until_complete(asyncio.start_server(_leading_to(port), address, port)) for port in ports]
    thread = threading.Thread(target=loop.run_forever, name="portal", daemon=True)
    thread.start()
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(_end(servers), loop).result(_JOIN_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_JOIN_S)
        loop.close()


async def _end(servers: Sequence[asyncio.Server]) -> None:
    for server in servers:
        server.close()
    own = asyncio.current_task()
    leading = [task for task in asyncio.all_tasks() if task is not own]
    for task in leading:
        task.cancel()
    await asyncio.gather(*leading, return_exceptions=True)


def _leading_to(port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
    under_way: set[asyncio.Task[None]] = set()  # the loop alone would forget one whose client fell silent

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(lead(reader, writer))
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Stream(reader, writer)
        try:
            server = Stream(*await asyncio.open_connection(_LOOPBACK, port))
        except OSError:
            client.reset()
            return
        await relay(client, server, Meter())

    return accept
